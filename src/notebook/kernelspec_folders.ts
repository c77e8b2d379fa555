/** Where Jupyter looks for kernels, as jupyter_core finds it (docs.jupyter.org, "Common Directories and File Locations"). */
import { homedir } from 'node:os';
import { posix, win32 } from 'node:path';

export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

export const thisMachine = (): Machine => ({ platform: process.platform, env: process.env, home: homedir() });

/** The kernels that this user alone sees. */
export function userKernels(machine: Machine): string {
  return joiner(machine)(userData(machine), 'kernels');
}

/** The kernels of a Python environment, or of a system under `/usr/local` or `/usr`. */
export function prefixKernels(prefix: string, machine: Machine): string {
  return joiner(machine)(prefix, 'share', 'jupyter', 'kernels');
}

/**
 * All folders in which Jupyter may look: what JUPYTER_PATH says, the user's, those of Python packages that the user installed
 * (on macOS and Windows they hold Python's version and are not looked into), an active environment's, the system's.
 */
export function kernelFolders(machine: Machine): string[] {
  const { platform, env, home } = machine;
  const join = joiner(machine);
  const given = (env.JUPYTER_PATH ?? '').split(platform === 'win32' ? ';' : ':').filter(Boolean);
  const userBase = env.PYTHONUSERBASE || (platform === 'linux' ? join(home, '.local') : '');
  const prefixes = [userBase, env.VIRTUAL_ENV, env.CONDA_PREFIX].filter((prefix) => prefix !== undefined);
  const system =
    platform === 'win32'
      ? [join(env.PROGRAMDATA ?? 'C:\\ProgramData', 'jupyter', 'kernels')]
      : ['/usr/local', '/usr'].map((prefix) => prefixKernels(prefix, machine));
  return [
    ...new Set([
      ...given.map((folder) => join(folder, 'kernels')),
      userKernels(machine),
      ...prefixes.filter(Boolean).map((prefix) => prefixKernels(prefix, machine)),
      ...system,
    ]),
  ];
}

function userData(machine: Machine): string {
  const { platform, env, home } = machine;
  const join = joiner(machine);
  if (env.JUPYTER_DATA_DIR) return env.JUPYTER_DATA_DIR;
  if (platform === 'darwin') return join(home, 'Library', 'Jupyter');
  if (platform === 'win32') {
    return env.APPDATA ? join(env.APPDATA, 'jupyter') : join(env.JUPYTER_CONFIG_DIR || join(home, '.jupyter'), 'data');
  }
  return join(env.XDG_DATA_HOME || join(home, '.local', 'share'), 'jupyter');
}

const joiner = ({ platform }: Machine) => (platform === 'win32' ? win32.join : posix.join);
