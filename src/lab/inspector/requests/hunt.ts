/** Blind mode: hides a fault in the model. From then on an experiment with that hunt runs on the broken engine. */
import type { Experiment, HuntSpec } from '../experiment.ts';
import type { Request } from '../request.ts';

export interface HuntParams extends Pick<Experiment, 'file' | 'backend'> {
  readonly hunt: HuntSpec;
}

export interface HuntView extends HuntSpec {
  /** How many different texts the broken engine was given so far. */
  readonly texts: number;
  /** Every fault that could be the one. */
  readonly suspects: readonly { readonly name: string; readonly title: string }[];
}

export const hunt: Request<HuntParams, HuntView> = async (session, { file, backend, hunt }, watch) => {
  const { texts, suspects } = await session.hunt({ file, backend, hunt }, watch);
  return { ...hunt, texts, suspects };
};
