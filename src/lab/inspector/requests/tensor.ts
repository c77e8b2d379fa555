/** The values of a tensor or weight, or of a part of it. */

import { UsageError } from '../../../errors.ts';
import type { Range, Tensor } from '../../../trace/tensor.ts';
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
  if (isRun(subject) && subject.model.gguf.tensors.has(name)) {
    const { rows, ...rest } = part;
    const weight = await subject.model.weight(name, rows ? { rows } : {});
    return { pass: null, pos0: 0, ...valuesOf(partOf(weight, rest, 0)), name };
  }
  const trace = isRun(subject) ? subject.trace : subject;
  const whole = await trace.tensor(name, pass === undefined ? {} : { pass });
  const row = trace.entries.findLast((each) => each.name === whole.name && (pass === undefined || each.pass === pass));
  const pos0 = row?.pos0 ?? 0;
  return { pass: row?.pass ?? 0, pos0, ...valuesOf(partOf(whole, part, pos0)), name: whole.name };
};

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
