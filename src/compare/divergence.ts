/**
 * Where two traces part: of all tensors that are beyond, the first whose op, run alone on what a side recorded, does not give
 * what that side recorded. Those before it that are beyond only hand on, or round in a way that is known by name.
 */
import type { Model } from '../engine/model.ts';
import { f16Accumulation } from '../engine/transforms/f16_accumulation.ts';
import { f16Storage } from '../engine/transforms/f16_storage.ts';
import { ggmlArithmetic } from '../engine/transforms/ggml_arithmetic.ts';
import { mustGoOn, type Watched } from '../engine/watched.ts';
import { deadTensors } from '../llama/dead_tensors.ts';
import { plainSteps } from '../llama/plain_steps.ts';
import type { TraceRow } from '../trace/trace.ts';
import type { Divergence, Isolation, Place, TensorComparison, Worst } from './comparison.ts';
import { type Isolated, type IsolateOptions, isolate, type Recorded, type Rounding } from './isolation.ts';
import type { RecordNoise } from './noise.ts';
import { layoutBetween } from './pair_comparison.ts';
import type { PairedRows } from './pairs.ts';
import { reproductionOf } from './reproduction.ts';
import { isolationOfSums, type RoundedSums, roundedSums } from './rounded_sums.ts';
import { coarseOpTolerance, defaultRules, toleranceFor } from './tolerances.ts';

/** The roundings that engines do on purpose, each as a transform of ours. */
const ROUNDINGS: readonly Rounding[] = [
  { name: "activations and RoPE angles rounded as ggml's CPU does", transform: ggmlArithmetic },
  { name: 'outputs stored as f16', transform: f16Storage },
  { name: 'sums of products kept in f16', transform: f16Accumulation },
];

export interface Search {
  readonly sides: { readonly ours: Recorded; readonly reference: Recorded };
  /** Whose ops are run again; null where nobody's can be. */
  readonly model: Model | null;
  readonly mode: 'tolerance' | 'exact';
  readonly precision: string;
  /** Of a side whose record is evenly noisy; null of one that is exact, or off unevenly. */
  readonly noiseOf: (side: 'ours' | 'reference') => Promise<RecordNoise | null>;
  readonly watched: Watched;
}

export interface Found {
  /** The tensors, with what was found of those that are beyond. */
  readonly tensors: readonly TensorComparison[];
  readonly divergence: Divergence | null;
}

/** Walks the tensors that are beyond, in order of execution, up to the first whose error was made there. */
export async function findDivergence(
  measured: readonly { readonly tensor: TensorComparison; readonly rows: PairedRows }[],
  search: Search,
): Promise<Found> {
  const tensors = measured.map(({ tensor }) => tensor);
  if (search.mode === 'exact') {
    const first = tensors.find(({ status }) => status !== 'equal');
    return { tensors, divergence: first ? unisolated(first, search) : null };
  }
  const { sides, model, watched } = search;
  let sums: Promise<RoundedSums | null> | null = null;
  const sumsRounded = () => {
    sums ??= model ? roundedSums(sides, model, ROUNDINGS, watched) : Promise.resolve(null);
    return sums;
  };
  let layout: Divergence | null = null;
  let isHandedOn = false;
  for (const [i, { tensor, rows }] of measured.entries()) {
    if (!isSuspect(tensor, search)) continue;
    mustGoOn(search.watched.stop, 'compare', 'compare again');
    const before = await unpairedInput(tensor, rows, search);
    if (before) return { tensors, divergence: before };
    const isolated = tensor.isolation ? null : await isolatePair(tensor, rows, search);
    search.watched.onProgress?.({
      task: 'running ops on identical inputs',
      item: tensor.name,
      done: i + 1,
      total: tensors.length,
      unit: 'tensors',
    });
    const isolation = isolated?.isolation ?? tensor.isolation ?? (await layoutOf(tensor, rows, search));
    tensors[i] = { ...tensor, isolation };
    // That an op of ours gives what ours recorded says nothing of a reference that told a sum.
    const isBare = tensor.measure === null && (isolation === null || isolation.outcome === 'inherited');
    if (!isolation || isBare) {
      if (tensor.status === 'within' || tensor.status === 'equal') continue;
      const rounded = isBare ? await sumsRounded() : null;
      if (rounded) {
        tensors[i] = { ...tensor, isolation: isolationOfSums(rounded) };
        continue;
      }
      return { tensors, divergence: earlierDead(tensor, search) ?? unisolated(tensor, search) };
    }
    switch (isolation.outcome) {
      case 'made':
        await tellWhatCameIn(tensors, measured, i, search);
        return { tensors, divergence: await divergenceOf(tensor, rows, isolation, isolated?.worst ?? null, search) };
      case 'other layout':
        layout ??= await divergenceOf(tensor, rows, isolation, isolated?.worst ?? null, search);
        break;
      case 'inherited':
        isHandedOn ||= layout !== null;
        break;
      case 'precision':
      case 'noise':
        break;
      default:
        isolation.outcome satisfies never;
    }
  }
  // What is used in another order than it should be changes all that follows; what is only kept so changes nothing.
  return { tensors, divergence: isHandedOn ? layout : null };
}

