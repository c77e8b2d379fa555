/**
 * From logits to a token in visible stages. Each stage takes the candidates the one before left and says what it kept;
 * afterwards the drawn token's rank and probability are known before and after every stage.
 *
 * Order: repetition penalty (Keskar et al. 2019, arXiv:1909.05858), temperature, top-k (Fan et al. 2018), top-p (Holtzman
 * et al. 2019, arXiv:1904.09751), min-p (Nguyen et al. 2024, arXiv:2407.01082), draw. llama.cpp applies the temperature
 * last: set `order` to compare with it.
 */
import { UsageError } from '../errors.ts';

export const STAGES = ['penalty', 'temperature', 'topK', 'topP', 'minP'] as const;
export type StageName = (typeof STAGES)[number];

export interface SamplerOptions {
  /** Divides the logits; 0 is greedy: the largest logit wins and no seed matters. Default 0. */
  readonly temperature?: number;
  /** Keep the k largest; 0 keeps all. Default 0. */
  readonly topK?: number;
  /** Keep the fewest whose probabilities add up to p; 1 keeps all. Default 1. */
  readonly topP?: number;
  /** Keep those at least this fraction of the largest probability; 0 keeps all. Default 0. */
  readonly minP?: number;
  /** Divides positive and multiplies negative logits of recent tokens; 1 changes nothing. Default 1. */
  readonly repetitionPenalty?: number;
  /** How many of the last tokens count as recent. Default 64. */
  readonly penaltyLastN?: number;
  /** Seeds the draws. Default 0. */
  readonly seed?: number;
  readonly order?: readonly StageName[];
}

/** The candidates after a stage, largest logit first. */
export interface Candidates {
  readonly ids: Uint32Array;
  readonly logits: Float64Array;
}

export interface Stage {
  readonly name: 'logits' | StageName;
  /** Candidates left after it. */
  readonly kept: number;
  readonly removed: number;
  /** The drawn token after this stage: 1 is the most likely. */
  readonly rank: number;
  readonly probability: number;
}

export interface Drawn {
  readonly token: number;
  readonly stages: readonly Stage[];
}

export class Sampler {
  readonly options: Required<SamplerOptions>;
  readonly #random: () => number;

  /** `drawn` tokens were drawn with this seed before: their random numbers are not used again. */
  constructor(options: SamplerOptions = {}, drawn = 0) {
    this.options = checked({
      temperature: 0,
      topK: 0,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
      penaltyLastN: 64,
      seed: 0,
      order: STAGES,
      ...options,
    });
    this.#random = mulberry32(this.options.seed);
    for (let i = 0; i < drawn; i++) this.#random();
  }

