/** Whether a file holds a model, for `open`, or a trace, for `openTrace`. */
import type { Request } from '../request.ts';

export const kind: Request<{ readonly file: string }, 'model' | 'trace'> = (session, { file }) => session.kind(file);
