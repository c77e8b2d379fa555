/**
 * A comparison: two traces of one experiment laid side by side, tensor by tensor in the order of execution, with the place
 * where they part and what can be said of it. This file is its vocabulary; each part is made in the file that its comment
 * names.
 *
 * `ours` is the side in doubt, be it our run or a stranger's dump; `reference` is what it is held against.
 */
import type { Model } from '../engine/model.ts';
import type { Params } from '../ops/op.ts';
import type { Manifest, Trace, TraceRow } from '../trace/trace.ts';

/**
 * agree: every tensor is within its tolerance, and so is every op.
 * noise: end to end something is beyond its tolerance, and each op on identical inputs is within: rounding that grew. Or a
 *   record whose ops are all off alike, by one even noise, and none stands out.
 * precision: an op parts, and rounding that is known by name (f16 or Q8_0 activations, ggml's RoPE) reproduces it.
 * other layout: the same numbers lie in another order.
 * bug: an op parts and no rounding explains it.
 * refused: not the same experiment; nothing was compared.
 */
export type Verdict = 'agree' | 'noise' | 'precision' | 'other layout' | 'bug' | 'refused';

/** What two experiments can differ in; each is a word that `allow` takes. */
export type DifferenceKind =
  | 'tokens'
  | 'bos'
  | 'template'
  | 'weights'
  | 'quantisation'
  | 'positions'
  | 'rows'
  | 'transforms';

/** One way in which the two sides are not the same experiment. Made in `alignment.ts`. */
export interface Difference {
  readonly kind: DifferenceKind;
  /** What each side has, short enough for a table. */
  readonly ours: string;
  readonly reference: string;
  /** One sentence: what it means for the comparison, and the cure. */
  readonly says: string;
}

/** An element of a tensor, by its coordinates, and what it belongs to; null where the tensor has no such axis. */
export interface Place {
  /** One number per axis, outermost first. */
  readonly index: readonly number[];
  /** Position in the text, not in the pass. */
  readonly token: number | null;
  readonly head: number | null;
}

/** How far two arrays of numbers are apart. Made in `measure.ts`; see there for each formula. */
export interface Measure {
  /** Elements that were compared: all, but for masked cells and what a log did not print. */
  readonly n: number;
  /** ‖ours − reference‖ / ‖reference‖; Infinity where only the reference is zero, 0 where both are. */
  readonly relativeRmsError: number;
  /** Its square, as llama.cpp's own tests have it. */
  readonly nmse: number;
  /** NaN where one side is zero. */
  readonly cosine: number;
  readonly maxAbsError: number;
  /** Where that is; null where nothing was compared. */
  readonly maxAt: Place | null;
  /** The largest distance in representable f32 numbers. */
  readonly maxUlps: number;
  /** RMS of ours / RMS of the reference. */
  readonly rmsRatio: number;
  readonly sum: {
    readonly ours: number;
    readonly reference: number;
    /** What rounding alone can move a sum by; a difference below says nothing. */
    readonly noise: number;
  };
  /** Elements that are NaN or infinite on one side and not the same on the other. */
  readonly nonFinite: number;
  /** Elements whose bits differ; -0 and 0 do. */
  readonly bitsDiffer: number;
}

/** How far apart a tensor may be, and why. Made in `tolerances.ts`. */
export interface Tolerance {
  /** Relative RMS error. */
  readonly limit: number;
  /** Where that number comes from, for a reader who doubts it. */
  readonly source: string;
}

/** The element that is furthest beyond its bound. Made in `judge.ts`. */
export interface Worst extends Place {
  readonly ours: number;
  readonly reference: number;
  /** |ours − reference| over the bound; above 1 is beyond. Infinity where one is not finite. */
  readonly excess: number;
}

/**
 * One op on identical inputs: whether the error of its output was made there or came in. The op is run on the inputs of one
 * side and held against the output of that same side. Made in `isolation.ts`.
 */
