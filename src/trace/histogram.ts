/** How often values of each size occur, over a whole tensor. */

export interface Histogram {
  /** The least and the greatest finite value; null where none is finite. */
  readonly range: readonly [least: number, greatest: number] | null;
  /** Finite values in each of the equally wide bins between them; the last bin has both its ends. */
  readonly counts: readonly number[];
}

/** NaN and Inf fall into no bin; where all values are one, they are in the first. */
export function histogramOf(data: Float32Array, bins: number): Histogram {
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (const x of data) {
    if (!Number.isFinite(x)) continue;
    if (x < least) least = x;
    if (x > greatest) greatest = x;
  }
  const counts = new Array<number>(bins).fill(0);
  if (least > greatest) return { range: null, counts };
  const scale = greatest > least ? bins / (greatest - least) : 0;
  for (const x of data) {
    if (!Number.isFinite(x)) continue;
    const bin = Math.min(bins - 1, Math.floor((x - least) * scale));
    counts[bin] = (counts[bin] as number) + 1;
  }
  return { range: [least, greatest], counts };
}
