/** Traces into files: the folder is made, room is looked for first, and what a large file will take is said. */
import { stat } from 'node:fs/promises';
import prettyBytes from 'pretty-bytes';
import type { Model } from '../engine/model.ts';
import type { RowSink } from '../engine/run_trace.ts';
import { TraceError, UsageError } from '../errors.ts';
import type { Run } from '../index.ts';
import { freeSpace, writeArrowFile } from '../node/arrow_file.ts';
import { makeFolderFor } from '../node/folder.ts';
import { sizeOf } from '../ops/shape.ts';
import { arrowBytes } from '../trace/arrow_writer.ts';
import type { Manifest } from '../trace/trace.ts';
import type { Prompt } from './model.ts';
import { withBar } from './progress.ts';

/** Files above this are announced before they are written. */
const LARGE_BYTES = 100e6;

export interface Written {
  readonly path: string;
  readonly bytes: number;
  readonly tensors: number;
  /** How many of them with their values. */
  readonly values: number;
  readonly manifest: Manifest;
}

/** Writes what a finished run keeps. */
export async function writeFinished(run: Run, path: string): Promise<Written> {
  const { entries } = run.trace;
  const kept = entries.filter(({ hasValues }) => hasValues);
  const numbers = kept.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  await prepare(run.model, path, entries.length, numbers);
  const { manifest } = run.trace;
  return {
    path,
    bytes: await withBar((onProgress) => run.trace.writeArrow(path, { onProgress })),
    tensors: entries.length,
    values: kept.length,
    manifest,
  };
}

/** Runs a prompt and streams its trace into a file; memory holds a layer. */
export async function writeRunning(
  model: Model,
  { tokens, origin }: Prompt,
  select: string,
  path: string,
): Promise<Written> {
  model.checkTokens(tokens);
  const size = model.traceSize(tokens, select);
  await prepare(model, path, size.tensors, size.values);
  let values = 0;
  let file: RowSink | undefined;
  const sink: RowSink = {
    async append(row, data) {
      if (data) values++;
      await file?.append(row, data);
    },
  };
  const run = model.start(tokens, { ...origin, select, sink });
  const { manifest } = run.trace;
  const bytes = await writeArrowFile(path, manifest, async (writer) => {
    file = writer;
    return (await withBar((onProgress) => run.toEnd({ onProgress }))).trace.end;
  });
  return { path, bytes, tensors: size.tensors, values, manifest };
}

/** What to do before the first byte; after it, a signal takes the half file with it. */
async function prepare(model: Model, path: string, tensors: number, numbers: number): Promise<void> {
  await mustNotBeModel(model, path);
  await makeFolderFor(path);
  const expected = arrowBytes(tensors, numbers);
  const free = await freeSpace(path);
  const room = `it will take about ${prettyBytes(expected)}, and ${prettyBytes(free)} are free`;
  if (expected > free) {
    throw new TraceError(`Cannot write ${path}: ${room}; keep fewer values with --select, or write elsewhere`, {
      file: path,
    });
  }
  if (expected > LARGE_BYTES) process.stderr.write(`Writing ${path}: ${room}\n`);
  await withBar((onProgress) => model.sha256({ onProgress }));
}

async function mustNotBeModel(model: Model, path: string): Promise<void> {
  const [ours, theirs] = await Promise.all([path, model.name].map((file) => stat(file).catch(() => null)));
  if (ours && theirs && ours.ino === theirs.ino && ours.dev === theirs.dev) {
    throw new UsageError(`Cannot write ${path}: it is the model itself; give --out another name`);
  }
}
