/**
 * The steps of one layer as a diagram: what each computes, from what, in which shape, and how far the run has come. Arcs on
 * the left lead from a step to those that read it; the long ones are the residual stream.
 */
import { UsageError } from '../errors.ts';
import { ops } from '../ops/index.ts';
import type { Step } from '../ops/step.ts';
import type { Trace } from '../trace/trace.ts';
import { CATEGORIES, type Chart, chart, type Layers } from './chart.ts';

/** A model, whose steps have not run, or a run. */
export interface StepSource {
  readonly steps: readonly Step[];
  /** The step that comes next; null at the end. */
  readonly next?: Step | null;
  readonly trace?: Trace;
}

export interface StepsOptions {
  /** Default 0; null for the steps that belong to no layer. */
  readonly layer?: number | null;
  /** Name of the step to highlight; by default the one that comes next. */
  readonly current?: string;
}

const STATES = ['done', 'next', 'not yet run', 'from before'] as const;

interface Row {
  readonly row: number;
  readonly name: string;
  readonly state: (typeof STATES)[number];
  readonly op: string;
  readonly formula: string;
  /** `token 10 × embd 256`; axes alone where the step has not run. */
  readonly shape: string;
  readonly inputs: string;
}

/** One corner of an arc from the row that is read to the row that reads. */
interface Corner {
  readonly arc: string;
  readonly order: number;
  readonly row: number;
  /** 0 at the steps, -1 at the far left. */
  readonly x: number;
}

/** Where names begin and shapes at the earliest, and how wide shapes are, of 100, the width of the steps. */
const [NAME_AT, SHAPE_AT, SHAPE_WIDTH] = [1, 20, 26] as const;
/** How wide a bold letter of a name is, and one of a formula. */
const [NAME_LETTER, FORMULA_LETTER] = [0.9, 0.87] as const;
const ARCS_WIDTH = 22;

/**
 * Draws what is known without values: any model, any run, at any point. Throws UsageError where no step belongs to the
 * layer, or none has the name to highlight.
 */
export async function steps(source: StepSource, { layer = 0, current }: StepsOptions = {}): Promise<Chart> {
  const own = source.steps.filter((step) => step.layer === layer);
  const layers = source.steps.reduce((most, step) => Math.max(most, step.layer ?? -1), -1);
  if (own.length === 0)
    throw new UsageError(`Cannot draw the steps of layer ${layer}: there are layers 0 to ${layers}`);
  const marked = current ?? source.next?.name;
  if (current !== undefined && !own.some(({ name }) => name === current)) {
    throw new UsageError(
      `Cannot highlight step ${current}: ${titleOf(layer)} have ${own.map(({ name }) => name).join(', ')}`,
    );
  }
  const rows = rowsOf(source, own, marked);
  const next = rows.find(({ state }) => state === 'next');
  const done = rows.filter(({ state }) => state === 'done').length;
  return chart(
    {
      title: `What ${titleOf(layer)} compute`,
      subtitle: [
        `${own.length} steps from top to bottom: name, shape of what it makes, op with its formula`,
        'An arc leads from a step to one that reads it; weights and whole formulas are in the tooltip',
      ],
      description:
        `Diagram of ${titleOf(layer)}: ${own.length}, from ${own[0]?.name} to ${own.at(-1)?.name}; ` +
        `${done} are done${next ? `, and ${next.name} is highlighted` : ''}.`,
    },
    diagram(rows, corners(own, rows)),
  );
}

function titleOf(layer: number | null): string {
  return layer === null ? 'the steps outside of the layers' : `the steps of layer ${layer}`;
}

/** What the steps read from before comes first, then the steps. */
function rowsOf({ steps: all, trace }: StepSource, own: readonly Step[], marked: string | undefined): Row[] {
  const names = new Set(own.map(({ name }) => name));
  const read = new Set(own.flatMap(({ inputs }) => Object.values(inputs)));
  const before = all.filter(({ name }) => read.has(name) && !names.has(name));
  const computed = new Map(trace?.entries.map((entry) => [entry.name, entry.shape]));
  return [...before, ...own].map((step, row) => {
    const shape = computed.get(step.name);
    const formula = `${step.op}: ${ops[step.op]?.formula ?? ''}`;
    const state = !names.has(step.name)
      ? 'from before'
      : step.name === marked
        ? 'next'
        : shape
          ? 'done'
          : 'not yet run';
    return {
      ...{ row, name: step.name, state, op: step.op, formula },
      shape: step.dims.map((dim, axis) => (shape ? `${dim} ${shape[axis]}` : dim)).join(' × '),
      inputs: Object.entries(step.inputs)
        .map(([role, name]) => `${role} = ${name}`)
        .join(', '),
    };
  });
}

