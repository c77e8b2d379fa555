/**
 * The detection matrix: every fault put into a model, run through every probe, and what each kind of evidence would have said
 * of it. It shows which prompts cannot reveal a fault at all, and how often a sum or an RMS alone would have passed what
 * the relative RMS error catches.
 *
 * Both sides run on one backend in one plan, so whatever differs was done by the fault.
 */
import { type Effect, type Fault, fault, faultNamed, faults } from '../engine/faults/index.ts';
import { Model } from '../engine/model.ts';
import type { Run } from '../engine/run.ts';
import { mustGoOn, watchedBy } from '../engine/watched.ts';
import { InterruptedError, UsageError } from '../errors.ts';
import type { Watch } from '../platform.ts';
import type { TraceRow } from '../trace/trace.ts';
import type { Measure } from './comparison.ts';
import { compareLogits } from './logits.ts';
import { measure } from './measure.ts';
import {
  lastLogits,
  lastPassOf,
  type ProbeName,
  pairAt,
  probeNamed,
  probeRuns,
  probeTokens,
  runOf,
  showsOf,
} from './probes.ts';
import { toleranceFor } from './tolerances.ts';

export type EvidenceName =
  | 'sum'
  | 'sum in f16'
  | 'RMS'
  | 'cosine'
  | 'relative RMS error'
  | 'last-layer RMS'
  | 'logits KL'
  | 'argmax';

export interface EvidenceKind {
  readonly name: EvidenceName;
  /** What its number is. */
  readonly what: string;
  /** When it is noticed, and why then. */
  readonly noticed: string;
}

/** An RMS that moved by less is taken for rounding: ggml's 8-bit activations alone move one product by 0.2–0.9 % (DESIGN). */
const RMS_MOVED = 0.01;
/** An error of 1 % at right angles to a tensor turns it by so much: 1 − 1/√(1 + 0.01²). */
const COSINE_TURNED = 5e-5;
/** In nats; twice what rounding as ggml's CPU does to the shipped model in Q4_0: measured 5.3e-3, on these probes. */
const KL_MOVED = 1e-2;
/** Relative RMS error that nobody would call rounding. */
const LARGE = 0.1;

/** In the order of a table: at the first tensor that differs, then at the end. */
export const evidenceKinds: readonly EvidenceKind[] = [
  {
    name: 'sum',
    what: 'how far the sum of the first tensor that differs moved, over what f32 rounding can move it by',
    noticed: 'above 1: beyond the noise of a sum of f32 numbers, with all its digits kept',
  },
  {
    name: 'sum in f16',
    what: 'the same, over what rounding the tensor to f16 can move the sum by',
    noticed: 'above 1: beyond the noise where one of the two engines stores f16',
  },
  {
    name: 'RMS',
    what: 'how far the RMS of that tensor moved, as a share',
    noticed: 'above 0.01: 8-bit activations alone move a product by up to 0.9 %',
  },
  {
    name: 'cosine',
    what: '1 − cosine of that tensor and the healthy one',
    noticed: 'above 5e-5: what an error of 1 % at right angles does',
  },
  {
    name: 'relative RMS error',
    what: '‖faulty − healthy‖ / ‖healthy‖ of that tensor',
    noticed: 'beyond the tolerance that compare has for it: 1e-5, or 3e-5 behind softmax',
  },
  {
    name: 'last-layer RMS',
    what: 'how far the RMS of the last layer’s output moved, as a share',
    noticed: 'above 0.01, as any RMS',
  },
  {
    name: 'logits KL',
    what: 'Kullback-Leibler divergence of the last token’s distribution, in nats',
    noticed: 'above 0.01: twice what ggml’s 8-bit activations did to the shipped model',
  },
  {
    name: 'argmax',
    what: 'the place of the healthy run’s likeliest token among the faulty one’s; 0 is the first',
    noticed: 'above 0: another token is the likeliest',
  },
];

export interface Finding {
  /** Null where there is no tensor that differs, or where the number is not finite. */
  readonly value: number | null;
  readonly noticed: boolean;
}

