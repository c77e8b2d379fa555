/**
 * Probes: the short runs by which a fault is looked for, from a single token to a long prompt, and what a faulty one shows
 * beside a healthy one. Of each the last pass is looked at: the passes before it are what a cache holds by then.
 */
import type { Effect, Probe } from '../engine/faults/index.ts';
import type { Model } from '../engine/model.ts';
import type { Run } from '../engine/run.ts';
import { UsageError } from '../errors.ts';
import type { Watch } from '../platform.ts';
import type { Tensor } from '../trace/tensor.ts';
import type { TraceRow } from '../trace/trace.ts';
import { measure, type Pair } from './measure.ts';

export type ProbeName = 'one token' | 'BOS + token' | 'prefill of 8' | 'prefill of 7 + decode' | 'long prompt';

interface ProbeRun {
  readonly name: ProbeName;
  /** What a fault's page calls it; null where pages do not speak of it. */
  readonly onPage: Probe | null;
  /** Token ids of each pass. */
  passes(tokens: readonly number[], bos: number): readonly (readonly number[])[];
}

/** Tokens of the probes that pages speak of. */
const SHORT = 8;

/** From the cheapest on. */
export const probeRuns: readonly ProbeRun[] = [
  { name: 'one token', onPage: 'oneToken', passes: (tokens) => [tokens.slice(0, 1)] },
  { name: 'BOS + token', onPage: null, passes: (tokens, bos) => [[bos, ...tokens.slice(0, 1)]] },
  { name: 'prefill of 8', onPage: 'prefill', passes: (tokens) => [tokens.slice(0, SHORT)] },
  {
    name: 'prefill of 7 + decode',
    onPage: 'decode',
    passes: (tokens) => [tokens.slice(0, SHORT - 1), tokens.slice(SHORT - 1, SHORT)],
  },
  { name: 'long prompt', onPage: null, passes: (tokens) => [tokens] },
];

export function probeNamed(name: string): ProbeRun {
  const found = probeRuns.find((known) => known.name === name);
  if (found) return found;
  throw new UsageError(
    `Cannot run probe ${JSON.stringify(name)}: there is none of that name; wanted some of ` +
      probeRuns.map((known) => JSON.stringify(known.name)).join(', '),
  );
}

/** Tokens of a long prompt where none are given. */
const LONG = 64;

/** At most `n` ids spread over the vocabulary by the golden ratio, so that none comes twice soon; none of them BOS. */
export function probeTokens({ config: { nVocab, nCtx }, tokenizer: { bos } }: Model, n = LONG): number[] {
  return Array.from({ length: Math.min(n, nCtx) }, (_, i) => {
    const id = Math.floor((((i + 1) * 0.6180339887) % 1) * nVocab);
    return id === bos ? (id + 1) % nVocab : id;
  });
}

/** A finished run over these passes, with all values kept; close it. */
export async function runOf(model: Model, passes: readonly (readonly number[])[], watch: Watch): Promise<Run> {
  const [prompt = [], ...rest] = passes;
  const run = model.start(prompt, { budget: Number.POSITIVE_INFINITY });
  try {
    await run.toEnd(watch);
    for (const tokens of rest) await (await run.append(tokens)).toEnd(watch);
    return run;
  } catch (error) {
    run.close();
    throw error;
  }
}

export interface Shows {
  /** The first tensor of the healthy run's last pass whose bits are others in the faulty one; null where none is. */
  readonly first: TraceRow | null;
  readonly effect: Effect;
}

/** Logits that are as near as one plan is to another are rounding (DESIGN, "What agreement means"). */
const ROUNDING = 1e-5;

/** What a faulty run shows beside a healthy one of the same passes. */
export async function showsOf(faulty: Run, healthy: Run): Promise<Shows> {
  const theirs = new Map(lastPassOf(faulty).map((row) => [row.name, row]));
  const first =
    lastPassOf(healthy).find(({ name, statistics }) => theirs.get(name)?.statistics.hash64 !== statistics.hash64) ??
    null;
  const [ours, reference] = [await lastLogits(faulty), await lastLogits(healthy)];
  const logits = {
    ours: ours.data,
    reference: reference.data,
    shape: ours.shape,
    dims: ours.dims,
    pos0: 0,
    offsets: null,
  };
  const { bitsDiffer, nonFinite, relativeRmsError } = measure(logits).measure;
  if (bitsDiffer === 0) return { first, effect: first ? 'tensor only' : 'no effect' };
  return { first, effect: nonFinite === 0 && relativeRmsError <= ROUNDING ? 'rounding' : 'seen' };
}

/** A tensor of both runs' last passes. */
export async function pairAt({ name, shape, dims, pos0 }: TraceRow, faulty: Run, healthy: Run): Promise<Pair> {
  const [ours, reference] = [await faulty.tensor(name), await healthy.tensor(name)];
  return { ours: ours.data, reference: reference.data, shape, dims, pos0, offsets: null };
}

/** Rows of the last pass, in the order of computation. */
export function lastPassOf(run: Run): readonly TraceRow[] {
  const last = run.pass?.index;
  return run.trace.entries.filter(({ pass }) => pass === last);
}

/** Logits of the last token, `[1, vocab]`. */
export async function lastLogits(run: Run): Promise<Tensor> {
  const output = await run.tensor('result_output');
  const [nTokens = 1] = output.shape;
  return output.slice([nTokens - 1, nTokens]);
}
