/**
 * Who reads memory that nobody wrote, and who does not write all of its own? Pages are used again without being cleared, so
 * both depend on what lay there before, and zeroing hides them. Each output's memory is filled before its step runs:
 *
 *   with a reserved NaN    what still holds it afterwards was not written
 *   with two sets of noise the first tensor that is not the same in both read it
 *
 * NaN alone would not do: a device may drop it in arithmetic, so that its reader shows nothing.
 */
import type { Model, StartOptions } from '../engine/model.ts';
import type { Run } from '../engine/run.ts';
import { watchedBy } from '../engine/watched.ts';
import { UsageError } from '../errors.ts';
import type { Watch } from '../platform.ts';
import type { Tensor } from '../trace/tensor.ts';
import type { TraceRow } from '../trace/trace.ts';
import type { Place } from './comparison.ts';
import { placeAt } from './measure.ts';

export interface StaleSpot {
  readonly name: string;
  readonly op: string;
  readonly layer: number | null;
  readonly pass: number;
  /** Elements that were not written, or that are not the same for both fillings; of how many. */
  readonly count: number;
  readonly n: number;
  /** The first of them. */
  readonly at: Place;
}

export interface Stale {
  /** The first step that leaves a part of its output as it was; later ones may be. */
  readonly unwritten: StaleSpot | null;
  /** The first step whose output depends on memory that nobody wrote, other than by not writing it. */
  readonly reader: (StaleSpot & { readonly values: readonly [number, number] }) | null;
  /** Where the reader was found: as every tensor is observed, or fused as in a run that nobody looks at. Null where there is none. */
  readonly plan: 'observed' | 'fused' | null;
  /** Tensors looked at, of all passes. */
  readonly tensors: number;
}

/** A signalling NaN: arithmetic that lets it through sets its quiet bit, so what is found again was not touched. */
const NOT_WRITTEN = 0x7fa51a1e;

/** Words of one filling; not a power of two, so that neighbouring rows hold others. */
const NOISE_WORDS = 4093;

/**
 * Runs `input`, its last token as a decode step, on memory of known contents. Throws UsageError on a backend that uses no
 * memory twice, InterruptedError where it is stopped.
 */
export async function findStale(
  model: Model,
  input: string | readonly number[],
  { signal, onProgress }: Watch = {},
): Promise<Stale> {
  if (model.backend.name !== 'webgpu') {
    throw new UsageError(
      `Cannot look for stale memory on ${model.backend.name}: it makes new memory for every value; open the model on webgpu`,
    );
  }
  const watched = watchedBy(model.platform, { signal, onProgress });
  const tokens = typeof input === 'string' ? model.tokenize(input) : input;
  const fills = { reserved: Uint32Array.of(NOT_WRITTEN), a: noise(1), b: noise(2) };
  let begun = 0;
  /** What `look` sees of a finished run. */
  const ran = async <T>(options: StartOptions, look: (run: Run) => T | Promise<T>): Promise<T> => {
    const run = model.start(tokens.slice(0, Math.max(1, tokens.length - 1)), options);
    const nth = begun++;
    const tell: Watch = {
      signal,
      ...(watched.onProgress && {
        onProgress: (progress) =>
          watched.onProgress?.({ ...progress, task: `looking for stale memory, run ${nth + 1}` }),
      }),
    };
    try {
      await run.toEnd(tell);
      if (tokens.length > 1) await (await run.append(tokens.slice(-1))).toEnd(tell);
      return await look(run);
    } finally {
      run.close();
    }
  };
  const rows = (fill: Uint32Array) =>
    ran({ select: 'none', fill }, ({ trace }) =>
      trace.entries.map((row) => ({ ...row, statistics: row.statistics, hasValues: false })),
    );
  const value = (fill: Uint32Array, { name, pass }: TraceRow) =>
    ran({ select: name, fill }, (run) => run.tensor(name, { pass }));

  const reserved = await rows(fills.reserved);
  let unwritten: StaleSpot | null = null;
  for (const row of reserved.filter(({ statistics }) => statistics.nanCount > 0)) {
    const left = wordsEqual(await value(fills.reserved, row), NOT_WRITTEN);
    if (left.length > 0) unwritten = spotOf(row, left);
    // What comes after it reads it, and may pass the pattern on.
    if (unwritten) break;
  }

  const [ofA, ofB] = [await rows(fills.a), await rows(fills.b)];
  const first = ofA.find((row, i) => row.statistics.hash64 !== ofB[i]?.statistics.hash64);
  if (first) {
    const [a, b] = [await value(fills.a, first), await value(fills.b, first)];
    const differing = wordsDiffer(a, b);
    const isUnwritten =
      unwritten?.name === first.name && unwritten.pass === first.pass && unwritten.count === differing.length;
    if (isUnwritten || differing.length === 0) return { unwritten, reader: null, plan: null, tensors: reserved.length };
    return { unwritten, reader: readerOf(first, differing, a, b), plan: 'observed', tensors: reserved.length };
  }

  // Nobody looks: what can be fused is.
  const logits = (fill: Uint32Array) =>
    ran({ select: 'result_output', statistics: false, fill }, (run) => run.tensor('result_output'));
  const [a, b] = [await logits(fills.a), await logits(fills.b)];
  const [last, differing] = [reserved.findLast(({ name }) => name === 'result_output'), wordsDiffer(a, b)];
  const reader = last && differing.length > 0 ? readerOf(last, differing, a, b) : null;
  return { unwritten, reader, plan: reader && 'fused', tensors: reserved.length };
}

/** Finite f32 numbers between ±1 and ±4, by a linear congruential generator (Knuth, TAOCP 3.3.4). */
function noise(seed: number): Uint32Array {
  let state = seed;
  return Uint32Array.from({ length: NOISE_WORDS }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const sign = (state & 1) << 31;
    const exponent = (127 + ((state >>> 1) & 1)) << 23;
    return (sign | exponent | (state >>> 9)) >>> 0;
  });
}

function wordsOf({ data }: Tensor): Uint32Array {
  return new Uint32Array(data.buffer, data.byteOffset, data.length);
}

/** Offsets of the elements whose bits are these. */
function wordsEqual(tensor: Tensor, word: number): number[] {
  return [...wordsOf(tensor)].flatMap((each, i) => (each === word ? [i] : []));
}

function wordsDiffer(a: Tensor, b: Tensor): number[] {
  const other = wordsOf(b);
  return [...wordsOf(a)].flatMap((each, i) => (each === other[i] ? [] : [i]));
}

function spotOf(
  { name, op, layer, pass, pos0, shape, dims, statistics }: TraceRow,
  offsets: readonly number[],
): StaleSpot {
  const at = placeAt({ shape, dims, pos0 }, offsets[0] as number);
  return { ...{ name, op, layer, pass }, count: offsets.length, n: statistics.n, at };
}

function readerOf(row: TraceRow, offsets: readonly number[], a: Tensor, b: Tensor): NonNullable<Stale['reader']> {
  const i = offsets[0] as number;
  return { ...spotOf(row, offsets), values: [a.data[i] as number, b.data[i] as number] };
}