/** One fault in one probe. */
export interface DetectionCell {
  readonly probe: ProbeName;
  readonly effect: Effect;
  /** The first tensor whose bits differ; null where no bit does. */
  readonly firstTensor: string | null;
  readonly evidence: Readonly<Record<EvidenceName, Finding>>;
}

export interface DetectionRow {
  readonly fault: string;
  readonly title: string;
  /** The file of the model that it was put into. */
  readonly model: string;
  readonly cells: readonly DetectionCell[];
}

/** How often one kind of evidence alone would have missed what some evidence notices. */
export interface Missed {
  readonly evidence: EvidenceName;
  readonly missed: number;
  /** Of those, where the first tensor is off by 10 % or more. */
  readonly missedLarge: number;
}

export interface DetectionParts {
  readonly model: string;
  readonly probes: readonly ProbeName[];
  /** The long prompt's; the other probes are its beginning. */
  readonly tokens: readonly number[];
  readonly rows: readonly DetectionRow[];
  /** Faults and probes that the model cannot have, with the reason. */
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
}

/** What `detectionMatrix` gives. Plain data but for how it prints; `JSON.stringify` gives all of it. */
export class DetectionMatrix implements DetectionParts {
  readonly model: string;
  readonly probes: readonly ProbeName[];
  readonly tokens: readonly number[];
  readonly rows: readonly DetectionRow[];
  readonly leftOut: DetectionParts['leftOut'];
  /** Cells in which some evidence notices the fault. */
  readonly noticed: number;
  /** Cells in which bits differ, and no evidence notices it. */
  readonly hidden: number;
  /** Cells in which no bit differs: such a probe cannot reveal such a fault. */
  readonly blind: number;
  /** Of `noticed`, what each kind of evidence alone would have missed. */
  readonly missed: readonly Missed[];

  constructor({ model, probes, tokens, rows, leftOut }: DetectionParts) {
    this.model = model;
    this.probes = probes;
    this.tokens = tokens;
    this.rows = rows;
    this.leftOut = leftOut;
    const cells = rows.flatMap((row) => row.cells);
    const noticed = cells.filter(isNoticed);
    this.noticed = noticed.length;
    this.blind = cells.filter(({ firstTensor }) => firstTensor === null).length;
    this.hidden = cells.length - this.noticed - this.blind;
    this.missed = evidenceKinds.map(({ name }) => {
      const missed = noticed.filter(({ evidence }) => !evidence[name].noticed);
      const large = missed.filter(({ evidence }) => isLarge(evidence['relative RMS error']));
      return { evidence: name, missed: missed.length, missedLarge: large.length };
    });
  }

