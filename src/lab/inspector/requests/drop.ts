/** A file was dropped on the page and stays there; from now on its name names it. `open` or `openTrace` comes next. */
import type { Request } from '../request.ts';

export interface DroppedFile {
  /** A dump is another program's; what it holds is known when it is compared. */
  readonly kind: 'model' | 'trace' | 'dump';
}

export interface DropParams {
  readonly name: string;
  readonly size: number;
  /** It is to be compared with, and may be whatever dump this lab reads. */
  readonly isDump?: boolean;
}

export const drop: Request<DropParams, DroppedFile> = async (session, { name, size, isDump = false }) => {
  await session.lend(name, size);
  return { kind: isDump ? 'dump' : await session.kind(name) };
};
