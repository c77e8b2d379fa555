/** The runs that a fault's page speaks of, and what a faulty one shows beside a healthy one. */
import type { Effect, Probe } from '../../../src/engine/faults/index.ts';
import type { Model } from '../../../src/engine/model.ts';
import { relativeRmsError } from '../models.ts';

export const probes: readonly Probe[] = ['oneToken', 'prefill', 'decode'];

/** Eight ids that every model of the tests has, none of them BOS, the first one once. */
const TOKENS = [40, 77, 105, 9, 200, 31, 77, 150];

/** What the last pass of a run left: bits of every tensor by name, in order, and the last token's logits. */
export interface Seen {
  readonly hashes: ReadonlyMap<string, string>;
  readonly logits: Float32Array;
}

export async function seenBy(model: Model, probe: Probe): Promise<Seen> {
  const [prompt, rest] = { oneToken: [1, 1], prefill: [8, 8], decode: [7, 8] }[probe] as [number, number];
  const run = await model.start(TOKENS.slice(0, prompt)).toEnd();
  if (rest > prompt) await (await run.append(TOKENS.slice(prompt, rest))).toEnd();
  const last = run.pass!.index;
  const rows = run.trace.entries.filter(({ pass }) => pass === last);
  const output = await run.tensor('result_output');
  run.close();
  return {
    hashes: new Map(rows.map(({ name, statistics }) => [name, statistics.hash64])),
    logits: output.slice(output.shape[0]! - 1).data,
  };
}

export interface Difference {
  /** The first tensor of a healthy run that is other in the faulty one; null where none is. */
  readonly first: string | null;
  readonly effect: Effect;
}

/** What differs. Logits that are as near as one plan is to another (1e-5, DESIGN.md) are called rounding where `mayRound`. */
export function difference(healthy: Seen, faulty: Seen, mayRound: boolean): Difference {
  const first = [...healthy.hashes].find(([name, hash]) => faulty.hashes.get(name) !== hash)?.[0] ?? null;
  const isSame = healthy.logits.every((logit, i) => Object.is(logit, faulty.logits[i]));
  if (mayRound && relativeRmsError(faulty.logits, healthy.logits) <= 1e-5) return { first, effect: 'rounding' };
  if (!isSame) return { first, effect: 'seen' };
  return { first, effect: first === null ? 'no effect' : 'tensor only' };
}
