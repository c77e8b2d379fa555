/** The machine is a list of answers to commands: what is tested is what would be run on it, and in which order. */
import { expect, test } from 'vitest';
import { asRoot, ENTRY, installPackages, missingEntry, parseSources } from '../../src/setup/apt.mjs';

const RELEASE = { uri: 'http://mirror.example/debian/', codename: 'bookworm' };
const BACKPORTS = { uri: 'http://mirror.example/debian/', codename: 'bookworm-backports' };

interface Machine {
  readonly run: (
    file: string,
    args: readonly string[],
    input?: string,
  ) => Promise<{ code: number; stdout: string; stderr: string }>;
  readonly ran: string[];
  readonly written: string[];
}

/** Answers each command with code 0, except those that start as a key of `failures` does. */
function machine(
  sources: readonly { uri: string; codename: string }[],
  failures: Record<string, string> = {},
): Machine {
  const ran: string[] = [];
  const written: string[] = [];
  return {
    ran,
    written,
    run: async (file, args, input = '') => {
      const line = [file, ...args].join(' ');
      ran.push(line);
      if (input) written.push(input);
      const failure = Object.keys(failures).find((start) => line.startsWith(start));
      const stdout = line.includes('indextargets') ? sources.map((s) => `${s.uri} ${s.codename}\n`).join('') : '';
      return { code: failure ? 100 : 0, stdout, stderr: failure ? (failures[failure] ?? '') : '' };
    },
  };
}

const MESA = { what: 'Mesa', packages: ['mesa-vulkan-drivers'], suite: 'bookworm-backports' };
const installArguments = ['install', '-y', '-t', 'bookworm-backports', 'mesa-vulkan-drivers'];

test('each repository is read once from what apt prints', () => {
  const text = 'http://a/ bookworm\nhttp://a/ bookworm\nhttp://a/ bookworm-updates\n';
  expect(parseSources(text)).toEqual([
    { uri: 'http://a/', codename: 'bookworm' },
    { uri: 'http://a/', codename: 'bookworm-updates' },
  ]);
});

test('a backports entry names the mirror of the release, and is not made where there is one', () => {
  expect(missingEntry('bookworm-backports', [RELEASE])).toContain('URIs: http://mirror.example/debian/\n');
  expect(missingEntry('bookworm-backports', [RELEASE])).toContain('Suites: bookworm-backports\n');
  expect(missingEntry('bookworm-backports', [])).toBeUndefined();
  expect(missingEntry('bookworm-backports', [RELEASE, BACKPORTS])).toBeUndefined();
});

test('without backports the entry is written, said and read before the installation', async () => {
  const { run, ran, written } = machine([RELEASE]);
  const said: string[] = [];
  expect(await installPackages(MESA, { run, say: (line: string) => said.push(line), installArguments })).toBe(true);
  expect(written).toHaveLength(1);
  expect(said.some((line) => line.includes(ENTRY))).toBe(true);
  expect(ran.slice(-3)).toEqual([
    `tee ${ENTRY}`,
    'apt-get update -qq',
    `apt-get -qq -o DPkg::Lock::Timeout=120 ${installArguments.join(' ')}`,
  ]);
});

test("with backports there already, apt's sources are left alone", async () => {
  const { run, ran } = machine([RELEASE, BACKPORTS]);
  await installPackages(MESA, { run, say: () => {}, installArguments });
  expect(ran.filter((line) => line.startsWith('tee'))).toEqual([]);
});

test('a failed installation says why and takes its own entry away again', async () => {
  const { run, ran } = machine([RELEASE], {
    'apt-get -qq': 'W: old\nE: Unable to locate package mesa-vulkan-drivers\n',
  });
  const said: string[] = [];
  expect(await installPackages(MESA, { run, say: (line: string) => said.push(line), installArguments })).toBe(false);
  expect(said.join('\n')).toContain('Unable to locate package mesa-vulkan-drivers');
  expect(ran.at(-1)).toBe(`rm -f ${ENTRY}`);
});

test('root and passwordless sudo may install; others and LAYERSCOPE_INSTALL=never may not', async () => {
  const allowed = machine([]);
  await (await asRoot({ uid: 0, env: {}, run: allowed.run }))?.('apt-get', ['update']);
  await (await asRoot({ uid: 1000, env: {}, run: allowed.run }))?.('apt-get', ['update']);
  expect(allowed.ran).toEqual([
    'apt-get update',
    'sudo -n true',
    'sudo -n env DEBIAN_FRONTEND=noninteractive apt-get update',
  ]);
  const { run } = machine([], { 'sudo -n true': 'sudo: a password is required' });
  expect(await asRoot({ uid: 1000, env: {}, run })).toBeUndefined();
  expect(await asRoot({ uid: 0, env: { LAYERSCOPE_INSTALL: 'never' }, run })).toBeUndefined();
});
