/**
 * The precision ladder: one text through one model in f64, and again with less and less precise arithmetic. It shows how far
 * rounding alone drifts, layer by layer, and where it changes the likeliest next token: the yardstick beside which a
 * stranger's difference is small or large.
 */
import type { Model } from '../engine/model.ts';
import { f16Accumulation } from '../engine/transforms/f16_accumulation.ts';
import { f16Storage } from '../engine/transforms/f16_storage.ts';
import { ggmlArithmetic } from '../engine/transforms/ggml_arithmetic.ts';
import type { TokenizeOptions, Transform } from '../engine/transforms/transform.ts';
import { watchedBy } from '../engine/watched.ts';
import { DeviceError, InterruptedError, UsageError } from '../errors.ts';
import type { Watch } from '../platform.ts';
import { joinedAlong } from '../trace/joined_along.ts';
import { Tensor } from '../trace/tensor.ts';
import { compareLogits } from './logits.ts';
import { measure } from './measure.ts';

/**
 * f32: the kernels as they are, on `webgpu`. The others are the same but for one thing. f16 storage: every tensor is
 * rounded to f16. f16 accumulation: products with weights are summed up in f16. ggml's rounding: activations are rounded
 * to what ggml's CPU multiplies by, such as Q8_0, and RoPE's angles multiplied up in f32.
 */
export type RungName = 'f32' | 'f16 storage' | 'f16 accumulation' | "ggml's rounding";

const TRANSFORMS: Readonly<Record<RungName, () => readonly Transform[]>> = {
  f32: () => [],
  'f16 storage': () => [f16Storage()],
  'f16 accumulation': () => [f16Accumulation()],
  "ggml's rounding": () => [ggmlArithmetic()],
};

/** In the order of the ladder. */
const RUNG_NAMES = Object.keys(TRANSFORMS) as readonly RungName[];

export interface LadderOptions extends Watch, TokenizeOptions {
  /** Which rungs beside f64; all by default. */
  readonly rungs?: readonly RungName[];
}

/** One tensor of a rung against f64's. */
export interface Drift {
  /** `l_out-<layer>`, `result_norm` or `result_output`. */
  readonly name: string;
  readonly layer: number | null;
  /** ‖rung − f64‖ / ‖f64‖ over all tokens; Infinity where the rung has a number that is not finite. */
  readonly relativeRmsError: number;
}

export interface Token {
  readonly id: number;
  readonly piece: string;
}

/** A position after which a rung has another likeliest token than f64. */
export interface Flip {
  readonly position: number;
  readonly f64: Token;
  /** Null where not one of its logits is a number. */
  readonly rung: Token | null;
  /** How much larger f64 has its own choice's logit than the rung's choice's; 0 where they are equal. Null without a choice. */
  readonly margin: number | null;
}

export interface Rung {
  readonly name: RungName;
  /** Where it ran: `webgpu`, or `reference` in f64 but for its rounding. */
  readonly backend: 'webgpu' | 'reference';
  /** In the order of computation: each layer's output, the final norm, the logits. */
  readonly drift: readonly Drift[];
  /** Kullback-Leibler divergence of the next token's distribution from f64's, in nats, by position; Infinity where logits are not finite. */
  readonly kl: readonly number[];
  readonly flips: readonly Flip[];
}

export interface LadderParts {
  /** The model's file. */
  readonly model: string;
  /** Types of its weights, `F32 Q4_K Q6_K`. */
  readonly quantisation: string;
  readonly tokens: readonly number[];
  readonly pieces: readonly string[];
  readonly rungs: readonly Rung[];
  /** Rungs that were asked for and could not be run, with the reason. */
  readonly skipped: readonly { readonly name: RungName; readonly why: string }[];
}

/** What `precisionLadder` gives. Plain data but for how it prints; `JSON.stringify` gives all of it. */
export class PrecisionLadder implements LadderParts {
  readonly model: string;
  readonly quantisation: string;
  readonly tokens: readonly number[];
  readonly pieces: readonly string[];
  readonly rungs: readonly Rung[];
  readonly skipped: LadderParts['skipped'];

  constructor(parts: LadderParts) {
    this.model = parts.model;
    this.quantisation = parts.quantisation;
    this.tokens = parts.tokens;
    this.pieces = parts.pieces;
    this.rungs = parts.rungs;
    this.skipped = parts.skipped;
  }

