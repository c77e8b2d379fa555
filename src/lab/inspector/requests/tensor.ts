/** The values of a tensor or weight, or of a part of it. */

import { UsageError } from '../../../errors.ts';
import type { Range, Tensor } from '../../../trace/tensor.ts';
import type { Trace, TraceRow } from '../../../trace/trace.ts';
import type { Experiment } from '../experiment.ts';
import type { Request } from '../request.ts';
import { isRun } from '../session.ts';

export interface TensorParams {
  readonly experiment: Experiment;
  /** A name or alias, or a weight's GGUF name. */
  readonly name: string;
  /** By default the last that has the tensor. */
  readonly pass?: number;
  /** All of it unless said otherwise. */
  readonly part?: Part;
}

/** Axes that are named by `token` and `head` go away. */
export interface Part {
  /** Of the first axis, `[start, end)`. */
  readonly rows?: readonly [start: number, end: number];
  /** Position in the text. */
  readonly token?: number;
  readonly head?: number;
}

export interface TensorValues {
  readonly name: string;
  /** Null for a weight. */
  readonly pass: number | null;
  /** Position of the pass's first token; 0 for a weight. */
  readonly pos0: number;
  readonly shape: readonly number[];
  readonly dims: readonly string[];
  /** Row-major. */
  readonly data: Float32Array;
}

export const tensor: Request<TensorParams, TensorValues> = async (session, { experiment, name, pass, part = {} }) => {
  const subject = await session.subject(experiment);
  if (isRun(subject) && subject.model.weightInfo(name)) {
    const { rows, ...rest } = part;
    const weight = await subject.model.weight(name, rows ? { rows } : {});
    return { pass: null, pos0: 0, ...valuesOf(partOf(weight, rest, 0)), name };
  }
  const trace = isRun(subject) ? subject.trace : subject;
  const whole = await trace.tensor(name, { pass: pass ?? passWith(trace, name, part.token) });
  const rows = trace.entries.filter((row) => row.name === whole.name && (pass === undefined || row.pass === pass));
  const row = rows.findLast((each) => holds(each, part.token));
  if (!row) {
    const ends = rows.map(({ pos0, shape, dims }) => pos0 + (shape[dims.indexOf('token')] as number) - 1);
    throw new UsageError(
      `Cannot take token ${part.token} of ${whole.name}: ${pass === undefined ? 'it' : `its pass ${pass}`} has tokens ` +
        `${rows[0]?.pos0} to ${Math.max(...ends)}`,
    );
  }
  return { pass: row.pass, pos0: row.pos0, ...valuesOf(partOf(whole, part, row.pos0)), name: whole.name };
};

/** The last pass, of those that have a position where one is named. */
function passWith(trace: Trace, name: string, token: number | undefined): number | 'last' {
  if (token === undefined) return 'last';
  return trace.entries.findLast((row) => namesOf(row).includes(name) && holds(row, token))?.pass ?? 'last';
}

function namesOf({ name, hook, hf }: TraceRow): (string | null)[] {
  return [name, hook, hf];
}

/** Whether a row has the position; of a tensor without tokens no position is wrong here. */
function holds({ pos0, shape, dims }: TraceRow, token: number | undefined): boolean {
  const axis = dims.indexOf('token');
  return token === undefined || axis < 0 || (token >= pos0 && token < pos0 + (shape[axis] as number));
}

function valuesOf({ shape, dims, data }: Tensor): Pick<TensorValues, 'shape' | 'dims' | 'data'> {
  return { shape, dims, data };
}

function partOf(whole: Tensor, { rows, token, head }: Part, pos0: number): Tensor {
  const ranges: Range[] = whole.shape.map((_, axis) => (axis === 0 && rows ? rows : null));
  const choose = (dim: string, at: number | undefined) => {
    if (at === undefined) return;
    const axis = whole.dims.indexOf(dim);
    if (axis < 0) {
      throw new UsageError(
        `Cannot take a ${dim} of ${whole.name}: its axes are ${whole.dims.join(', ')}; leave ${dim} out`,
      );
    }
    ranges[axis] = at;
  };
  choose('token', token === undefined ? undefined : token - pos0);
  choose('head', head);
  return ranges.every((range) => range === null) ? whole : whole.slice(...ranges);
}
