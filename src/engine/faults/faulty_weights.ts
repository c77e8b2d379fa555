/**
 * Weights as a faulty engine takes them, under names of their own: `blk.0.attn_k.weight~k-rows-permuted`. The healthy ones stay
 * beside them, so a model and its faulty twin share the device's memory.
 */
import { StepError } from '../../errors.ts';
import { blockTypes } from '../../gguf/blocks/index.ts';
import { columnsOf, rowsOf, sizeOf } from '../../ops/shape.ts';
import { bytesOf, hostWeight, type WeightInfo, type WeightSource } from '../weight_store.ts';

/** One of the two: other bytes of the same type, or other numbers, which then are F32. The shape stays. */
export type WeightChange =
  | { bytes(bytes: Uint8Array, weight: WeightInfo): Uint8Array }
  | { values(values: Float32Array, weight: WeightInfo): Float32Array };

/** A weight that is made of another. */
export interface FaultyWeight {
  readonly base: string;
  readonly change: WeightChange;
}

/** The source's weights, and others by name. */
export function withFaultyWeights(source: WeightSource, made: ReadonlyMap<string, FaultyWeight>): WeightSource {
  // The last one, for it is read a piece at a time.
  let kept: { name: string; bytes: Promise<Uint8Array> } | null = null;
  const bytesByName = (name: string, weight: FaultyWeight): Promise<Uint8Array> => {
    if (kept?.name !== name) kept = { name, bytes: changed(source, weight) };
    return kept.bytes;
  };
  const info = (name: string): WeightInfo | undefined => {
    const weight = made.get(name);
    const base = source.info(weight?.base ?? name);
    if (!weight || !base) return base;
    return { name, type: 'values' in weight.change ? 'F32' : base.type, shape: base.shape };
  };
  return {
    file: source.file,
    info,
    async readRows(name, row0, rows, into) {
      const weight = made.get(name);
      if (!weight) return source.readRows(name, row0, rows, into);
      const bytes = await bytesByName(name, weight);
      const rowBytes = rowBytesOf(info(name)!);
      return bytes.subarray(row0 * rowBytes, (row0 + rows) * rowBytes);
    },
  };
}

async function changed(source: WeightSource, { base, change }: FaultyWeight): Promise<Uint8Array> {
  const info = source.info(base);
  if (!info)
    throw new StepError(`Cannot read weight ${base}: ${source.file} has no tensor of that name`, { tensor: base });
  if ('bytes' in change) return change.bytes((await source.readRows(base, 0, rowsOf(info.shape))).slice(), info);
  const values = change.values((await hostWeight(source, base)).rows(0, rowsOf(info.shape)), info);
  return new Uint8Array(values.buffer, values.byteOffset, 4 * sizeOf(info.shape));
}

/** Bytes of a row. */
export function rowBytesOf(info: WeightInfo): number {
  return bytesOf(info) / rowsOf(info.shape);
}

/** A matrix whose row r is the row `from(r)` of the one given. */
export function gatheredRows(bytes: Uint8Array, info: WeightInfo, from: (row: number) => number): Uint8Array {
  const rowBytes = rowBytesOf(info);
  const gathered = new Uint8Array(bytes.length);
  for (let row = 0; row < rowsOf(info.shape); row++) {
    const start = from(row) * rowBytes;
    gathered.set(bytes.subarray(start, start + rowBytes), row * rowBytes);
  }
  return gathered;
}

/** The bytes with each block's field `qs` of 16 bytes rewritten: `nibbles` are its 32 numbers in order. */
export function withNibbles(
  bytes: Uint8Array,
  { type, shape }: WeightInfo,
  order: (nibbles: readonly number[]) => readonly number[],
): Uint8Array {
  const { bytes: blockBytes, planes, size } = blockTypes[type];
  const qs = planes.find(({ field }) => field === 'qs')!;
  const out = bytes.slice();
  const blocks = (rowsOf(shape) * columnsOf(shape)) / size;
  for (let block = 0; block < blocks; block++) {
    const at = block * blockBytes + qs.offset;
    const packed = bytes.subarray(at, at + qs.bytes);
    const found = order([...packed].map((byte) => byte & 15).concat([...packed].map((byte) => byte >> 4)));
    for (let j = 0; j < qs.bytes; j++) out[at + j] = found[j]! | (found[j + qs.bytes]! << 4);
  }
  return out;
}