export interface Isolation {
  /** Whose inputs were fed to whose op, as a sentence's middle: "llama.cpp's inputs to our rms_norm". */
  readonly how: string;
  /** Names of the tensors that were fed. */
  readonly inputs: readonly string[];
  /** Relative RMS error of our op on the reference's inputs against the reference's output; null where they are not at hand. */
  readonly onReference: number | null;
  /** The same on the inputs of ours, against the output of ours. */
  readonly onOurs: number | null;
  /** What the op may be off by; of the outcome `noise`, what the noise of the record makes of it. */
  readonly tolerance: Tolerance;
  /** The op in f64 on the same inputs against our op and against the recorded output: which of the two is further off. */
  readonly toF64: { readonly op: number; readonly recorded: number } | null;
  /** The rounding, or the layout, that reproduces the output, if one does. */
  readonly explained: Explanation | null;
  readonly outcome: 'inherited' | 'precision' | 'noise' | 'other layout' | 'made';
  /** Whose record the op does not reproduce; null where it reproduces both. */
  readonly madeBy: 'ours' | 'reference' | null;
}

export interface Explanation {
  /** `activations rounded to Q8_0`, `f16 storage`, `ggml's RoPE recurrence`, `heads reversed`. */
  readonly name: string;
  /** Relative RMS error that is left with it. */
  readonly left: number;
}

/** A pair of tensors. */
export interface TensorComparison {
  readonly name: string;
  readonly op: string;
  readonly layer: number | null;
  readonly pass: number;
  readonly shape: readonly number[];
  readonly dims: readonly string[];
  /** Null where one side has statistics only; then `statistics` are all that was compared. */
  readonly measure: Measure | null;
  readonly statistics: { readonly ours: TraceRow['statistics']; readonly reference: TraceRow['statistics'] };
  /** Share of the elements that both sides have, 0 to 1. */
  readonly coverage: number;
  /** Null where no rule speaks of it: such a tensor is never within. */
  readonly tolerance: Tolerance | null;
  readonly status: 'equal' | 'within' | 'beyond' | 'no rule';
  readonly worst: Worst | null;
  /** By position of each token, and by head, where the tensor has such an axis: relative RMS error. */
  readonly byToken: readonly number[] | null;
  readonly byHead: readonly number[] | null;
  readonly isolation: Isolation | null;
  /** Null where no run in f64 was made, or it could not be held against both. */
  readonly toF64: ToF64 | null;
}

/** Relative RMS error of each side against our run in f64. Made in `f64.ts`. */
export interface ToF64 {
  readonly ours: number;
  readonly reference: number;
}

export interface NotCompared {
  readonly name: string;
  readonly pass: number;
  /** Why, as the end of a sentence: "only ours has it". */
  readonly why: string;
}

/** Where the two part. */
export interface Divergence extends Place {
  readonly name: string;
  readonly op: string;
  readonly layer: number | null;
  readonly pass: number;
  readonly ours: number;
  readonly reference: number;
  /** Null in exact mode, and where the op could not be run on identical inputs: then the error may have come in. */
  readonly isolation: Isolation | null;
  /** A cell that shows it again. */
  readonly reproduction: string;
}

/** A fault with the parameters that it was tried with, as `fault(name, params)` takes them. */
export interface Suspect {
  readonly fault: string;
  readonly params: Params;
}

/** The fault that made the first divergence. Made in `cause.ts`, from sums alone in `sum_suspicion.ts`. */
export interface Cause extends Suspect {
  /** A second fault of the same op, where it takes two to reproduce the record. */
  readonly also: Suspect | null;
  /** The tensor whose record it reproduces. */
  readonly at: { readonly name: string; readonly pass: number };
  /** One or two sentences: what is wrong, how near the fault comes to the record, how far everything else stays. */
  readonly sentence: string;
  /** Relative RMS error that is left with the fault; of sums, the median over the column. */
  readonly reproducedTo: number;
  /** The same of what comes nearest among all that was tried and is no tie; `healthy` is our op without a fault. */
  readonly nextBest: { readonly what: string; readonly error: number } | null;
  /** Faults that reproduce the record as well: on these inputs they cannot be told apart. */
  readonly ties: readonly Suspect[];
  /**
   * named: it alone reproduces the record, and all else misses by ten times or more. tied: so do the ties. suspected: the
   * evidence is weaker than that, for the reason in the sentence.
   */
  readonly certainty: 'named' | 'tied' | 'suspected';
}