function cut(text: string, letters: number): string {
  return text.length > letters ? `${text.slice(0, letters - 1)}…` : text;
}

/** A cache slot stands for the step that writes it. */
function corners(own: readonly Step[], rows: readonly Row[]): Corner[] {
  const rowOf = new Map(rows.map(({ name, row }) => [name, row]));
  for (const { name, writes } of own) if (writes) rowOf.set(writes, rowOf.get(name) as number);
  return own.flatMap(({ name, inputs }) => {
    const to = rowOf.get(name) as number;
    return [...new Set(Object.values(inputs))].flatMap((input) => {
      const from = rowOf.get(input);
      if (from === undefined) return [];
      const x = -ARCS_WIDTH * Math.min(1, (to - from) / rows.length) - 1;
      const at = [
        [0, from],
        [x, from],
        [x, to],
        [0, to],
      ] as const;
      return at.map(([corner, row], order): Corner => ({ arc: `${input} → ${name}`, order, row, x: corner }));
    });
  });
}

function diagram(rows: readonly Row[], arcs: readonly Corner[]): Layers {
  const longest = Math.max(...rows.map(({ name }) => name.length));
  const shapeAt = Math.max(SHAPE_AT, NAME_AT + NAME_LETTER * (longest + 1));
  const formulaAt = shapeAt + SHAPE_WIDTH;
  const letters = Math.floor((100 - formulaAt) / FORMULA_LETTER);
  const y = { field: 'row', type: 'ordinal', axis: null } as const;
  const scale = { domain: [-ARCS_WIDTH - 1, 100], nice: false, zero: false };
  const tooltip = [
    { field: 'name', type: 'nominal', title: 'step' },
    { field: 'formula', type: 'nominal', title: 'computes' },
    { field: 'inputs', type: 'nominal', title: 'from' },
    { field: 'shape', type: 'nominal', title: 'shape' },
    { field: 'state', type: 'nominal', title: 'state' },
  ] as const;
  const column = (field: 'name' | 'shape' | 'short', at: number): Layers['layer'][number] => ({
    mark: { type: 'text', align: 'left', fontSize: 11, fontWeight: field === 'name' ? 'bold' : 'normal' },
    encoding: {
      y,
      x: { datum: at, type: 'quantitative', scale },
      text: { field, type: 'nominal' },
      tooltip: [...tooltip],
    },
  });
  return {
    width: 900,
    height: { step: 22 },
    data: { values: rows.map((row) => ({ ...row, short: cut(row.formula, letters) })) },
    layer: [
      {
        mark: { type: 'bar', height: 18, cornerRadius: 3, aria: false },
        encoding: {
          y,
          x: { datum: 0, type: 'quantitative', scale, axis: null },
          x2: { datum: 100 },
          color: {
            ...{ field: 'state', type: 'nominal', title: 'step is' },
            scale: { domain: [...STATES], range: ['#cfe6f7', CATEGORIES[4], '#ececec', '#ffffff'] },
            legend: { orient: 'bottom', symbolType: 'square', symbolStrokeColor: '#888', symbolStrokeWidth: 1 },
          },
          tooltip: [...tooltip],
        },
      },
      {
        data: { values: [...arcs] },
        mark: { type: 'line', interpolate: 'basis', color: '#555', strokeWidth: 1.2, aria: false },
        encoding: {
          y,
          x: { field: 'x', type: 'quantitative', scale },
          detail: { field: 'arc', type: 'nominal' },
          order: { field: 'order', type: 'quantitative' },
          tooltip: { field: 'arc', type: 'nominal', title: 'reads' },
        },
      },
      column('name', NAME_AT),
      column('shape', shapeAt),
      column('short', formulaAt),
    ],
  };
}
