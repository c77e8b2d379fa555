/**
 * change: a tensor, a head of it or a token's row is zeroed, scaled, made noisy or set to a number: the edits that need no
 * function and are plain data, so that a manifest tells them whole.
 */
import { StepError, UsageError } from '../../errors.ts';
import type { Pass } from '../../ops/op.ts';
import type { Tensor } from '../../trace/tensor.ts';
import { mulberry32 } from '../sampler.ts';
import { edit } from './edit.ts';
import type { Transform } from './transform.ts';

export interface ChangeOptions {
  /**
   * noise: a normal number of standard deviation `by` times the RMS of the pass's tensor is added. set: every chosen number
   * becomes `by`.
   */
  readonly how: 'zero' | 'scale' | 'noise' | 'set';
  /** The factor, the noise's size or the number; not of zero. */
  readonly by?: number;
  /** Position in the text; every token where absent. A pass that is not over it stays as it is. */
  readonly token?: number;
  /** Every head where absent. */
  readonly head?: number;
  /** Of the noise, which each pass draws anew. Default 1. */
  readonly seed?: number;
}

/**
 * Changes the named tensors, globs too, as `edit` does: `model.with(change('kqv_out-0', { how: 'zero', head: 3 }))`. Throws
 * UsageError where `how`, `by` or `token` is none such; applying it throws StepError where no step has such a name, and a run
 * where a tensor has no such head.
 */
export function change(names: string, options: ChangeOptions): Transform {
  mustBeOptions(names, options);
  return {
    ...edit(names, (tensor, pass) => changed(tensor, pass, options)),
    name: 'change',
    params: { tensors: names, ...options },
  };
}

/** What `by` is in each; null where there is none. */
const MEANING: Readonly<Record<ChangeOptions['how'], string | null>> = {
  zero: null,
  scale: 'the factor',
  noise: 'the share of the RMS that the noise has',
  set: 'the number that every element becomes',
};

/** Options may come from a link, which anybody can write. */
function mustBeOptions(names: string, { how, by, token }: ChangeOptions): void {
  if (!Object.hasOwn(MEANING, how)) {
    throw new UsageError(`Cannot change ${names}: found how '${how}'; wanted ${Object.keys(MEANING).join(', ')}`);
  }
  if (MEANING[how] !== null && !Number.isFinite(by)) {
    throw new UsageError(
      `Cannot change ${names}: ${how} needs by, ${MEANING[how]}; found ${by}. Give it: change('${names}', { how: '${how}', by: 0.5 })`,
    );
  }
  if (token !== undefined && !(Number.isInteger(token) && token >= 0)) {
    throw new UsageError(`Cannot change token ${token} of ${names}: a position in the text is 0, 1, 2, …`);
  }
}

function changed(tensor: Tensor, { nPast }: Pass, { how, by = 0, token, head, seed = 1 }: ChangeOptions): Float32Array {
  const data = Float32Array.from(tensor.data);
  const isChosen = chosenIn(tensor, token === undefined ? undefined : token - nPast, head);
  const next = {
    zero: () => 0,
    set: () => by,
    scale: (x: number) => by * x,
    noise: noiseOf(by * rms(data), seed + nPast),
  }[how];
  for (let i = 0; i < data.length; i++) {
    if (isChosen(i)) data[i] = next(data[i] as number);
  }
  return data;
}

/** Which offsets lie in the wanted row and head. A row of another pass is none of this one's. */
function chosenIn(tensor: Tensor, row: number | undefined, head: number | undefined): (offset: number) => boolean {
  const inRow = row === undefined ? () => true : coordinateIs(tensor, 'token', row);
  const inHead = head === undefined ? () => true : coordinateIs(tensor, 'head', head);
  if (head !== undefined) {
    const nHead = tensor.shape[tensor.dims.indexOf('head')] as number;
    if (!(Number.isInteger(head) && head >= 0 && head < nHead)) {
      throw new StepError(`Cannot change head ${head} of ${tensor.name}: its heads are 0 to ${nHead - 1}`, {
        step: tensor.name,
      });
    }
  }
  return (offset) => inRow(offset) && inHead(offset);
}

function coordinateIs({ name, shape, dims }: Tensor, dim: string, at: number): (offset: number) => boolean {
  const axis = dims.indexOf(dim);
  if (axis < 0) {
    throw new StepError(`Cannot change a ${dim} of ${name}: its axes are ${dims.join(', ')}; leave ${dim} out`, {
      step: name,
    });
  }
  const stride = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const size = shape[axis] as number;
  return (offset) => Math.floor(offset / stride) % size === at;
}

function rms(data: Float32Array): number {
  return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
}

/** Adds normally distributed numbers, drawn as Box and Muller 1958 do. */
function noiseOf(deviation: number, seed: number): (x: number) => number {
  const uniform = mulberry32(seed);
  return (x) => x + deviation * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
