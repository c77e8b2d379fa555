/** A request that the page can make of the session: one file in requests/ each. Params and result are plain data and typed arrays. */
import type { Watch } from '../../platform.ts';
import type { Session } from './session.ts';

export type Request<Params, Result> = (session: Session, params: Params, watch: Watch) => Promise<Result>;
