/**
 * Was an error made by an op, or did it come in with the op's inputs? Our op, without any transform of the run's, is run
 * alone on the inputs that each side recorded and held against the output that the same side recorded. What it reproduces
 * came in; what it does not was made there, and then every rounding that is known by name is tried, and the noise that all
 * of the record has, before it is called a bug.
 */

import type { Model } from '../engine/model.ts';
import { inputsOfKind, matrixShape, opOf, outputShapes } from '../engine/shapes.ts';
import type { Transform } from '../engine/transforms/transform.ts';
import { StepError } from '../errors.ts';
import type { Shape } from '../ops/op.ts';
import type { Step } from '../ops/step.ts';
import type { Tensor } from '../trace/tensor.ts';
import type { Trace } from '../trace/trace.ts';
import type { Explanation, Isolation, Tolerance, Worst } from './comparison.ts';
import { judge } from './judge.ts';
import { otherLayout } from './layouts.ts';
import { measure, type Pair } from './measure.ts';
import { type Rerun, rerunStep } from './rerun.ts';

/** One of the two traces, with what reports call it. */
export interface Recorded {
  readonly trace: Trace;
  readonly label: string;
}

/** A rounding that an engine may do on purpose, as a transform that does the same. */
export interface Rounding {
  /** What it is, as in "reproduced with activations rounded as ggml's CPU does". */
  readonly name: string;
  readonly transform: () => Transform;
}

export interface IsolateOptions {
  readonly roundings: readonly Rounding[];
  /** What an op may be off by where a side is known to round in a way that is not reproduced; null where none is known to. */
  readonly coarse: Tolerance | null;
  /** What a tensor of a side may be off by where that side's record is evenly noisy, and no more than that is there; else null. */
  readonly noiseAt: (side: 'ours' | 'reference', name: string, pass: number) => Promise<Tolerance | null>;
}

/** An isolation, and the element at which the op and the record are furthest apart. */
export interface Isolated {
  readonly isolation: Isolation;
  readonly worst: Worst | null;
}

/** What both sides end to end may differ by, where an output is computed over several steps. */
const CHAIN: Tolerance = { limit: 1e-5, source: 'f32 end to end' };

/** Our op on what one side recorded. */
interface Reproduction extends Rerun {
  readonly pass: number;
  readonly side: 'ours' | 'reference';
  readonly recorded: Recorded;
  /** The op's output as ours, the record as the reference. */
  readonly pair: Pair;
  readonly tolerance: Tolerance;
  readonly error: number;
  readonly agrees: boolean;
  readonly worst: Worst | null;
}

/**
 * `model`'s step `name` on the inputs that each side recorded for a pass, or the one side that has one. Null where the model has no such step, and where
 * neither side holds values of the output and of what it is computed from, or only the reference does, and agrees.
 */
export async function isolate(
  model: Model,
  name: string,
  passes: { readonly ours: number | null; readonly reference: number | null },
  sides: { readonly ours: Recorded; readonly reference: Recorded },
  options: IsolateOptions,
): Promise<Isolated | null> {
  const plain = model.untransformed;
  const step = plain.steps.find((each) => each.name === name);
  if (!step) return null;
  const found: Reproduction[] = [];
  for (const side of ['reference', 'ours'] as const) {
    const pass = passes[side];
    const one = pass === null ? null : await reproduction(plain, step, pass, side, sides[side]);
    if (one) found.push(one);
  }
  const parted = found.filter(({ agrees }) => !agrees);
  const origins: Origin[] = [];
  for (const each of parted) origins.push(await originOf(plain, step, each, options));
  // That one side only rounds says nothing of the other: the worse of the two counts.
  const origin = OUTCOMES.flatMap((outcome) => origins.filter((each) => each.outcome === outcome))[0];
  // That the reference is right says nothing of ours: only its own record does.
  const shown = origin?.of ?? found.find(({ side }) => side === 'ours');
  if (!shown) return null;
  const errorOn = (side: Reproduction['side']) => found.find((each) => each.side === side)?.error ?? null;
  const common = {
    how: howOf(step, shown),
    inputs: shown.inputs,
    onReference: errorOn('reference'),
    onOurs: errorOn('ours'),
    tolerance: shown.tolerance,
  };
  if (!origin) {
    const inherited = { ...common, toF64: null, explained: null, outcome: 'inherited', madeBy: null } as const;
    return { isolation: inherited, worst: null };
  }
  const { of, ...rest } = origin;
  return { isolation: { ...common, ...rest }, worst: of.worst };
}

/** From worst to best. */
const OUTCOMES = ['made', 'other layout', 'noise', 'precision'] as const;

/** What sets a record apart from our op on the same inputs. */
interface Origin extends Pick<Isolation, 'toF64' | 'explained' | 'madeBy'> {
  readonly of: Reproduction;
  readonly outcome: (typeof OUTCOMES)[number];
  readonly tolerance?: Tolerance;
}