/** The next-token distributions of one position. Made in `logits.ts`. */
export interface LogitsComparison {
  readonly token: number;
  /** Kullback-Leibler divergence of ours from the reference's distribution, in nats. */
  readonly kl: number;
  /** How many of the reference's k likeliest are among ours. */
  readonly overlap: number;
  readonly k: number;
  /** The likeliest token of each side. */
  readonly ours: number;
  readonly reference: number;
  /** Place of the reference's choice among ours; 0 is the first. */
  readonly rank: number;
}

/** A number and what it proves, in a sentence. Made in `verdict.ts`. */
export interface Claim {
  readonly number: string;
  readonly supports: string;
}

/** A suspect that this prompt could not have revealed. Made in `blind_spots.ts`. */
export interface BlindSpot {
  /** `RoPE`, `causal mask`, `attention scale`, `KV cache`. */
  readonly suspect: string;
  /** Why it could not show here. */
  readonly why: string;
  /** The shortest prompt that would show it, as words: "two tokens". */
  readonly shortest: string;
}

export interface Side {
  /** What reports call it: `llama.cpp`, `lily.gguf on webgpu`, `dump/`. */
  readonly label: string;
  readonly manifest: Manifest;
}

export interface ComparisonParts {
  readonly verdict: Verdict;
  /** One sentence: the verdict in words. */
  readonly summary: string;
  readonly mode: 'tolerance' | 'exact';
  readonly ours: Side;
  readonly reference: Side;
  /** Differences that forbid the comparison, and those that the caller allowed. */
  readonly refused: readonly Difference[];
  readonly allowed: readonly Difference[];
  /** What could not be checked because a side does not tell it, a sentence each. */
  readonly unknowns: readonly string[];
  /** In order of execution. */
  readonly tensors: readonly TensorComparison[];
  readonly firstDivergence: Divergence | null;
  /** The fault that reproduces what the first divergence recorded; null where none was found or nothing parts. */
  readonly cause: Cause | null;
  readonly logits: readonly LogitsComparison[] | null;
  readonly claims: readonly Claim[];
  readonly blindSpots: readonly BlindSpot[];
  readonly notCompared: readonly NotCompared[];
}

/** A trace, or a run: that has one, and the model whose ops can be run again. */
export type Comparable = Trace | { readonly trace: Trace; readonly model: Model };

/** What was compared, for charts that need its values, and whose ops were run again. */
export interface Compared {
  readonly ours: Comparable;
  readonly reference: Comparable;
  readonly model?: Model;
}

/** What `compare` gives. Plain data but for how it prints; `JSON.stringify` gives all of it. */
export class Comparison implements ComparisonParts {
  readonly verdict: Verdict;
  readonly summary: string;
  readonly mode: 'tolerance' | 'exact';
  readonly ours: Side;
  readonly reference: Side;
  readonly refused: readonly Difference[];
  readonly allowed: readonly Difference[];
  readonly unknowns: readonly string[];
  readonly tensors: readonly TensorComparison[];
  readonly firstDivergence: Divergence | null;
  readonly cause: Cause | null;
  readonly logits: readonly LogitsComparison[] | null;
  readonly claims: readonly Claim[];
  readonly blindSpots: readonly BlindSpot[];
  readonly notCompared: readonly NotCompared[];

  readonly #compared: Compared | null;

  constructor(parts: ComparisonParts, compared: Compared | null = null) {
    this.#compared = compared;
    this.verdict = parts.verdict;
    this.summary = parts.summary;
    this.mode = parts.mode;
    this.ours = parts.ours;
    this.reference = parts.reference;
    this.refused = parts.refused;
    this.allowed = parts.allowed;
    this.unknowns = parts.unknowns;
    this.tensors = parts.tensors;
    this.firstDivergence = parts.firstDivergence;
    this.cause = parts.cause;
    this.logits = parts.logits;
    this.claims = parts.claims;
    this.blindSpots = parts.blindSpots;
    this.notCompared = parts.notCompared;
  }

  /** The two sides themselves; null where nobody kept them, and no part of the data. */
  get compared(): Compared | null {
    return this.#compared;
  }

  /** `bug: kq-3 head 2 …` */
  toString(): string {
    return `${this.verdict}: ${this.summary}`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}