  /** `Detection matrix of lily.gguf: 43 faults × 5 probes; no bit differs in 34; 180 are noticed, of which … misses: sum 21, …` */
  toString(): string {
    const { model, rows, probes, noticed, missed, blind } = this;
    const others = missed.map(({ evidence, missed: count }) => `${evidence} ${count}`);
    return (
      `Detection matrix of ${model}: ${rows.length} faults × ${probes.length} probes; no bit differs in ${blind}; ` +
      `${noticed} are noticed, of which one kind of evidence alone misses: ${others.join(', ')}`
    );
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** Whether some evidence notices the fault. */
export function isNoticed({ evidence }: DetectionCell): boolean {
  return Object.values(evidence).some(({ noticed }) => noticed);
}

/** A number that is not finite is large. */
function isLarge({ value }: Finding): boolean {
  return value === null || value >= LARGE;
}

export interface DetectionOptions extends Watch {
  /** Names of faults; all by default. */
  readonly faults?: readonly string[];
  /** Names of probes; all by default. */
  readonly probes?: readonly ProbeName[];
  /** Token ids of the long prompt, eight or more, none of them BOS; the other probes are its beginning. Default: 64, spread over the vocabulary. */
  readonly tokens?: readonly number[];
  /** Models for the faults that `model` cannot have, such as one in Q4_0; the first that can have it takes it. */
  readonly others?: readonly Model[];
}

/**
 * Runs each probe healthy and with each fault, with default parameters. The models stay as they are: a fault is put into a model
 * made of them, and every run is closed. Memory holds the values of two runs of the long prompt.
 *
 * Throws UsageError for an unknown fault or probe or tokens that will not do, InterruptedError where it is stopped.
 */
export async function detectionMatrix(model: Model, options: DetectionOptions = {}): Promise<DetectionMatrix> {
  const { tokens = probeTokens(model), others = [], signal, onProgress } = options;
  const chosen = (options.faults ?? faults.map(({ name }) => name)).map(faultNamed);
  const runs = (options.probes ?? probeRuns.map(({ name }) => name)).map(probeNamed);
  mustBeLong(tokens);
  for (const each of [model, ...others]) each.checkTokens(tokens);

  const { homes, leftOut } = homesOf(chosen, [model, ...others]);
  const { bos } = model.tokenizer;
  const possible = runs.filter(({ name }) => name !== 'BOS + token' || bos !== undefined);
  if (possible.length < runs.length) leftOut.push({ name: 'BOS + token', why: `${model.name} names no BOS` });

  const watched = watchedBy(model.platform, { signal, onProgress });
  const total = possible.length * homes.length;
  let done = 0;
  try {
    for (const probe of possible) {
      const passes = probe.passes(tokens, bos ?? 0);
      for (const healthy of new Set(homes.map((home) => home.healthy))) {
        const reference = await runOf(healthy, passes, { signal });
        try {
          for (const home of homes.filter((each) => each.healthy === healthy)) {
            mustGoOn(watched.stop, 'make a detection matrix', 'call it again');
            const faulty = await runOf(home.faulty, passes, { signal });
            try {
              home.cells.push(await cellOf(probe.name, faulty, reference));
            } finally {
              faulty.close();
            }
            const item = `${home.fault.name}, ${probe.name}`;
            watched.onProgress?.({ task: 'trying faults', item, done: ++done, total, unit: 'runs' });
          }
        } finally {
          reference.close();
        }
      }
    }
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    throw new InterruptedError(
      `Cannot finish the detection matrix: interrupted after ${done} of ${total} runs; call it again`,
      { cause: error },
    );
  }
  return new DetectionMatrix({
    model: model.name,
    probes: possible.map(({ name }) => name),
    tokens: [...tokens],
    rows: homes.map(({ fault: { name, title }, healthy, cells }) => ({
      fault: name,
      title,
      model: healthy.name,
      cells,
    })),
    leftOut,
  });
}

/** The fewest tokens that the probes of eight can be made of. */
const FEWEST = 8;

function mustBeLong(tokens: readonly number[]): void {
  if (tokens.length >= FEWEST) return;
  throw new UsageError(
    `Cannot make a detection matrix of ${tokens.length} tokens: probes are the beginning of a long prompt; give ${FEWEST} or more`,
  );
}

/** A fault, the model that can have it, and what was found so far. */
interface Home {
  readonly fault: Fault;
  readonly healthy: Model;
  readonly faulty: Model;
  readonly cells: DetectionCell[];
}

/** Each fault in the first model that can have it; of the others, why none can. */
function homesOf(
  chosen: readonly Fault[],
  models: readonly Model[],
): { homes: Home[]; leftOut: { name: string; why: string }[] } {
  const homes: Home[] = [];
  const leftOut: { name: string; why: string }[] = [];
  for (const each of chosen) {
    const { name } = each;
    if (!each.changes) {
      leftOut.push({ name, why: 'it changes the ids of a text, and probes are ids: the two lists of ids show it' });
      continue;
    }
    const tried = models.map((model) => putInto(model, name));
    const at = tried.findIndex((made) => made instanceof Model);
    const [healthy, faulty] = [models[at], tried[at]];
    if (healthy && faulty instanceof Model) homes.push({ fault: each, healthy, faulty, cells: [] });
    else leftOut.push({ name, why: [...new Set(tried)].join('; ') });
  }
  return { homes, leftOut };
}

/** The model with the fault; why there is none, where it cannot have it. */
function putInto(model: Model, name: string): Model | string {
  try {
    return model.with(fault(name));
  } catch (error) {
    if (error instanceof UsageError) return error.message.replace(/^Cannot [^:]*: /, '');
    throw error;
  }
}

async function cellOf(probe: ProbeName, faulty: Run, healthy: Run): Promise<DetectionCell> {
  const { first, effect } = await showsOf(faulty, healthy);
  const measured = first && (await measuredAt(first, faulty, healthy));
  const [logits] = compareLogits(await lastLogits(faulty), await lastLogits(healthy), { pos0: 0, k: 1 });
  const beyond = (value: number | undefined, limit: number) => findingOf(value ?? Number.NaN, limit);
  const nothing: Finding = { value: null, noticed: false };
  const at = (value: (found: MeasuredFirst) => Finding) => (measured ? value(measured) : nothing);
  return {
    ...{ probe, effect, firstTensor: first?.name ?? null },
    evidence: {
      sum: at(({ moved, measure: { sum } }) => beyond(over(moved, sum.noise), 1)),
      'sum in f16': at(({ moved, noiseInF16 }) => beyond(over(moved, noiseInF16), 1)),
      RMS: at(({ measure: { rmsRatio } }) => beyond(Math.abs(rmsRatio - 1), RMS_MOVED)),
      cosine: at(({ measure: { cosine } }) => beyond(1 - cosine, COSINE_TURNED)),
      'relative RMS error': at(({ measure: { relativeRmsError }, tolerance }) => beyond(relativeRmsError, tolerance)),
      'last-layer RMS': beyond(lastLayerMoved(faulty, healthy), RMS_MOVED),
      'logits KL': beyond(logits?.kl, KL_MOVED),
      argmax: beyond(logits?.rank, 0),
    },
  };
}

/** Not finite is noticed by whoever looks. */
function findingOf(value: number, limit: number): Finding {
  return Number.isFinite(value) ? { value, noticed: value > limit } : { value: null, noticed: true };
}

/** 0 of no noise is no movement. */
function over(moved: number, noise: number): number {
  return moved === 0 ? 0 : moved / noise;
}

interface MeasuredFirst {
  readonly measure: Measure;
  /** |sum − healthy sum| */
  readonly moved: number;
  /** What rounding one side to f16 can move the sum by. */
  readonly noiseInF16: number;
  /** Relative RMS error that compare allows. */
  readonly tolerance: number;
}

/** The first tensor that differs, of both runs' last passes. */
async function measuredAt(row: TraceRow, faulty: Run, healthy: Run): Promise<MeasuredFirst> {
  const pair = await pairAt(row, faulty, healthy);
  const { measure: whole } = measure(pair);
  const f16 = measure({ ...pair, storage: { ours: 'f16', reference: 'f32' } }).measure;
  // `measure` leaves out what is not finite; whoever adds up a tensor with NaN gets NaN.
  const isBroken = whole.nonFinite > 0;
  return {
    measure: isBroken ? { ...whole, relativeRmsError: Number.NaN, rmsRatio: Number.NaN, cosine: Number.NaN } : whole,
    moved: isBroken ? Number.NaN : Math.abs(whole.sum.ours - whole.sum.reference),
    ...{ noiseInF16: f16.sum.noise, tolerance: toleranceFor(row, 'f32')?.limit ?? 0 },
  };
}

function lastLayerMoved(faulty: Run, healthy: Run): number {
  const name = `l_out-${healthy.model.config.nLayer - 1}`;
  const rms = (run: Run) => {
    const statistics = lastPassOf(run).find((row) => row.name === name)?.statistics;
    return !statistics || statistics.nanCount + statistics.infCount > 0 ? Number.NaN : statistics.rms;
  };
  return Math.abs(rms(faulty) / rms(healthy) - 1);
}
