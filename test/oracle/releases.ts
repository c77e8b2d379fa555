/**
 * Other releases of llama.cpp: test/oracle/releases/package.json names them, npm puts them beside it (30 MB each). Those that
 * only the full run needs are its devDependencies.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('releases/', import.meta.url));

/** The folder of a release's libraries, once `installReleases` was successful. */
export function releaseFolder(release: string): string {
  return join(folder, 'node_modules', `llama-${release}`, 'bins', 'linux-x64');
}

/** Installs what is missing of `releases`. Null where they are there, else why not. */
export function installReleases(releases: readonly string[], isFull: boolean): string | null {
  const host = `${process.platform}-${process.arch}`;
  if (host !== 'linux-x64') return `the other releases are for linux-x64; this machine is ${host}`;
  if (releases.every((release) => existsSync(releaseFolder(release)))) return null;
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', ...(isFull ? [] : ['--omit=dev'])];
  const npm = process.env.npm_execpath ?? '';
  const [command, ...before] = basename(npm) === 'npm-cli.js' ? [process.execPath, npm] : ['npm'];
  const { status, stderr, error } = spawnSync(command as string, [...before, ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (status === 0) return null;
  const said = error?.message ?? stderr.split('\n').slice(0, 3).join(' ');
  return `npm could not install the other releases: ${said}`;
}