  /** Draws the token that follows `history`, given its logits `[vocab]`. */
  draw(logits: Float32Array, history: readonly number[]): Drawn {
    const { temperature, order } = this.options;
    if (temperature === 0 && !order.some((stage) => this.#changes(stage))) return greedy(logits);
    const passed: { name: Stage['name']; candidates: Candidates }[] = [{ name: 'logits', candidates: ranked(logits) }];
    for (const name of this.options.order) {
      const before = passed.at(-1)!.candidates;
      const candidates = this.#apply(name, before, history);
      if (candidates !== before) passed.push({ name, candidates });
    }
    const last = passed.at(-1)!.candidates;
    const token = temperature === 0 ? last.ids[0]! : pick(last, this.#random());
    const stages = passed.map(({ name, candidates }, i): Stage => {
      const at = candidates.ids.indexOf(token);
      const kept = candidates.ids.length;
      const removed = (passed[i - 1]?.candidates.ids.length ?? kept) - kept;
      return { name, kept, removed, rank: at + 1, probability: probabilities(candidates)[at]! };
    });
    return { token, stages };
  }

  /** Whether the options let a stage do anything. */
  #changes(name: StageName): boolean {
    const { temperature, topK, topP, minP, repetitionPenalty, penaltyLastN } = this.options;
    switch (name) {
      case 'penalty':
        return repetitionPenalty !== 1 && penaltyLastN > 0;
      case 'temperature':
        return temperature !== 0 && temperature !== 1;
      case 'topK':
        return topK > 0;
      case 'topP':
        return topP < 1;
      case 'minP':
        return minP > 0;
      default:
        return name satisfies never;
    }
  }

  #apply(name: StageName, candidates: Candidates, history: readonly number[]): Candidates {
    if (!this.#changes(name)) return candidates;
    const { temperature, topK, topP, minP, repetitionPenalty, penaltyLastN } = this.options;
    switch (name) {
      case 'penalty':
        return penalised(candidates, new Set(history.slice(-penaltyLastN)), repetitionPenalty);
      case 'temperature':
        return { ids: candidates.ids, logits: candidates.logits.map((logit) => logit / temperature) };
      case 'topK':
        return topK >= candidates.ids.length ? candidates : first(candidates, topK);
      case 'topP':
        return first(candidates, nucleus(probabilities(candidates), topP));
      case 'minP': {
        const p = probabilities(candidates);
        const below = p.findIndex((probability) => probability < minP * p[0]!);
        return below < 0 ? candidates : first(candidates, below);
      }
      default:
        return name satisfies never;
    }
  }
}

function checked(options: Required<SamplerOptions>): Required<SamplerOptions> {
  const rules: [keyof SamplerOptions, (value: number) => boolean, string][] = [
    ['temperature', (value) => value >= 0, '0 (greedy) or more'],
    ['topK', (value) => Number.isInteger(value) && value >= 0, 'a whole number, 0 for all'],
    ['topP', (value) => value > 0 && value <= 1, 'above 0 and at most 1'],
    ['minP', (value) => value >= 0 && value <= 1, 'from 0 to 1'],
    ['repetitionPenalty', (value) => value > 0, 'above 0; 1 changes nothing'],
    ['penaltyLastN', (value) => Number.isInteger(value) && value >= 0, 'a whole number'],
    ['seed', Number.isInteger, 'a whole number'],
  ];
  for (const [name, fits, wanted] of rules) {
    const value = options[name];
    if (typeof value === 'number' && Number.isFinite(value) && fits(value)) continue;
    throw new UsageError(`Cannot sample with ${name} ${String(value)}: it must be ${wanted}`);
  }
  const { order } = options;
  const isList = Array.isArray(order) && order.every((stage) => STAGES.includes(stage));
  if (!isList || new Set(order).size < order.length) {
    throw new UsageError(
      `Cannot sample in the order ${String(order)}: it must be a list of ${STAGES.join(', ')}, each at most once`,
    );
  }
  return options;
}

/** The largest logit, of equal ones the lowest id, where every candidate stays: no order of the others is needed. */
function greedy(logits: Float32Array): Drawn {
  let token = 0;
  let max = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (logit > max) [token, max] = [id, logit];
  }
  let sum = 0;
  for (const logit of logits) if (!Number.isNaN(logit)) sum += Math.exp(logit - max);
  const stage = { name: 'logits', kept: logits.length, removed: 0, rank: 1, probability: 1 / sum } as const;
  return { token, stages: [stage] };
}

/**
 * Largest first; equal logits by the lower id. NaN can win nothing and goes last. A radix sort of the logits' bits, as it comes
 * before every token that is drawn by stages: 32,000 take 1.6 ms, by the host's own sort of numbers 10.
 */
export function ranked(logits: Float32Array): Candidates {
  const clean = logits.map((logit) => (Number.isNaN(logit) ? Number.NEGATIVE_INFINITY : logit));
  const keys = new Uint32Array(clean.buffer).map(descendingOrder);
  const ids = inOrder(keys);
  return { ids, logits: new Float64Array(ids.length).map((_, i) => clean[ids[i]!]!) };
}

const DIGIT_BITS = 11;
const DIGITS = 2 ** DIGIT_BITS;

/** Indices of the keys, smallest key first, equal keys by index: sorted by the lowest digit, then by the next, … */
function inOrder(keys: Uint32Array): Uint32Array {
  let order = keys.map((_, i) => i);
  let next = new Uint32Array(keys.length);
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    const digitOf = (i: number) => (keys[i]! >>> shift) % DIGITS;
    const places = new Uint32Array(DIGITS + 1);
    for (let i = 0; i < keys.length; i++) places[digitOf(i) + 1]! += 1;
    for (let digit = 1; digit < DIGITS; digit++) places[digit]! += places[digit - 1]!;
    for (let i = 0; i < order.length; i++) {
      const digit = digitOf(order[i]!);
      next[places[digit]!] = order[i]!;
      places[digit]! += 1;
    }
    [order, next] = [next, order];
  }
  return order;
}

/** Of the bits of an f32, a whole number that is smaller the larger the f32 is; both zeros have the same. */
function descendingOrder(bits: number): number {
  const isNegative = bits >= 0x80000000;
  return isNegative ? bits : 0x80000000 - bits;
}

function penalised({ ids, logits }: Candidates, recent: ReadonlySet<number>, penalty: number): Candidates {
  const changed = Array.from(ids, (id, i) => {
    const logit = logits[i]!;
    return { id, logit: recent.has(id) ? (logit > 0 ? logit / penalty : logit * penalty) : logit };
  }).sort((a, b) => b.logit - a.logit || a.id - b.id);
  return { ids: Uint32Array.from(changed, ({ id }) => id), logits: Float64Array.from(changed, ({ logit }) => logit) };
}

function first({ ids, logits }: Candidates, count: number): Candidates {
  return { ids: ids.subarray(0, count), logits: logits.subarray(0, count) };
}

/** How many of the largest are needed to reach p; at least one. */
function nucleus(probability: Float64Array, p: number): number {
  let sum = 0;
  const last = probability.findIndex((value) => {
    sum += value;
    return sum >= p;
  });
  return last < 0 ? probability.length : last + 1;
}

function probabilities({ logits }: Candidates): Float64Array {
  const max = logits[0] ?? 0;
  const exp = logits.map((logit) => Math.exp(logit - max));
  const sum = exp.reduce((total, value) => total + value, 0);
  return exp.map((value) => value / sum);
}

function pick(candidates: Candidates, uniform: number): number {
  const p = probabilities(candidates);
  return candidates.ids[Math.min(nucleus(p, uniform), p.length) - 1]!;
}

/** Uniform in [0, 1). Tommy Ettinger's mulberry32, public domain. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
