/** Changes of one tensor that some bug in some engine would make, drawn by seed. */
import type { Tensor } from '../../src/trace/tensor.ts';

export interface Mutation {
  readonly what: string;
  readonly data: Float32Array;
  /** Row-major offsets of the elements that may differ. */
  readonly touched: ReadonlySet<number>;
}

const KINDS = ['element', 'token', 'head', 'permutation', 'scale', 'zero', 'shift', 'not finite'] as const;

/**
 * A mutation that moves some element beyond ten times `bound`, which gives each element's own; another is drawn until it
 * does. `masked` elements are nobody's.
 */
export function mutationOf(
  tensor: Tensor,
  random: () => number,
  bound: (offset: number) => number,
  masked: (offset: number) => boolean,
): Mutation {
  for (;;) {
    const mutation = drawn(tensor, random);
    const moved = [...mutation.touched].filter((i) => !masked(i));
    const isEnough = moved.some((i) => {
      const error = Math.abs((mutation.data[i] as number) - (tensor.data[i] as number));
      return !(error <= 10 * bound(i));
    });
    if (isEnough) return mutation;
  }
}

function drawn({ data, shape, dims }: Tensor, random: () => number): Mutation {
  const pick = (n: number) => Math.floor(random() * n);
  const kind = KINDS[pick(KINDS.length)] as (typeof KINDS)[number];
  const changed = Float32Array.from(data);
  const touched = new Set<number>();
  const set = (i: number, value: number) => {
    changed[i] = value;
    touched.add(i);
  };
  /** Offsets of index `at` along an axis. */
  const along = (axis: number, at: number) => {
    const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const size = shape[axis] as number;
    return Array.from(data.keys()).filter((i) => Math.floor(i / inner) % size === at);
  };
  const some = pick(data.length);
  switch (kind) {
    case 'element':
      set(some, (data[some] as number) + (random() - 0.5));
      break;
    case 'token':
    case 'head': {
      const axis = dims.indexOf(kind);
      if (axis < 0) break;
      const factor = 1 + (random() - 0.5);
      for (const i of along(axis, pick(shape[axis] as number))) set(i, (data[i] as number) * factor);
      break;
    }
    case 'permutation': {
      const axis = pick(shape.length);
      const [from, to] = [along(axis, pick(shape[axis] as number)), along(axis, pick(shape[axis] as number))];
      for (const [n, i] of from.entries()) {
        const j = to[n] as number;
        set(i, data[j] as number);
        set(j, data[i] as number);
      }
      break;
    }
    case 'scale':
      for (const i of data.keys()) set(i, (data[i] as number) * (1 + 0.01 * random()));
      break;
    case 'zero':
      for (const i of data.keys()) set(i, 0);
      break;
    case 'shift':
      for (const i of data.keys()) set(i, data[(i + 1) % data.length] as number);
      break;
    case 'not finite':
      set(some, [Number.NaN, Number.POSITIVE_INFINITY][pick(2)] as number);
      break;
    default:
      kind satisfies never;
  }
  return { what: kind, data: changed, touched };
}
