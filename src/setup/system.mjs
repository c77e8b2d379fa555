/**
 * What Layerscope wants from the system beside Node: a WebGPU adapter, and for the tests Chromium. Where something is
 * missing and we may install it, we do, after a question at a terminal; where we may not, one line says what to install.
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
 * Chromium for the browser's tests; without it they say that they were skipped.
 * @param {Say} say
 */
export async function ensureChromium(say) {
  const host = await import('../../dist/node/host.js');
  if (host.findChromium()) return;
  const chromium = host.chromiumPackage(host.release());
  if (chromium && (await install(chromium, host, say)) && host.findChromium()) return;
  say(`No Chromium: its tests are skipped. To run them, install it or set LAYERSCOPE_CHROMIUM to its path.`);
}
