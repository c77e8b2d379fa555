/**
 * What this machine is and what could be added to it: its release, its browser, and the system packages that Layerscope
 * can use. `doctor` reports from here and `src/setup` installs from here, so that both say the same.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The release, from os-release(5); `codename` is for instance `bookworm`. */
export interface Release {
  /** `debian`, `ubuntu`, …; on systems without os-release, Node's name for the platform. */
  readonly id: string;
  /** What it derives from: `['debian']` on Ubuntu. */
  readonly like: readonly string[];
  readonly codename: string;
  readonly pretty: string;
}

/** Debian packages, and the suite they must come from where the release's own are too old. */
export interface SystemPackages {
  readonly what: string;
  readonly packages: readonly string[];
  readonly suite?: string;
}

export function parseOsRelease(text: string): Release {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Z_]+)=(?:"(.*)"|'(.*)'|(.*))$/.exec(line.trim());
    if (match?.[1]) fields.set(match[1], match[2] ?? match[3] ?? match[4] ?? '');
  }
  const id = fields.get('ID') ?? 'linux';
  return {
    id,
    like: (fields.get('ID_LIKE') ?? '').split(' ').filter(Boolean),
    codename: fields.get('VERSION_CODENAME') ?? '',
    pretty: fields.get('PRETTY_NAME') ?? id,
  };
}

export function release(): Release {
  try {
    return parseOsRelease(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return { id: process.platform, like: [], codename: '', pretty: process.platform };
  }
}

const hasApt = ({ id, like }: Release): boolean => [id, ...like].some((name) => name === 'debian' || name === 'ubuntu');

/**
 * Mesa's Vulkan drivers, lavapipe (a CPU) among them. Dawn refuses bookworm's Mesa 22.3 for want of
 * shaderUniformTexelBufferArrayDynamicIndexing; 25.0 from bookworm-backports works. Undefined where apt is not at home.
 */
export function vulkanDriver(os: Release): SystemPackages | undefined {
  if (!hasApt(os)) return undefined;
  return { what: "Mesa's Vulkan driver", packages: ['mesa-vulkan-drivers', 'libvulkan1'], ...suiteOf(os) };
}

const suiteOf = ({ codename }: Release) => (codename === 'bookworm' ? { suite: 'bookworm-backports' } : {});

/** Chromium, for the tests in a browser. Ubuntu's package of this name only fetches a snap, so it is left to the user. */
export function chromiumPackage(os: Release): SystemPackages | undefined {
  return os.id === 'debian' ? { what: 'Chromium', packages: ['chromium'] } : undefined;
}

/**
 * Jupyter's own programs in Python, which drive the notebook kernel in the tests: a client, `jupyter kernelspec`, a server,
 * and what executes and converts notebooks. Debian's, because the lockfile does not reach PyPI.
 */
export function jupyterPackages(os: Release): SystemPackages | undefined {
  const packages = [
    'jupyter-client',
    'jupyter-notebook',
    'python3-jupyter-client',
    'python3-nbclient',
    'python3-nbconvert',
    'python3-nbformat',
  ];
  if (!hasApt(os)) return undefined;
  // The server's debugger wants gdb; its libraries must be of the suite that Mesa has brought libelf1 from.
  return { what: "Jupyter's Python client", packages, ...suiteOf(os) };
}

/** The compilers that turn the dump writers of `layerscope recipe` into programs, for the tests. */
export function compilerPackages(os: Release, compiler: Compiler): SystemPackages | undefined {
  const packages = compiler === 'gcc' ? ['gcc', 'libc6-dev'] : ['rustc'];
  return hasApt(os) ? { what: compiler, packages } : undefined;
}

export type Compiler = 'gcc' | 'rustc';

/** The arguments after `apt-get`. */
export function aptInstall({ packages, suite }: SystemPackages): string[] {
  return ['install', '-y', '--no-install-recommends', ...(suite ? ['-t', suite] : []), ...packages];
}

/** What to install by hand, in one line. */
export function aptAdvice(wanted: SystemPackages): string {
  const command = `as root: apt-get ${aptInstall(wanted).join(' ')}`;
  return wanted.suite ? `${command} (with ${wanted.suite} in apt's sources)` : command;
}

/** What to do where no adapter was found and apt cannot help. */
export function driverAdvice(platform: string): string {
  switch (platform) {
    case 'linux':
      return 'install a Vulkan driver: the package of Mesa with lavapipe, 25 or newer';
    case 'darwin':
      return 'update macOS: Metal comes with it';
    case 'win32':
      return 'update the graphics driver: WebGPU needs Direct3D 12';
    default:
      return 'use Linux, macOS or Windows: the webgpu package knows no other system';
  }
}

const CHROMIUM_NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const CHROMIUM_PLACES = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** The path of a Chromium: LAYERSCOPE_CHROMIUM where that is set, else the first one found. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (env.LAYERSCOPE_CHROMIUM) return isExecutable(env.LAYERSCOPE_CHROMIUM) ? env.LAYERSCOPE_CHROMIUM : undefined;
  return [...onPath(CHROMIUM_NAMES, env), ...CHROMIUM_PLACES].find(isExecutable);
}

/** Where programs of these names would be, in the order of the names. */
function onPath(names: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const folders = (env.PATH ?? '').split(delimiter).filter(Boolean);
  return names.flatMap((name) => folders.map((folder) => join(folder, name)));
}

/** The path of a compiler: what LAYERSCOPE_GCC or LAYERSCOPE_RUSTC names, else the first one found. */
export function findCompiler(compiler: Compiler, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = env[compilerVariable(compiler)];
  return named ? [named].find(isExecutable) : onPath([compiler], env).find(isExecutable);
}

/** The variable of the environment that names a compiler. */
export function compilerVariable(compiler: Compiler): string {
  return `LAYERSCOPE_${compiler.toUpperCase()}`;
}

/** What the tests import. */
const JUPYTER_MODULES = ['jupyter_client', 'nbclient', 'nbconvert', 'nbformat', 'notebook'];

/**
 * The Python that has Jupyter's modules: LAYERSCOPE_PYTHON, the system's own, or the PATH's. The system's comes before the
 * PATH's, where another Python often stands that does not see the system's packages.
 */
export function findJupyterPython(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const candidates = [env.LAYERSCOPE_PYTHON, '/usr/bin/python3', 'python3'];
  return candidates.find((python) => python && hasModules(python, JUPYTER_MODULES, env));
}

function hasModules(python: string, modules: readonly string[], env: NodeJS.ProcessEnv): boolean {
  return spawnSync(python, ['-c', `import ${modules.join(', ')}`], { env, stdio: 'ignore' }).status === 0;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
