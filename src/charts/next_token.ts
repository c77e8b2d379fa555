/** The distribution of the token that comes next, as charts read it: `result_output` at a position, and its softmax. */
import { Tensor } from '../trace/tensor.ts';
import { rowAt, type Source, traceOf } from './source.ts';

export interface NextToken {
  /** After which token. */
  readonly position: number;
  /** By id; may hold NaN. */
  readonly logits: Float32Array;
  /** By id; 0 where the logit is NaN. */
  readonly probabilities: Float32Array;
  /** Logits that are NaN, and can have no rank. */
  readonly nanCount: number;
  /** The k likeliest ids, likeliest first. */
  top(k: number): number[];
}

/** A negative position counts from the end. Throws TraceError where there is none such, or its values were not kept. */
export async function nextTokenAt(source: Source, position: number, chart: string): Promise<NextToken> {
  const row = await rowAt(traceOf(source), 'result_output', position, chart);
  const finite = new Tensor({
    name: 'logits',
    shape: [row.values.length],
    data: row.values.map((logit) => (Number.isNaN(logit) ? Number.NEGATIVE_INFINITY : logit)),
  });
  return {
    position: row.position,
    logits: row.values,
    probabilities: finite.softmax().data,
    nanCount: row.values.filter(Number.isNaN).length,
    top: (k) =>
      finite
        .topK(k)
        .map(({ index }) => index)
        .filter((id) => !Number.isNaN(row.values[id])),
  };
}
