/**
 * What Layerscope wants from the system beside Node: a WebGPU adapter, and for the tests Chromium, Jupyter, gcc and rustc.
 * Where something is missing and we may install it, we do, after a question at a terminal; where we may not, one line says
 * what to install.
 */
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { asRoot, installPackages } from './apt.mjs';
import { output } from './child.mjs';

/** @typedef {import('../node/host.ts').SystemPackages} SystemPackages */
/** @typedef {(line: string) => void} Say */
/** @typedef {typeof import('../node/host.ts')} Host the compiled dist/node/host.js: what to install where */

/**
 * Whether a WebGPU device can really be opened, found out in a process of its own.
 * @returns {Promise<boolean>}
 */
async function adapterWorks() {
  const probe = fileURLToPath(new URL('../../dist/node/adapter_probe.js', import.meta.url));
  return (await output(process.execPath, [probe])).code === 0;
}

/**
 * @param {string} question
 * @returns {Promise<boolean>} true for Enter; asked at a terminal only, and not under CI. Ctrl-C and Ctrl-D throw an
 * AbortError.
 */
async function agrees(question) {
  if (!process.stdin.isTTY || !process.stderr.isTTY || process.env.CI) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new AbortController();
  terminal.once('close', () => closed.abort()); // Ctrl-D
  try {
    const answer = await terminal.question(`${question} [Y/n] `, { signal: closed.signal });
    return !/^\s*n/i.test(answer);
  } finally {
    terminal.close();
  }
}

/**
 * Installs, where we may and the user agrees.
 * @param {SystemPackages} wanted
 * @param {Host} host
 * @param {Say} say
 * @returns {Promise<boolean>}
 */
async function install(wanted, host, say) {
  const run = await asRoot();
  if (!run) return false;
  const installArguments = host.aptInstall(wanted);
  if (!(await agrees(`Install ${wanted.what}: apt-get ${installArguments.join(' ')}?`))) return false;
  return installPackages(wanted, { run, say, installArguments });
}

/**
 * A WebGPU adapter, or else the environment that makes this run use the f64 reference backend.
 * @param {Say} say
 * @param {{ works?: () => Promise<boolean>, install?: typeof install, platform?: string }} machine
 * @returns {Promise<{ LAYERSCOPE_BACKEND?: 'reference' }>}
 */
export async function ensureAdapter(
  say,
  { works = adapterWorks, install: put = install, platform = process.platform } = {},
) {
  if (process.env.LAYERSCOPE_BACKEND === 'reference' || (await works())) return {};
  const host = await import('../../dist/node/host.js');
  const driver = platform === 'linux' ? host.vulkanDriver(host.release()) : undefined;
  if (driver && (await put(driver, host, say)) && (await works())) return {};
  const cure = driver ? host.aptAdvice(driver) : host.driverAdvice(platform);
  say(`No WebGPU adapter: carrying on with the slower f64 reference backend. To mend that, ${cure}`);
  return { LAYERSCOPE_BACKEND: 'reference' };
}

/**
 * @typedef {object} TestProgram
 * @property {string} what
 * @property {() => string | undefined} find
 * @property {SystemPackages | undefined} packages undefined where apt cannot help
 * @property {string} variable of the environment: its path, where it is elsewhere
 */

/** They compile what `layerscope recipe` prints. */
const COMPILERS = /** @type {const} */ (['gcc', 'rustc']);

/**
 * What the tests use beside the packages and an adapter.
 * @param {Host} host
 * @returns {TestProgram[]}
 */
function testPrograms(host) {
  const os = host.release();
  return [
    {
      what: 'Chromium',
      find: host.findChromium,
      packages: host.chromiumPackage(os),
      variable: 'LAYERSCOPE_CHROMIUM',
    },
    {
      what: 'Python with jupyter_client, nbclient and nbconvert',
      find: host.findJupyterPython,
      packages: host.jupyterPackages(os),
      variable: 'LAYERSCOPE_PYTHON',
    },
    ...COMPILERS.map((compiler) => ({
      what: compiler,
      find: () => host.findCompiler(compiler),
      packages: host.compilerPackages(os, compiler),
      variable: host.compilerVariable(compiler),
    })),
  ];
}

/**
 * The programs that tests drive; what is missing and cannot be installed is said, and its tests say that they were skipped.
 * @param {Say} say
 * @param {{ programs?: TestProgram[], install?: typeof install }} machine
 */
export async function ensureTestPrograms(say, { programs, install: put = install } = {}) {
  const host = await import('../../dist/node/host.js');
  for (const { what, find, packages, variable } of programs ?? testPrograms(host)) {
    if (find() || (packages && (await put(packages, host, say)) && find())) continue;
    const cure = packages ? host.aptAdvice(packages) : 'install it';
    say(`No ${what}: its tests are skipped. To run them, ${cure}, or set ${variable} to its path`);
  }
}
