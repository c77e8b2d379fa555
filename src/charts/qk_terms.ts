/**
 * One attention score taken apart: which dimensions of the query and the key make it.
 *
 *   score   = Σ over d of q_d · k_d        after RoPE; `kq` holds it
 *   weight  = softmax over the keys of score / √dim; `kq_soft_max` holds it
 *
 * With grouped queries (Ainslie et al. 2023, arXiv:2305.13245) several heads ask the same keys: head h reads key head
 * ⌊h · nHeadKv / nHead⌋.
 */
import { TraceError } from '../errors.ts';
import type { Trace } from '../trace/trace.ts';
import { mustHaveHead, patternOf } from './pattern.ts';
import { rowAt } from './source.ts';

/** Which score. */
export interface QkPlace {
  readonly layer: number;
  readonly head: number;
  /** Position of the token that looks. */
  readonly query: number;
  /** Position of the token looked at: the query's own or an earlier one. */
  readonly key: number;
}

export interface QkTerms extends QkPlace {
  /** Of the key head that this head reads, and how many heads read it. */
  readonly headKv: number;
  readonly sharedBy: number;
  /** [dim], after RoPE. */
  readonly q: Float32Array;
  readonly k: Float32Array;
  /** q_d · k_d. */
  readonly products: Float64Array;
  /** Their sum, added up in f64. */
  readonly score: number;
  /** What the run has for it, `kq`. */
  readonly recorded: number;
  /** 1/√dim. */
  readonly scale: number;
  /** The softmax of the run's scaled scores over the keys 0 … query. */
  readonly weight: number;
  /** What the run has for it, `kq_soft_max`; another number where it scales or masks in another way. */
  readonly recordedWeight: number;
}

/** Throws TraceError where there is no such layer, head or position, or values were not kept. */
export async function qkTerms(trace: Trace, { layer, head, query, key }: QkPlace): Promise<QkTerms> {
  const chart = `the score of head ${head} in layer ${layer}`;
  const pattern = await patternOf(trace, layer, chart);
  mustHaveHead(pattern, head);
  mustSee(query, key, pattern.start, pattern.end, chart);
  const scores = (await patternOf(trace, layer, chart, 'kq')).row(head, query);
  const q = (await rowAt(trace, `Qcur_rope-${layer}`, query, chart)).values;
  const keys = (await rowAt(trace, `Kcur_rope-${layer}`, key, chart)).values;
  const dim = q.length / pattern.nHead;
  const sharedBy = q.length / keys.length;
  const headKv = Math.floor(head / sharedBy);
  const of = (values: Float32Array, at: number) => values.slice(at * dim, (at + 1) * dim);
  const [own, asked] = [of(q, head), of(keys, headKv)];
  const products = Float64Array.from(own, (x, d) => x * (asked[d] as number));
  const scale = 1 / Math.sqrt(dim);
  return {
    ...{ layer, head, query, key, headKv, sharedBy, q: own, k: asked, products, scale },
    score: products.reduce((sum, product) => sum + product, 0),
    recorded: scores[key] as number,
    weight: softmaxAt(scores, key, scale),
    recordedWeight: pattern.row(head, query)[key] as number,
  };
}

function mustSee(query: number, key: number, start: number, end: number, chart: string): void {
  const isIn = (at: number, from: number, to: number) => Number.isInteger(at) && at >= from && at < to;
  if (isIn(query, start, end) && isIn(key, 0, query + 1)) return;
  throw new TraceError(
    `Cannot draw ${chart}: found query ${query} and key ${key}; wanted a query from ${start} to ${end - 1} and a key ` +
      'up to it: a token sees itself and those before it',
  );
}

function softmaxAt(scores: Float32Array, at: number, scale: number): number {
  const most = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const exps = Float64Array.from(scores, (score) => Math.exp(scale * (score - most)));
  return (exps[at] as number) / exps.reduce((sum, exp) => sum + exp, 0);
}
