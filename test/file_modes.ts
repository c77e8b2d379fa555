/** The superuser, as whom tests may run, reads and writes whatever a file's mode says. Here it is held to that, as a user is. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const isRoot = process.geteuid?.() === 0;

/** "nobody", on Linux. */
const OTHER = 65534;

/** Acts as another user, who has to be let in by the modes of the folders on the way. */
export async function asOther<T>(act: () => Promise<T>): Promise<T> {
  if (!isRoot) return act();
  process.seteuid?.(OTHER);
  try {
    return await act();
  } finally {
    process.seteuid?.(0);
  }
}

/** Of setpriv (util-linux): the rights of root to pass over modes. */
const RIGHTS = '-dac_override,-dac_read_search';
const HOLD = ['setpriv', `--bounding-set=${RIGHTS}`, `--inh-caps=${RIGHTS}`];

const SELF = fileURLToPath(import.meta.url);
const isHeld = !isRoot || spawnSync('setpriv', [...HOLD.slice(1), 'test', '-r', SELF]).status === 0;

/** Why a program cannot be held to modes here; undefined where it can. */
export const notHeld = isHeld
  ? undefined
  : 'root passes over modes; no setpriv is here to hold it to them, or by them it may not read this project';

/** The command line that runs a program held to modes, where that can be. */
export const heldCommand = (program: readonly string[]): readonly string[] =>
  isRoot && isHeld ? [...HOLD, ...program] : program;
