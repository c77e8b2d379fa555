/**
 * The next-token distributions of two sets of logits. Their softmax is what a user meets, so here a difference is counted in
 * nats and in ranks; the logits themselves are compared like any tensor.
 *
 *   kl(p ‖ q) = Σ p (log p − log q)   p the reference's distribution, q ours, over the whole vocabulary
 *             = Σ p (e^−δ − 1 + δ)    δ = log p − log q, as Σp = Σq = 1
 *
 * The second form is used: none of its terms is negative, so distributions that differ in the eighth digit still have a
 * divergence of 1e-17 and not what cancellation leaves. Order of p and q as in llama.cpp's perplexity tool (`--kl-divergence`).
 */
import { TraceError, UsageError } from '../errors.ts';
import type { Tensor } from '../trace/tensor.ts';
import type { LogitsComparison } from './comparison.ts';

export interface LogitsOptions {
  /** Position in the text of the first row. */
  readonly pos0: number;
  /** How many of the likeliest tokens to look for on the other side. Default 5; at most the vocabulary. */
  readonly k?: number;
}

/**
 * One comparison for each row of `[token, vocab]` logits. Of equal logits the lower id comes first; NaN counts as least, and
 * a row with one has a KL of NaN. Throws TraceError where the two differ in shape, UsageError where k is no count.
 */
export function compareLogits(ours: Tensor, reference: Tensor, { pos0, k = 5 }: LogitsOptions): LogitsComparison[] {
  if (!Number.isInteger(k) || k < 1) {
    throw new UsageError(`Cannot compare the ${k} likeliest tokens: k must be a whole number, 1 or more`);
  }
  const [nTokens, nVocab] = reference.shape;
  if (ours.shape.join() !== reference.shape.join() || reference.shape.length !== 2 || nVocab === undefined) {
    throw new TraceError(
      `Cannot compare the logits ${ours.name} [${ours.shape.join(', ')}] with ${reference.name} ` +
        `[${reference.shape.join(', ')}]; wanted the same [token, vocab] on both sides`,
      { tensor: ours.name },
    );
  }
  return Array.from({ length: nTokens as number }, (_, row) => {
    const of = ({ data }: Tensor) => data.subarray(row * nVocab, (row + 1) * nVocab);
    return compareRow(of(ours), of(reference), pos0 + row, Math.min(k, nVocab));
  });
}

function compareRow(ours: Float32Array, reference: Float32Array, token: number, k: number): LogitsComparison {
  const [mine, theirs] = [likeliest(ours, k), likeliest(reference, k)];
  const choice = theirs[0] as number;
  return {
    token,
    kl: divergence(reference, ours),
    overlap: theirs.filter((id) => mine.includes(id)).length,
    k,
    ours: mine[0] as number,
    reference: choice,
    rank: rankOf(choice, ours),
  };
}

/** Whether id a comes before id b. */
function isBefore(a: number, b: number, logits: Float32Array): boolean {
  const [x, y] = [size(logits[a] as number), size(logits[b] as number)];
  return x > y || (x === y && a < b);
}

function size(logit: number): number {
  return Number.isNaN(logit) ? Number.NEGATIVE_INFINITY : logit;
}

/** The ids of the k largest logits, in order; k is small, so each logit is held against the last of those found. */
function likeliest(logits: Float32Array, k: number): number[] {
  const found: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    if (found.length === k && !isBefore(id, found[k - 1] as number, logits)) continue;
    const at = found.findIndex((other) => isBefore(id, other, logits));
    found.splice(at < 0 ? found.length : at, 0, id);
    if (found.length > k) found.pop();
  }
  return found;
}

/** How many ids come before one. */
function rankOf(id: number, logits: Float32Array): number {
  let rank = 0;
  for (let other = 0; other < logits.length; other++) if (isBefore(other, id, logits)) rank++;
  return rank;
}

/** KL(p ‖ q) in nats of the distributions that two rows of logits stand for. */
function divergence(pLogits: Float32Array, qLogits: Float32Array): number {
  const [pNorm, qNorm] = [logSumExp(pLogits), logSumExp(qLogits)];
  let sum = 0;
  for (let id = 0; id < pLogits.length; id++) {
    const [logP, logQ] = [(pLogits[id] as number) - pNorm, (qLogits[id] as number) - qNorm];
    const [p, q] = [Math.exp(logP), Math.exp(logQ)];
    const delta = logP - logQ;
    // p = 0 needs no delta, which may be -∞ or NaN then. Far apart the plain form cancels nothing and overflows nowhere.
    if (p === 0) sum += q;
    else sum += Math.abs(delta) < 1 ? p * (Math.expm1(-delta) + delta) : q - p + p * delta;
  }
  return sum;
}

/** log Σ exp(x); NaN where one of them is. */
function logSumExp(logits: Float32Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (const x of logits) max = Math.max(max, x);
  let sum = 0;
  for (const x of logits) sum += Math.exp(x - max);
  return max + Math.log(sum);
}
