/** Every fault with its page, and whether this model can have it. */
import { faults as all, type Fault, fault, type Page, pageOf } from '../../../engine/faults/index.ts';
import type { Model } from '../../../engine/model.ts';
import { UsageError } from '../../../errors.ts';
import type { Experiment } from '../experiment.ts';
import type { Request } from '../request.ts';

export interface FaultCard extends Page {
  /** Why this model cannot have it, a sentence; null where it can. */
  readonly cannot: string | null;
  /** It changes the tokens, so that nothing lies beside the healthy run tensor by tensor. */
  readonly changesTokens: boolean;
}

export const faults: Request<Pick<Experiment, 'file' | 'backend'>, FaultCard[]> = async (session, params) => {
  const model = await session.model(params);
  return all.map((each) => ({
    ...pageOf(each, model.config.nLayer),
    cannot: whyNot(each, model),
    changesTokens: each.changes === undefined,
  }));
};

function whyNot({ name }: Fault, model: Model): string | null {
  try {
    model.with(fault(name));
    return null;
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}
