/** Ends the guessing of a hunt: names a suspect, and is told what it was. */
import type { HuntResult } from '../../../compare/bug_hunt.ts';
import type { FaultSpec } from '../experiment.ts';
import type { Request } from '../request.ts';
import type { HuntParams } from './hunt.ts';

export interface SuspectParams extends HuntParams {
  readonly fault: string;
  readonly layer?: number;
  readonly head?: number;
}

export type HuntResultView = Pick<
  HuntResult,
  'score' | 'submitted' | 'isFault' | 'isLayer' | 'isHead' | 'texts' | 'path'
> & {
  /** What it was, as an experiment takes it. */
  readonly drawn: FaultSpec;
  /** What was right, what it was, and the path, in lines. */
  readonly lines: readonly string[];
};

export const suspect: Request<SuspectParams, HuntResultView> = async (
  session,
  { fault, layer, head, ...params },
  watch,
) => {
  const hunted = await session.hunt(params, watch);
  const place = { ...(layer === undefined ? {} : { layer }), ...(head === undefined ? {} : { head }) };
  const result = await hunted.submit(fault, place);
  const { score, submitted, isFault, isLayer, isHead, texts, path } = result;
  const { name, ...drawn } = result.drawn;
  return {
    ...{ score, submitted, isFault, isLayer, isHead, texts, path },
    drawn: { fault: name, params: drawn },
    lines: `${result}`.split('\n'),
  };
};
