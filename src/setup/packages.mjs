/**
 * The npm packages. npm keeps a lockfile of what it really installed, node_modules/.package-lock.json; where that differs
 * from package-lock.json, `npm ci` runs again, from whatever registry npm is configured for.
 */
import { lstat, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { output } from './child.mjs';

/** npm says first what is wrong, and then explains all its options. */
const SHOWN_LINES = 25;

/** @typedef {Record<string, { version?: string, optional?: boolean }>} LockedPackages by path, as npm writes them */

/**
 * The paths whose package is not installed as locked. Optional packages may be absent: most are for other systems.
 * @param {LockedPackages} locked from package-lock.json
 * @param {LockedPackages} installed from node_modules/.package-lock.json
 * @returns {string[]}
 */
export function differingPackages(locked, installed) {
  const paths = new Set([...Object.keys(locked), ...Object.keys(installed)]);
  paths.delete(''); // the project itself
  return [...paths].filter((path) => {
    if (!locked[path]) return true;
    if (!installed[path]) return !locked[path].optional;
    return installed[path].version !== locked[path].version;
  });
}

/**
 * @param {URL} file
 * @returns {Promise<LockedPackages | undefined>} undefined where there is none
 */
async function readLock(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/**
 * Installs the packages where they are missing or others than the lockfile's.
 * @param {URL} root
 * @param {(line: string) => void} say
 */
export async function ensurePackages(root, say) {
  const locked = await readLock(new URL('package-lock.json', root));
  if (!locked)
    throw new Error('Cannot install the packages: package-lock.json is missing or broken; check it out again');
  const installed = await readLock(new URL('node_modules/.package-lock.json', root));
  if (installed && differingPackages(locked, installed).length === 0) return;
  if (await isLink(new URL('node_modules', root))) {
    throw new Error(
      'Cannot install the packages: node_modules is a link, and npm would empty the folder that it leads to; remove the link, then do it again',
    );
  }
  say(`${installed ? 'The lockfile changed: installing' : 'Installing'} the packages with "npm ci" …`);
  const { code, stdout, stderr } = await npmCi(root);
  if (code === 0) return;
  process.stderr.write(`${(stdout + stderr).split('\n').slice(0, SHOWN_LINES).join('\n')}\n`);
  throw new Error(`Cannot install the packages: "npm ci" ended with code ${code}; how its output began is above`);
}

/** @param {URL} path */
async function isLink(path) {
  return lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
}

/**
 * No install scripts: npm 11 holds them back anyway, and every package here brings its native code prebuilt. Under npm,
 * npm_execpath is the npm that runs us, so that it is found even off the PATH.
 * @param {URL} root
 */
function npmCi(root) {
  const args = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
  const npm = process.env.npm_execpath ?? '';
  const options = { cwd: fileURLToPath(root) };
  if (basename(npm) === 'npm-cli.js') return output(process.execPath, [npm, ...args], options);
  if (process.platform === 'win32') return output('cmd.exe', ['/d', '/s', '/c', `npm ${args.join(' ')}`], options);
  return output('npm', args, options);
}
