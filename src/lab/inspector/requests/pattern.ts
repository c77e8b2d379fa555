/** How the heads of a layer share their attention out, over all passes: what the page draws over the text itself. */
import { patternOf } from '../../../charts/pattern.ts';
import type { Experiment } from '../experiment.ts';
import type { Request } from '../request.ts';
import { isRun } from '../session.ts';

export interface PatternParams {
  readonly experiment: Experiment;
  readonly layer: number;
}

export interface LayerPattern {
  readonly nHead: number;
  /** Position of the first query, and the number of positions. */
  readonly start: number;
  readonly end: number;
  /** [head, query from start on, key from 0 on], row-major; 0 where a key stands after its query. */
  readonly weights: Float32Array;
}

export const pattern: Request<PatternParams, LayerPattern> = async (session, { experiment, layer }) => {
  const subject = await session.subject(experiment);
  const found = await patternOf(isRun(subject) ? subject.trace : subject, layer, `attention of layer ${layer}`);
  const { nHead, start, end } = found;
  const weights = new Float32Array(nHead * (end - start) * end);
  for (let head = 0; head < nHead; head++) {
    for (let query = start; query < end; query++) {
      weights.set(found.row(head, query), (head * (end - start) + query - start) * end);
    }
  }
  return { nHead, start, end, weights };
};
