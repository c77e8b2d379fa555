/** Everything about one step of an experiment: what it reads, what came of it, and what computed it. */
import type { RunKernel } from '../../../engine/backend.ts';
import type { Model } from '../../../engine/model.ts';
import { planWork } from '../../../engine/plan.ts';
import type { Run } from '../../../engine/run.ts';
import { opOf } from '../../../engine/shapes.ts';
import { UsageError } from '../../../errors.ts';
import type { InputKind, Pass, WeightRows } from '../../../ops/op.ts';
import type { Step } from '../../../ops/step.ts';
import { type Histogram, histogramOf } from '../../../trace/histogram.ts';
import type { Statistics } from '../../../trace/statistics.ts';
import type { Tensor } from '../../../trace/tensor.ts';
import type { Trace, TraceRow } from '../../../trace/trace.ts';
import type { Experiment } from '../experiment.ts';
import type { Request } from '../request.ts';
import { isRun } from '../session.ts';
import { type StepCard, stepCard } from './open.ts';
import { rowCard } from './open_trace.ts';

/** Values that are shown of a tensor, from its start. */
const FIRST = 24;
const BINS = 32;

export interface StepDetail {
  readonly card: StepCard;
  /** Of which pass inputs and output are. */
  readonly pass: number;
  /** In the op's order; empty for a trace, which does not tell them. */
  readonly inputs: readonly InputDetail[];
  /** Null where that pass has not come to it. */
  readonly output: OutputDetail | null;
  readonly computing: Computing;
}

/** The start of a tensor, row by row. */
export interface Glimpse {
  /** Null where the tensor is not there yet. */
  readonly shape: readonly number[] | null;
  readonly dims: readonly string[];
  readonly first: Float32Array | null;
  /** Why there are no values, a sentence; null where there are. */
  readonly missing: string | null;
}

export interface InputDetail extends Glimpse {
  readonly role: string;
  /** The tensor, weight or cache slot; `tokens`, or `table` for what the op computes on the host. */
  readonly name: string;
  readonly kind: InputKind;
  /** In which type the file holds it; of weights only. */
  readonly type: string | null;
}

export interface OutputDetail extends Glimpse {
  readonly statistics: Statistics;
  /** Of all values. */
  readonly histogram: Histogram | null;
}

export interface Computing {
  readonly backend: string;
  readonly adapter: string;
  /** Whether it is computed alone or fused with others, a sentence. */
  readonly says: string;
  /** Each dispatch in order, as the device is given it; empty where no kernels run. */
  readonly kernels: readonly RunKernel[];
}

export interface StepParams {
  readonly experiment: Experiment;
  /** A name or alias. */
  readonly step: string;
  /** By default the pass under way. */
  readonly pass?: number;
}

export const step: Request<StepParams, StepDetail> = async (session, { experiment, step: name, pass }) => {
  const subject = await session.subject(experiment);
  if (!isRun(subject)) return traceStep(subject, name, pass);
  const { model, trace } = subject;
  const own = model.names.resolve(name, 'look at');
  const found = model.steps.find((known) => known.name === own) as Step;
  const index = pass ?? subject.pass?.index ?? 0;
  const row = rowIn(trace, own, index);
  return {
    card: stepCard(found, model),
    pass: index,
    inputs: await inputsOf(found, subject, index),
    output: row ? await outputDetail(trace, row) : null,
    computing: await computingOf(found, subject, index),
  };
};

async function traceStep(trace: Trace, name: string, pass: number | undefined): Promise<StepDetail> {
  const rows = trace.select(name).filter((row) => pass === undefined || row.pass === pass);
  const row = rows.at(-1);
  if (!row) {
    const of = pass === undefined ? '' : ` of pass ${pass}`;
    throw new UsageError(
      `Cannot look at ${name}${of}: the trace has no such tensor; it has ${trace.names.length} others`,
    );
  }
  const { backend, adapter } = trace.manifest;
  return {
    card: rowCard(row),
    pass: row.pass,
    inputs: [],
    output: await outputDetail(trace, row),
    computing: {
      backend: `${backend ?? trace.manifest.producer ?? 'unknown'}`,
      adapter: `${adapter ?? ''}`,
      says: 'A trace holds what was computed, and neither its inputs’ names nor its kernels; open its model for those.',
      kernels: [],
    },
  };
}

function rowIn(trace: Trace, name: string, pass: number): TraceRow | undefined {
  return trace.entries.find((row) => row.name === name && row.pass === pass);
}

async function outputDetail(trace: Trace, row: TraceRow): Promise<OutputDetail> {
  const { shape, dims, statistics } = row;
  const read = await readable(() => trace.tensor(row.name, { pass: row.pass }));
  if (typeof read === 'string') return { shape, dims, statistics, first: null, histogram: null, missing: read };
  return { ...glimpse(read), statistics, histogram: histogramOf(read.data, BINS) };
}

/** The tensor, or why it cannot be read. */
function readable(read: () => Promise<Tensor>): Promise<Tensor | string> {
  return read().catch((error: Error) => error.message);
}

function glimpse({ shape, dims, data }: Pick<Tensor, 'shape' | 'dims' | 'data'>): Glimpse {
  return { shape, dims, first: data.slice(0, FIRST), missing: null };
}

const notYet = (missing: string): Glimpse => ({ shape: null, dims: [], first: null, missing });

