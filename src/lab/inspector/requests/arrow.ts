/** Tensors of an experiment as an Arrow file, which the page offers for saving. */
import { sha256 } from 'hash-wasm';
import { mustGoOn } from '../../../engine/watched.ts';
import { UsageError } from '../../../errors.ts';
import { joinBytes } from '../../../gguf/bytes.ts';
import { ArrowTraceWriter } from '../../../trace/arrow_writer.ts';
import type { Experiment } from '../experiment.ts';
import type { Request } from '../request.ts';
import { isRun } from '../session.ts';

export interface ArrowParams {
  readonly experiment: Experiment;
  /** Names, aliases and globs; everything unless given. */
  readonly names?: readonly string[];
}

export interface ArrowFile {
  /** Tensors in it, and those of them whose values are no longer kept: their statistics alone. */
  readonly tensors: number;
  readonly withoutValues: number;
  readonly bytes: Uint8Array;
}

export const arrow: Request<ArrowParams, ArrowFile> = async (session, { experiment, names }, watch) => {
  const subject = await session.subject(experiment);
  const trace = isRun(subject) ? subject.trace : subject;
  const rows = names ? trace.select(names) : trace.entries;
  if (rows.length === 0) {
    throw new UsageError(`Cannot write ${names?.join(', ') ?? 'a trace'}: nothing of it was computed; run to it first`);
  }
  if (isRun(subject)) await subject.model.sha256(watch);
  const pieces: Uint8Array[] = [];
  // The writer uses its memory again.
  const sink = { write: async (bytes: Uint8Array) => void pieces.push(bytes.slice()) };
  const writer = new ArrowTraceWriter(sink, trace.manifest, { sha256: (bytes) => sha256(bytes) });
  for (const [done, row] of rows.entries()) {
    mustGoOn(watch.signal, 'write the trace', 'ask for it again to have it');
    await writer.append(row, row.hasValues ? (await trace.tensor(row.name, { pass: row.pass })).data : null);
    watch.onProgress?.({
      task: 'writing the trace',
      item: row.name,
      done: done + 1,
      total: rows.length,
      unit: 'tensors',
    });
  }
  await writer.end(trace.end ?? {});
  const withoutValues = rows.filter(({ hasValues }) => !hasValues).length;
  return { tensors: rows.length, withoutValues, bytes: await joinBytes(pieces) };
};
