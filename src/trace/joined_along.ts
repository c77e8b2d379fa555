/** The passes of a tensor as one. */
import { Tensor } from './tensor.ts';

/**
 * Tensors one after the other along an axis; the first gives the name. The last axis may be longer in later ones, as the keys of
 * attention scores are: then what a part did not have yet is 0. A single one is given back as it is.
 */
export function joinedAlong(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts as readonly [Tensor, ...Tensor[]];
  if (parts.length === 1) return first;
  const width = (tensor: Tensor) => product(tensor.shape.slice(axis + 1));
  const widest = parts.reduce((widest, part) => (width(part) > width(widest) ? part : widest), first);
  const rows = parts.reduce((sum, part) => sum + (part.shape[axis] as number), 0);
  const shape = [...first.shape.slice(0, axis), rows, ...widest.shape.slice(axis + 1)];
  const data = new Float32Array(product(shape));
  const outer = product(first.shape.slice(0, axis));
  let done = 0;
  for (const part of parts) {
    const count = part.shape[axis] as number;
    const size = width(part);
    for (let o = 0; o < outer; o++) {
      for (let r = 0; r < count; r++) {
        const from = (o * count + r) * size;
        data.set(part.data.subarray(from, from + size), (o * rows + done + r) * width(widest));
      }
    }
    done += count;
  }
  return new Tensor({ name: first.name, shape, dims: first.dims, data });
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}