async function originOf(
  model: Model,
  step: Step,
  of: Reproduction,
  { roundings, coarse, noiseAt }: IsolateOptions,
): Promise<Origin> {
  const rounding = await roundingOf(model, step, of, roundings);
  if (rounding) return { of, toF64: null, explained: rounding, outcome: 'precision', madeBy: of.side };
  const recorded = { shape: of.output.shape, data: of.pair.reference };
  const layout = otherLayout(recorded, of.output, of.tolerance.limit);
  const toF64 = await distanceToF64(model, step, of);
  const made = { of, toF64, explained: layout, madeBy: guiltyOf(of, toF64) };
  if (layout) return { ...made, outcome: 'other layout' };
  if (coarse !== null && judged(of.pair, coarse).agrees) return { ...made, outcome: 'precision' };
  const noise = await noiseAt(of.side, step.name, of.pass);
  return noise ? { ...made, outcome: 'noise', madeBy: of.side, tolerance: noise } : { ...made, outcome: 'made' };
}

/** Null where that side has not the values. */
async function reproduction(
  model: Model,
  step: Step,
  pass: number,
  side: Reproduction['side'],
  recorded: Recorded,
): Promise<Reproduction | null> {
  const record = await recordOf(step.name, pass, recorded.trace);
  const again = record && (await rerunIfAtHand(model, step.name, pass, recorded.trace));
  if (!again || again.output.shape.join() !== record.tensor.shape.join()) return null;
  const pair = pairOf(again.output, record.tensor, record.pos0);
  const tolerance = toleranceOf(model, step, again);
  return { ...again, pass, side, recorded, pair, tolerance, ...judged(pair, tolerance) };
}

async function recordOf(name: string, pass: number, trace: Trace): Promise<{ tensor: Tensor; pos0: number } | null> {
  const row = trace.entries.find((each) => each.name === name && each.pass === pass);
  return row?.hasValues ? { tensor: await trace.tensor(name, { pass }), pos0: row.pos0 } : null;
}

async function rerunIfAtHand(
  model: Model,
  name: string,
  pass: number,
  trace: Trace,
  backend?: 'reference',
): Promise<Rerun | null> {
  try {
    return await rerunStep(model, name, trace, { pass, ...(backend ? { backend } : {}) });
  } catch (error) {
    if (error instanceof StepError) return null;
    throw error;
  }
}

function pairOf({ data, shape, dims }: Tensor, recorded: Tensor, pos0: number): Pair {
  return { ours: data, reference: recorded.data, shape, dims, pos0, offsets: null };
}

function judged(pair: Pair, tolerance: Tolerance): { error: number; agrees: boolean; worst: Worst | null } {
  const measured = measure(pair);
  const { status, worst } = judge(pair, measured, tolerance);
  return { error: measured.measure.relativeRmsError, agrees: status === 'equal' || status === 'within', worst };
}

/** Twice the op's own bound against f64, for each of the two may be off by it; for several steps what a whole run may be. */
function toleranceOf(model: Model, step: Step, { steps, output }: Rerun): Tolerance {
  if (steps.length > 1) return CHAIN;
  const op = opOf(step);
  const weightShape = (name: string): Shape | undefined => model.gguf.tensors.get(name)?.shape;
  const nTokens = output.shape[output.dims.indexOf('token')] ?? 1;
  const outputs = outputShapes(model.steps, { nTokens, nPast: 0 }, weightShape);
  const shapes = Object.fromEntries([
    ...Object.entries(step.inputs).map(([role, name]) => [role, outputs.get(name)]),
    ...inputsOfKind(op, step, 'weight').map(([role, name]) => [role, matrixShape(weightShape(name) ?? [])]),
  ]) as Record<string, Shape>;
  return { limit: 2 * op.tolerance(shapes), source: `twice what ${op.name} may be from f64 on the same inputs` };
}

function howOf(step: Step, { recorded, steps }: Reproduction): string {
  const before = steps.length - 1;
  const more = before === 0 ? '' : ` and the ${before === 1 ? 'step' : `${before} steps`} before it`;
  return `the inputs of ${recorded.label} to our ${step.op}${more}`;
}

/** The first rounding with which the op reproduces the record. */
async function roundingOf(
  model: Model,
  step: Step,
  parted: Reproduction,
  roundings: readonly Rounding[],
): Promise<Explanation | null> {
  for (const { name, transform } of roundings) {
    const rounded = model.with(transform());
    if (!changes(model, rounded, step)) continue;
    const again = await rerunIfAtHand(rounded, step.name, parted.pass, parted.recorded.trace);
    if (!again) continue;
    const { error, agrees } = judged({ ...parted.pair, ours: again.output.data }, toleranceOf(rounded, step, again));
    if (agrees) return { name, left: error };
  }
  return null;
}

/** Whether a step computes something else in the other model, be it by its inputs. */
function changes(model: Model, other: Model, { name }: Step): boolean {
  const [before, after] = [model, other].map(({ steps }) => steps.find((each) => each.name === name));
  return JSON.stringify(before) !== JSON.stringify(after);
}

async function distanceToF64(
  model: Model,
  step: Step,
  { pass, pair, recorded }: Reproduction,
): Promise<Isolation['toF64']> {
  const exact = await rerunIfAtHand(model, step.name, pass, recorded.trace, 'reference');
  if (!exact) return null;
  const distance = (ours: Float32Array) =>
    measure({ ...pair, ours, reference: exact.output.data }).measure.relativeRmsError;
  return { op: distance(pair.ours), recorded: distance(pair.reference) };
}

/** Who is further from f64: our op, which ran in our run too, or the side that recorded. */
function guiltyOf({ side }: Reproduction, toF64: Isolation['toF64']): 'ours' | 'reference' {
  if (side === 'ours' || !toF64) return side;
  return toF64.op > toF64.recorded ? 'ours' : 'reference';
}
