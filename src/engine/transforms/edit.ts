/**
 * edit: a function of the user changes tensors in the middle of a run, before anything reads them: silence a head, add a
 * direction, put another run's value in. After each such step the run hands the value to the host and takes it back, so
 * nothing that is edited is fused away.
 *
 * The idea is TransformerLens' hooks (Nanda and Bloom 2022): functions, by the name of an activation.
 */
import { StepError } from '../../errors.ts';
import { NameIndex } from '../../llama/names.ts';
import type { Pass } from '../../ops/op.ts';
import { sizeOf } from '../../ops/shape.ts';
import type { Edit, Step } from '../../ops/step.ts';
import { Tensor } from '../../trace/tensor.ts';
import type { Transform } from './transform.ts';

/** As many numbers as the tensor has, in its order; of a Tensor the shape must be the same too. */
export type Edited = Tensor | Float32Array | readonly number[];

/** Gives a tensor's new value. `pass` says which tokens it holds: `nTokens` of them, the first at position `nPast`. */
export type EditFunction = (tensor: Tensor, pass: Pass) => Edited | Promise<Edited>;

export interface EditOptions {
  /** What the manifest calls the change, for functions are no data. Default: the function's own name, if it has one. */
  readonly label?: string;
}

/**
 * Lets `fn` change the named tensors, in the prompt's pass and in that of each generated token. Names are any that a step
 * has, and globs over them, such as `kqv_out-*`; edits of one tensor follow each other in the order of the transforms.
 * Values are f32, on `reference` too.
 *
 * Applying it throws StepError where no step has such a name. A run throws it where the new value does not fit; then, and
 * where `fn` throws, the move ends just before that step.
 */
export function edit(
  names: string | readonly string[],
  fn: EditFunction,
  { label = fn.name }: EditOptions = {},
): Transform {
  return {
    name: 'edit',
    params: { tensors: [names].flat().join(), ...(label ? { label } : {}) },
    apply(steps) {
      const chosen = new NameIndex(steps.map(({ name }) => name)).select(names, 'edit');
      return steps.map((step) => (chosen.has(step.name) ? { ...step, edit: editOf(step, fn) } : step));
    },
  };
}

/** The edits that a step has already, then `fn`. */
function editOf({ name, dims, edit: before }: Step, fn: EditFunction): Edit {
  return async ({ shape, data }, pass) => {
    const input = before ? await before({ shape, data }, pass) : data;
    const value = await fn(new Tensor({ name, shape, dims, data: input }), pass);
    if (value instanceof Tensor ? value.shape.join() === shape.join() : value?.length === sizeOf(shape)) {
      return value instanceof Tensor ? value.data : Float32Array.from(value);
    }
    throw new StepError(
      `Cannot edit ${name}: the function gave ${described(value)}; wanted [${shape.join(', ')}], ${sizeOf(shape)} numbers. ` +
        'Return the whole tensor, with other values in it',
      { step: name },
    );
  };
}

/** What a function gave that does not fit; one without types may have given nothing. */
function described(value: Edited | undefined): string {
  if (value === undefined) return 'nothing';
  return value instanceof Tensor ? `a tensor [${value.shape.join(', ')}]` : `${value.length} numbers`;
}