  /** `Precision of lily.gguf over 10 tokens: f32 1.2e-7; f16 storage 3.1e-4, 1 flip` */
  toString(): string {
    const rungs = this.rungs.map(({ name, drift, flips }) => {
      const error = drift.at(-1)?.relativeRmsError.toExponential(1);
      return `${name} ${error}${flips.length > 0 ? `, ${flips.length} ${flips.length === 1 ? 'flip' : 'flips'}` : ''}`;
    });
    const skipped = this.skipped.map(({ name }) => `${name} skipped`);
    const { model, tokens } = this;
    return `Precision of ${model} over ${tokens.length} tokens, logits against f64: ${[...rungs, ...skipped].join('; ')}`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

const LOGITS = 'result_output';
const KEPT = ['l_out-*', 'result_norm', LOGITS];

/**
 * Runs the tokens in f64 (`reference`) and once for each rung, on `webgpu` where there is an adapter. Without one the f32
 * rung is skipped and the others run in f64 but for their rounding. Values are compared as f32, so an error below 6e-8 says no
 * more than that. The model's own transforms stay under those of the rungs. Memory holds the layers'
 * outputs and the logits of two runs at a time.
 *
 * Throws UsageError for an unknown rung or tokens that no run can begin with, InterruptedError where it is stopped.
 */
export async function precisionLadder(
  model: Model,
  input: string | readonly number[],
  { rungs: names = RUNG_NAMES, signal, onProgress, ...how }: LadderOptions = {},
): Promise<PrecisionLadder> {
  const unknown = names.find((name) => !RUNG_NAMES.includes(name));
  if (unknown !== undefined || names.length === 0) {
    throw new UsageError(
      `Cannot climb to rung ${JSON.stringify(unknown ?? '')}: there is none of that name; wanted some of ${RUNG_NAMES.join(', ')}`,
    );
  }
  const tokens = typeof input === 'string' ? model.tokenize(input, how) : [...input];
  const tokenOf = (id: number): Token => ({ id, piece: model.tokenizer.piece(id) });
  const pieces = tokens.map((id) => tokenOf(id).piece);
  const watch = { signal, onProgress: watchedBy(model.platform, { onProgress }).onProgress };

  const exact = await model.on('reference');
  const device = await onDevice(model);
  try {
    const wanted = await outputsOf(exact, tokens, 'f64', watch);
    const rungs: Rung[] = [];
    const skipped: { name: RungName; why: string }[] = [];
    for (const name of RUNG_NAMES.filter((rung) => names.includes(rung))) {
      if (name === 'f32' && device instanceof DeviceError) {
        skipped.push({ name, why: device.message });
        continue;
      }
      const where = device instanceof DeviceError ? exact : device;
      const found = await outputsOf(where.with(...TRANSFORMS[name]()), tokens, name, watch);
      rungs.push({
        name,
        backend: where.backend.name,
        drift: [...wanted].map(([tensor, values]) => driftOf(tensor, valuesOf(found, tensor), values)),
        ...nextTokens(valuesOf(found, LOGITS), valuesOf(wanted, LOGITS), tokens.length, tokenOf),
      });
    }
    const quantisation = String(model.manifest(tokens).quantisation);
    return new PrecisionLadder({ model: model.name, quantisation, tokens, pieces, rungs, skipped });
  } finally {
    for (const made of [exact, device]) {
      if (!(made instanceof DeviceError) && made !== model) await made.backend.close();
    }
  }
}

function valuesOf(outputs: ReadonlyMap<string, Float32Array>, name: string): Float32Array {
  return outputs.get(name) ?? new Float32Array();
}

/** The model on a device, or why there is none. */
async function onDevice(model: Model): Promise<Model | DeviceError> {
  try {
    return await model.on('webgpu');
  } catch (error) {
    if (error instanceof DeviceError) return error;
    throw error;
  }
}

/** Each kept tensor of all tokens, `[token, …]`, in the order of computation. */
async function outputsOf(
  model: Model,
  tokens: readonly number[],
  rung: string,
  { signal, onProgress }: Watch,
): Promise<Map<string, Float32Array>> {
  const run = model.start(tokens, { select: KEPT, statistics: false, budget: Number.POSITIVE_INFINITY });
  try {
    await run.toEnd({
      signal,
      onProgress: onProgress && ((progress) => onProgress({ ...progress, task: `${rung}: ${progress.task}` })),
    });
    const outputs = new Map<string, Float32Array>();
    for (const name of new Set(run.trace.select(KEPT).map((row) => row.name))) {
      const passes = await run.trace.tensor(name, { pass: 'all' });
      outputs.set(name, joinedAlong(passes, 0).data);
    }
    return outputs;
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    throw new InterruptedError(`Cannot finish the precision ladder: interrupted in ${rung}; call it again`, {
      cause: error,
    });
  } finally {
    run.close();
  }
}

function driftOf(name: string, ours: Float32Array, reference: Float32Array): Drift {
  const axes = { shape: [reference.length], dims: ['element'], pos0: 0, offsets: null };
  const { relativeRmsError, nonFinite } = measure({ ours, reference, ...axes }).measure;
  const layer = /-(\d+)$/.exec(name)?.[1];
  return {
    name,
    layer: layer === undefined ? null : Number(layer),
    relativeRmsError: nonFinite > 0 ? Number.POSITIVE_INFINITY : relativeRmsError,
  };
}

/** Distributions of the next token, position by position. */
function nextTokens(
  found: Float32Array,
  wanted: Float32Array,
  nTokens: number,
  tokenOf: (id: number) => Token,
): Pick<Rung, 'kl' | 'flips'> {
  const shape = [nTokens, wanted.length / nTokens];
  const logits = (data: Float32Array) => new Tensor({ name: LOGITS, shape, data, dims: ['token', 'vocab'] });
  const [ours, reference] = [logits(found), logits(wanted)];
  const rows = compareLogits(ours, reference, { pos0: 0, k: 1 });
  const flips = rows.flatMap(({ token: position, ours: choice, reference: best }): Flip[] => {
    const hasChoice = !Number.isNaN(ours.at(position, choice));
    if (choice === best && hasChoice) return [];
    const margin = hasChoice ? reference.at(position, best) - reference.at(position, choice) : null;
    return [{ position, f64: tokenOf(best), rung: hasChoice ? tokenOf(choice) : null, margin }];
  });
  return { kl: rows.map(({ kl }) => (Number.isNaN(kl) ? Number.POSITIVE_INFINITY : kl)), flips };
}