function inputsOf(found: Step, run: Run, pass: number): Promise<InputDetail[]> {
  const rules = Object.entries(opOf(found).inputs).filter(
    ([role, { kind }]) => kind === 'table' || found.inputs[role] !== undefined,
  );
  return Promise.all(
    rules.map(async ([role, { kind }]) => {
      const name = found.inputs[role] ?? 'table';
      const type = kind === 'weight' ? (run.model.weightInfo(name)?.type ?? null) : null;
      return { role, name, kind, type, ...(await inputGlimpse(kind, name, found, run, pass)) };
    }),
  );
}

async function inputGlimpse(kind: InputKind, name: string, found: Step, run: Run, pass: number): Promise<Glimpse> {
  const { model, trace } = run;
  switch (kind) {
    case 'tokens': {
      const ids = Float32Array.from(tokensOf(run, pass));
      return glimpse({ shape: [ids.length], dims: ['token'], data: ids });
    }
    case 'weight':
      return weightGlimpse(model, name);
    case 'table':
      return tableGlimpse(found, run, pass);
    case 'cache':
      return cacheGlimpse(name, run, pass);
    case 'tensor': {
      const row = rowIn(trace, name, pass);
      if (!row) return notYet(`${name} is computed first; run to it`);
      const read = await readable(() => trace.tensor(name, { pass }));
      return typeof read === 'string'
        ? { shape: row.shape, dims: row.dims, first: null, missing: read }
        : glimpse(read);
    }
    default:
      return kind satisfies never;
  }
}

function tokensOf(run: Run, pass: number): readonly number[] {
  const { nPast, nTokens } = passOf(run, pass);
  return run.tokens.slice(nPast, nPast + nTokens);
}

/** Which tokens a pass is over: told from its rows, or what a first pass would take. */
function passOf(run: Run, pass: number): Pass {
  const rows = run.trace.entries.filter((row) => row.pass === pass);
  const row = rows.find(({ dims }) => dims[0] === 'token');
  if (row) return { nPast: row.pos0, nTokens: row.shape[0] as number };
  return { nPast: 0, nTokens: Math.min(run.tokens.length, run.model.maxPassTokens(run.tokens.length)) };
}

/** The first row alone: a matrix may have gigabytes. */
async function weightGlimpse(model: Model, name: string): Promise<Glimpse> {
  const read = await readable(() => model.weight(name, { rows: [0, 1] }));
  if (typeof read === 'string') return notYet(read);
  return { ...glimpse(read), shape: model.weightInfo(name)?.shape ?? read.shape };
}

async function tableGlimpse(found: Step, run: Run, pass: number): Promise<Glimpse> {
  const op = opOf(found);
  if (!op.table) return notYet(`${op.name} has no table`);
  const weights: Record<string, WeightRows> = {};
  for (const [role, name] of Object.entries(found.inputs)) {
    if (op.inputs[role]?.kind !== 'weight') continue;
    const { shape, data } = await run.model.weight(name);
    const width = shape.at(-1) as number;
    const rows = (start: number, count: number) => data.subarray(start * width, (start + count) * width);
    weights[role] = { shape, rows };
  }
  const { shape, data } = op.table(found.params, passOf(run, pass), weights);
  return glimpse({
    shape,
    dims: shape.map((_, axis) => (axis === 0 ? 'token' : `axis${axis}`)),
    data: Float32Array.from(data),
  });
}

/** A cache slot holds what its writer made of every token so far; its first rows are those of the first pass. */
async function cacheGlimpse(slot: string, run: Run, pass: number): Promise<Glimpse> {
  const writer = run.steps.find(({ writes }) => writes === slot);
  const row = writer && rowIn(run.trace, writer.name, pass);
  if (!row) return notYet(`${slot} is written by ${writer?.name ?? 'no step'}; run to it`);
  const shape = [row.pos0 + (row.shape[0] as number), ...row.shape.slice(1)];
  const read = await readable(() => run.trace.tensor(row.name, { pass: 0 }));
  if (typeof read === 'string') return { shape, dims: row.dims, first: null, missing: read };
  return { ...glimpse(read), shape };
}

async function computingOf(found: Step, run: Run, pass: number): Promise<Computing> {
  const { backend } = run.model;
  const { together, kernels } = await run.kernels(found.name, { pass });
  return {
    backend: backend.name,
    adapter: backend.adapter,
    says: saysOf(found, run, together, kernels.length),
    kernels,
  };
}

function saysOf({ name }: Step, run: Run, together: readonly string[], dispatches: number): string {
  if (run.model.backend.name === 'reference') {
    return 'Plain TypeScript in f64 computes it, one step after the other: no kernel, and nothing is fused.';
  }
  const others = together.filter((other) => other !== name).join(', ');
  if (others) return `Fused: one kernel computes it at once with ${others}.`;
  const alone = `Not fused: ${dispatches === 1 ? 'one dispatch computes' : `${dispatches} dispatches compute`} it alone`;
  const nobody = { values: () => false, statistics: () => false };
  const plan = planWork(run.steps, 0, run.steps.length, nobody).find(({ names }) => names.includes(name));
  const would = plan?.names.filter((other) => other !== name).join(', ');
  if (!would) return `${alone}.`;
  return `${alone}, because every tensor is looked at. Where nobody does, the kernel ${plan?.op.name} computes it at once with ${would}.`;
}