/** The residual stream and the end: of what comes after the first divergence these few tell whether they only hand on. */
const ON_THE_WAY = /^(l_out-\d+|result_norm|result_output)$/;
const MOST_ON_THE_WAY = 24;

/** Runs the op of a few tensors after the first divergence on what each side recorded: `inherited`, or made there a second time. */
async function tellWhatCameIn(
  tensors: TensorComparison[],
  measured: readonly { readonly rows: PairedRows }[],
  from: number,
  search: Search,
): Promise<void> {
  const after = tensors.flatMap(({ name, status, measure }, i) =>
    i > from && status === 'beyond' && measure && ON_THE_WAY.test(name) ? [i] : [],
  );
  const every = Math.max(1, Math.ceil(after.length / MOST_ON_THE_WAY));
  // The last one is among them.
  for (const i of after.filter((_, at) => (after.length - 1 - at) % every === 0)) {
    mustGoOn(search.watched.stop, 'compare', 'compare again');
    const tensor = tensors[i] as TensorComparison;
    const isolated = await isolatePair(tensor, (measured[i] as { readonly rows: PairedRows }).rows, search);
    if (isolated) tensors[i] = { ...tensor, isolation: broughtIn(isolated.isolation) };
  }
}

/** What rounding and noise leave of an op is not what came in from a divergence. */
function broughtIn(isolation: Isolation): Isolation {
  const { outcome } = isolation;
  if (outcome !== 'noise' && outcome !== 'precision') return isolation;
  return { ...isolation, explained: null, outcome: 'inherited', madeBy: null };
}

/** Beyond its tolerance; where a side is known to round, beyond what f32 would give. */
function isSuspect(tensor: TensorComparison, { precision }: Search): boolean {
  if (tensor.status === 'beyond' || tensor.status === 'no rule') return true;
  if (/^(f32|ggml-f32)$/.test(precision) || !tensor.measure) return false;
  const strict = toleranceFor(tensor, 'f32', defaultRules);
  return strict === null || tensor.measure.relativeRmsError > strict.limit;
}

async function isolatePair(tensor: TensorComparison, rows: PairedRows, search: Search): Promise<Isolated | null> {
  const { model, sides } = search;
  if (!model) return null;
  const options = optionsFor(search);
  const passes = passesToRun(rows);
  let handed: Isolated | null = null;
  for (const pass of passes) {
    const isolated = await isolate(model, tensor.name, pass, sides, options);
    if (isolated && isolated.isolation.outcome !== 'inherited') return isolated;
    handed ??= isolated;
  }
  return handed;
}

function optionsFor({ precision, sides, noiseOf }: Search): IsolateOptions {
  return {
    roundings: ROUNDINGS,
    coarse: coarseOpTolerance(precision),
    noiseAt: async (side, name, pass) => {
      const row = sides[side].trace.entries.find((each) => each.name === name && each.pass === pass);
      const noise = row && (await noiseOf(side));
      return noise ? noise.toleranceAt(row) : null;
    },
  };
}

/** Both sides' pass at once where they were cut alike, else each pass of each side. */
function passesToRun({ ours, reference }: PairedRows): { ours: number | null; reference: number | null }[] {
  const [mine, theirs] = [ours[0], reference[0]];
  if (ours.length === 1 && reference.length === 1 && mine && theirs) {
    return [{ ours: mine.pass, reference: theirs.pass }];
  }
  return [
    ...reference.map(({ pass }) => ({ ours: null, reference: pass })),
    ...ours.map(({ pass }) => ({ ours: pass, reference: null })),
  ];
}

