/**
 * A model file's weights by name, read when first needed. The backends share one store; a fault in the weights is a
 * `WeightSource` that wraps another.
 */
import { StepError } from '../errors.ts';
import { type BlockTypeName, blockTypes } from '../gguf/blocks/index.ts';
import type { GgufFile, TensorInfo } from '../gguf/reader.ts';
import { rowsOf, sizeOf } from '../ops/shape.ts';
import type { OpWeight } from './run_op.ts';

export interface WeightInfo {
  readonly name: string;
  readonly type: BlockTypeName;
  /** Outermost first. */
  readonly shape: readonly number[];
}

/** Bytes of a weight in its file. */
export function bytesOf({ type, shape }: WeightInfo): number {
  const { size, bytes } = blockTypes[type];
  return (sizeOf(shape) / size) * bytes;
}

export interface WeightSource {
  readonly file: string;
  info(name: string): WeightInfo | undefined;
  /** Raw blocks of rows row0 … row0+rows-1; they may lie in `into`. */
  readRows(name: string, row0: number, rows: number, into?: Uint8Array): Promise<Uint8Array>;
}

export function ggufWeights(gguf: GgufFile): WeightSource {
  const tensor = (name: string): TensorInfo => {
    const info = gguf.tensors.get(name);
    if (!info) {
      throw new StepError(`Cannot read weight ${name}: ${gguf.source.name} has no tensor of that name`, {
        tensor: name,
      });
    }
    return info;
  };
  return {
    file: gguf.source.name,
    info: (name) => gguf.tensors.get(name),
    readRows: (name, rowStart, rowCount, into) => gguf.readTensor(tensor(name), { rowStart, rowCount, into }),
  };
}

/** Rows of a weight, dequantised; no more of the file is read than they take. */
export async function weightRows(
  source: WeightSource,
  { name, type, shape }: WeightInfo,
  start: number,
  count: number,
): Promise<Float32Array> {
  const out = new Float32Array(count * (shape.at(-1) ?? 1));
  blockTypes[type].dequantize(await source.readRows(name, start, count), 0, out);
  return out;
}

/** A weight on the host: its blocks in memory, rows dequantised as they are asked for. */
export async function hostWeight(source: WeightSource, name: string): Promise<OpWeight> {
  const info = source.info(name);
  if (!info)
    throw new StepError(`Cannot read weight ${name}: ${source.file} has no tensor of that name`, { tensor: name });
  const type = blockTypes[info.type];
  const columns = info.shape.at(-1) ?? 1;
  const nRows = rowsOf(info.shape);
  const bytes = await source.readRows(name, 0, nRows);
  const rowBytes = (columns / type.size) * type.bytes;
  return {
    type: info.type,
    shape: info.shape.length === 1 ? info.shape : [nRows, columns],
    bytes: (start, count) => bytes.subarray(start * rowBytes, (start + count) * rowBytes),
    rows(start, count) {
      const out = new Float32Array(count * columns);
      type.dequantize(bytes, start * rowBytes, out);
      return out;
    },
  };
}
