/** Tensors of an experiment as an Arrow file, which the page offers for saving. */
import { sha256 } from 'hash-wasm';
import { mustGoOn } from '../../../engine/watched.ts';
import { UsageError } from '../../../errors.ts';
import { joinBytes } from '../../../gguf/bytes.ts';
import type { Watch } from '../../../platform.ts';
import { ArrowTraceWriter } from '../../../trace/arrow_writer.ts';
import { type Experiment, keyOf } from '../experiment.ts';
import type { Request } from '../request.ts';
import { isRun, type Session } from '../session.ts';

export interface ArrowParams {
  readonly experiment: Experiment;
  /** Names, aliases and globs; everything unless given. */
  readonly names?: readonly string[];
  /** Which part of the file, from 0; asking for the first writes it. A message has room for one. */
  readonly part?: number;
}

/** Bytes of a part: half of what the lab's server takes as one frame. */
const PART_BYTES = 2 ** 23;

export interface ArrowFile {
  /** Tensors in it, and those of them whose values are no longer kept: their statistics alone. */
  readonly tensors: number;
  readonly withoutValues: number;
  /** How many parts the file has; they follow each other without a gap. */
  readonly parts: number;
  readonly bytes: Uint8Array;
}

/** A whole file and what is told with each part of it. */
interface Written extends Omit<ArrowFile, 'bytes'> {
  readonly key: string;
  readonly whole: Uint8Array;
}

/** What is being fetched, one file a session, until its last part was asked for. */
const fetched = new WeakMap<Session, Written>();

export const arrow: Request<ArrowParams, ArrowFile> = async (session, params, watch) => {
  const { part = 0 } = params;
  const key = JSON.stringify([keyOf(params.experiment), params.names]);
  const known = fetched.get(session);
  if (part > 0 && known?.key !== key) {
    throw new UsageError(`Cannot send part ${part} of the trace: another was written since; ask for part 0 again`);
  }
  const file = part === 0 || !known ? { key, ...(await written(session, params, watch)) } : known;
  fetched.set(session, file);
  const { tensors, withoutValues, parts, whole } = file;
  if (part + 1 >= parts) fetched.delete(session);
  return { tensors, withoutValues, parts, bytes: whole.slice(part * PART_BYTES, (part + 1) * PART_BYTES) };
};

async function written(
  session: Session,
  { experiment, names }: ArrowParams,
  watch: Watch,
): Promise<Omit<Written, 'key'>> {
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
  const whole = await joinBytes(pieces);
  return { tensors: rows.length, withoutValues, parts: Math.ceil(whole.length / PART_BYTES), whole };
}
