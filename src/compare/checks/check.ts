/**
 * Checks that need no reference: things that hold of any Llama that computes what it should, whatever its weights are. This
 * file is their vocabulary. A check is one file and one entry of the table in index.ts; it is plain data but for the function
 * that looks.
 *
 * A check of one trace looks at the tensors of a pass and asks whether they fit each other. A check of two runs compares a
 * run with another of the same engine that must give the same numbers, or the same rows: for a model the second is made, of
 * a dump it has to be given.
 */
import type { Transform } from '../../engine/transforms/transform.ts';
import type { LlamaConfig } from '../../llama/config.ts';
import type { Trace } from '../../trace/trace.ts';
import type { Place, Tolerance } from '../comparison.ts';
import type { Findings } from './findings.ts';
import type { Subject } from './subject.ts';

export interface CheckWords {
  /** `soft-max-rows`. */
  readonly name: string;
  /** What holds where it passes, as a claim. */
  readonly title: string;
  /** What it proves, and which faults it sees; a sentence or two. */
  readonly proves: string;
  /** What it cannot see. */
  readonly cannot: string;
}

export interface TraceCheck extends CheckWords {
  readonly kind: 'trace';
  readonly needs: {
    /** Tensors whose values it reads, `-i` standing for each layer. */
    readonly tensors: readonly string[];
    /** What of the model's file it reads; null where the trace alone will do. */
    readonly model: 'metadata' | 'weights' | null;
  };
  look(subject: Subject, findings: Findings): Promise<void>;
}

/** A run: the tokens, and how they are cut into passes, all in one unless told. */
export interface Experiment {
  readonly tokens: readonly number[];
  /** Tokens of each pass, in order. */
  readonly passes?: readonly number[];
  readonly transforms?: readonly Transform[];
}

export interface RunsCheck extends CheckWords {
  readonly kind: 'runs';
  readonly needs: {
    readonly tensors: readonly string[];
    /** What the second run is, as a sentence's end: "the same tokens in two passes or more". */
    readonly other: string;
  };
  /** The run to compare `tokens` in one pass with; a string says why there is none for these tokens or this model. */
  other(tokens: readonly number[], config: LlamaConfig): Experiment | string;
  /** Whether one dump is such a second run of another; absent where no dump can tell. */
  isOther?(base: Trace, other: Trace): boolean;
  look(base: Subject, other: Subject, findings: Findings): Promise<void>;
}

export type Check = TraceCheck | RunsCheck;

/** A number that is not what it should be, or the one nearest to it. */
export interface Sighting extends Place {
  readonly tensor: string;
  readonly layer: number | null;
  readonly pass: number;
  readonly found: number;
  readonly wanted: number;
  /** How `found` should stand to `wanted`. */
  readonly relation: 'equal' | 'at least';
  /** How far off it is, over what is allowed; Infinity where it is not a number. */
  readonly excess: number;
  /** What `found` is where it is no element: `sum of the row`. */
  readonly what: string | null;
}

/** Something that a check did not look at. */
export interface LeftOut {
  /** `Qcur_rope-i`, of layers 3, 4. */
  readonly tensor: string;
  readonly layers: readonly number[];
  /** The end of a sentence: "the dump does not hold it". */
  readonly why: string;
}

export interface CheckResult extends CheckWords {
  /** `could not`: nothing was looked at; `says` tells why, `dump` what would change that. */
  readonly outcome: 'passed' | 'failed' | 'could not';
  /** One sentence, with its numbers. */
  readonly says: string;
  /** Null where nothing was looked at. */
  readonly tolerance: Tolerance | null;
  /** Tensors looked at, and those of them that are beyond the tolerance. */
  readonly looked: number;
  readonly failing: number;
  /** In the first tensor that fails, in order of execution; where none does, the number nearest to failing. */
  readonly worst: Sighting | null;
  readonly leftOut: readonly LeftOut[];
  /** What to dump, or to give, for the check to look at what it could not; null where that is nothing, or would not help. */
  readonly dump: string | null;
}

/** What `checkModel` and `checkTrace` give: plain data. */
export interface CheckReport {
  /** What was checked: `lily.gguf on webgpu`, `dump.arrow`. */
  readonly subject: string;
  readonly outcome: 'passed' | 'failed' | 'could not';
  readonly tokens: readonly number[] | null;
  /** What was sampled, in a sentence; null where everything was looked at. */
  readonly sampled: string | null;
  /** In the order of the table. */
  readonly results: readonly CheckResult[];
}