/** A tensor that only ours has and that this one is made of, such as `ffn_silu-0`, where its own op does not give it. */
async function unpairedInput(
  tensor: TensorComparison,
  { ours }: PairedRows,
  search: Search,
): Promise<Divergence | null> {
  const { model, sides } = search;
  const step = model?.untransformed.steps.find(({ name }) => name === tensor.name);
  const row = ours[0];
  if (!model || !step || !row) return null;
  const known = new Set(sides.reference.trace.names);
  for (const input of Object.values(step.inputs)) {
    const entry = sides.ours.trace.entries.find(({ name, pass }) => name === input && pass === row.pass);
    if (known.has(input) || !entry?.hasValues) continue;
    const passes = { ours: row.pass, reference: null };
    const isolated = await isolate(model, input, passes, sides, optionsFor(search));
    if (isolated?.isolation.outcome !== 'made' || !isolated.worst) continue;
    const { isolation, worst } = isolated;
    // The op's own value stands in for the reference's, which has none.
    const place = { index: worst.index, token: worst.token, head: worst.head };
    return named(entry, place, { ours: worst.reference, reference: worst.ours, isolation }, sides);
  }
  return null;
}

async function layoutOf(tensor: TensorComparison, rows: PairedRows, { sides }: Search): Promise<Isolation | null> {
  const [mine, theirs] = [rows.ours[0], rows.reference[0]];
  if (!mine || !theirs || rows.ours.length > 1) return null;
  return layoutBetween(sides.ours.trace, sides.reference.trace, mine, theirs, tensor.tolerance);
}

async function divergenceOf(
  tensor: TensorComparison,
  rows: PairedRows,
  isolation: Isolation,
  worst: Worst | null,
  { sides }: Search,
): Promise<Divergence> {
  const place: Place = worst ?? tensor.worst ?? { index: [], token: null, head: null };
  const value = async ({ trace }: Recorded, row: TraceRow | undefined) => {
    if (!row?.hasValues || place.index.length !== row.shape.length) return Number.NaN;
    if (place.index.some((index, axis) => index >= (row.shape[axis] as number))) return Number.NaN;
    return (await trace.tensor(row.name, { pass: row.pass })).at(...place.index);
  };
  const ours = await value(sides.ours, rows.ours[0]);
  const reference = await value(sides.reference, rows.reference[0]);
  return named(tensor, place, { ours, reference, isolation }, sides);
}

/** The error may have come in: no op was run. */
function unisolated(tensor: TensorComparison, { sides }: Search): Divergence {
  const { worst, statistics } = tensor;
  const values = worst
    ? { ours: worst.ours, reference: worst.reference }
    : { ours: statistics.ours.sum, reference: statistics.reference.sum };
  return named(tensor, worst ?? { index: [], token: null, head: null }, { ...values, isolation: null }, sides);
}

/** Of sums alone: a tensor before this one that is all zero in ours, though what it is made of is not, died there. */
function earlierDead(tensor: TensorComparison, { sides, model }: Search): Divergence | null {
  if (tensor.measure) return null;
  const { ours, reference } = sides;
  const order = (name: string) => ours.trace.entries.findIndex((row) => row.name === name);
  const layers = ours.trace.entries.map(({ layer }) => (layer ?? -1) + 1);
  const steps = model?.untransformed.steps ?? plainSteps(Math.max(1, ...layers));
  const dead = deadTensors(ours.trace, steps).find(({ name }) => order(name) < order(tensor.name));
  const row = dead && ours.trace.entries.find(({ name, pass }) => name === dead.name && pass === dead.pass);
  if (!row) return null;
  const theirs = reference.trace.entries.find(({ name }) => name === row.name);
  const values = { ours: 0, reference: theirs ? theirs.statistics.sum : Number.NaN, isolation: null };
  return named(row, { index: [], token: null, head: null }, values, sides);
}

function named(
  { name, op, layer, pass }: Pick<TensorComparison, 'name' | 'op' | 'layer' | 'pass'>,
  { index, token, head }: Place,
  values: Pick<Divergence, 'ours' | 'reference' | 'isolation'>,
  sides: Search['sides'],
): Divergence {
  const found = { name, op, layer, pass, index, token, head, ...values };
  return { ...found, reproduction: reproductionOf(found, sides) };
}
