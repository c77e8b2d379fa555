/** A file was dropped on the page and stays there; from now on its name names it. `open` or `openTrace` comes next. */
import type { Request } from '../request.ts';

export interface DroppedFile {
  readonly kind: 'model' | 'trace';
}

export const drop: Request<{ readonly name: string; readonly size: number }, DroppedFile> = async (
  session,
  { name, size },
) => {
  await session.lend(name, size);
  return { kind: await session.kind(name) };
};
