/**
 * Golden tensors: what llama.cpp computes on a model's F32 twin for one prompt, as a small Arrow IPC file that is shipped
 * in `fixtures/golden`. The f64 reference is held against them where llama.cpp is not at hand.
 *
 * One row per tensor: name utf8 · shape list<int32>, outermost first · values list<float32>. The schema's metadata
 * `layerscope.golden` is the manifest as JSON.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import {
  Field,
  Float32,
  Int32,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableFromIPC,
  tableToIPC,
  Utf8,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import { LayerscopeError } from '../errors.ts';
import { llamaCpp } from './index.ts';
import { f32Twin, sha256 } from './quantize.ts';
import type { OracleVersions } from './trace.ts';

export interface GoldenManifest {
  /** File name of the model whose twin was run. */
  readonly model: string;
  /** Of the model's file, not of its twin. */
  readonly sha256: string;
  readonly prompt: string;
  readonly tokens: readonly number[];
  readonly pieces: readonly string[];
  readonly versions: OracleVersions;
}

export interface Golden {
  readonly manifest: GoldenManifest;
  /** In the order in which llama.cpp computed them. */
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;
}

const MANIFEST_KEY = 'layerscope.golden';

/** Runs `prompt` as one prefill on the F32 twin of `model` and keeps every tensor that has a name of ours. */
export async function captureGolden(model: string, prompt: string): Promise<Golden> {
  const twin = llamaCpp(await f32Twin(model));
  try {
    const tokens = await twin.tokenize(prompt);
    const { tensors, versions } = await twin.trace(tokens);
    const pieces = await twin.pieces(tokens);
    return {
      manifest: { model: basename(model), sha256: await sha256(model), prompt, tokens, pieces, versions },
      tensors,
    };
  } finally {
    await twin.close();
  }
}

/** Bytes of the Arrow file. */
export function encodeGolden({ manifest, tensors }: Golden): Uint8Array {
  const all = [...tensors.values()];
  const columns = {
    name: vectorFromArray([...tensors.keys()], new Utf8()),
    shape: lists(new Int32(), all, ({ shape }) => Int32Array.from(shape)),
    values: lists(new Float32(), all, ({ data }) => data),
  };
  const fields = Object.entries(columns).map(([name, { type }]) => new Field(name, type, false));
  const schema = new Schema(fields, new Map([[MANIFEST_KEY, JSON.stringify(manifest)]]));
  const children = Object.values(columns).map((column) => column.data[0]);
  const rows = makeData({ type: new Struct(fields), length: all.length, nullCount: 0, children: children as never });
  return tableToIPC(new Table([new RecordBatch(schema, rows)]), 'file');
}

/** A column of one list per tensor. */
function lists<N extends Int32 | Float32, T>(
  type: N,
  of: readonly T[],
  values: (item: T) => N['TArray'],
): Vector<List<N>> {
  const parts = of.map(values);
  const valueOffsets = new Int32Array(parts.length + 1);
  parts.forEach((part, i) => {
    valueOffsets[i + 1] = (valueOffsets[i] ?? 0) + part.length;
  });
  const total = valueOffsets[parts.length] ?? 0;
  const data = type instanceof Int32 ? new Int32Array(total) : new Float32Array(total);
  parts.forEach((part, i) => {
    data.set(part, valueOffsets[i]);
  });
  const child = makeData({ type, length: total, nullCount: 0, data } as never);
  const list = new List<N>(new Field('item', type, false));
  return new Vector([
    makeData({ type: list, length: parts.length, nullCount: 0, valueOffsets, child: child as never }),
  ]);
}

/** Writes beside `path` and renames. */
export async function writeGolden(path: string, golden: Golden): Promise<number> {
  const bytes = encodeGolden(golden);
  const partial = `${path}.${randomUUID()}.part`;
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(partial, bytes, { flush: true });
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
  return bytes.length;
}

export async function readGolden(path: string): Promise<Golden> {
  const table = tableFromIPC(await readFile(path));
  const manifest = table.schema.metadata.get(MANIFEST_KEY);
  if (manifest === undefined) {
    throw new LayerscopeError(
      `Cannot read ${path}: its schema has no metadata "${MANIFEST_KEY}"; wanted a file that make_golden wrote`,
      { file: path },
    );
  }
  const rows = table
    .toArray()
    .map(({ name, shape, values }): [string, { shape: number[]; data: Float32Array }] => [
      name,
      { shape: [...shape], data: values.toArray() },
    ]);
  return { manifest: JSON.parse(manifest), tensors: new Map(rows) };
}
