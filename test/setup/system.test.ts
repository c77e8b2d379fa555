import { afterEach, expect, test, vi } from 'vitest';
import { ensureAdapter, ensureTestPrograms } from '../../src/setup/system.mjs';

afterEach(() => vi.unstubAllEnvs());

/** An adapter that appears after `installs` successful installations. */
function machine(answers: readonly boolean[], installed = true) {
  const left = [...answers];
  const asked: unknown[] = [];
  return {
    asked,
    works: async () => left.shift() ?? false,
    install: async (wanted: unknown) => {
      asked.push(wanted);
      return installed;
    },
    platform: 'linux',
  };
}

test('with an adapter nothing is installed and nothing is said', async () => {
  const said: string[] = [];
  const present = machine([true]);
  expect(await ensureAdapter((line: string) => said.push(line), present)).toEqual({});
  expect([said, present.asked]).toEqual([[], []]);
});

test('where nothing can be installed, one line says what to do and the reference backend is handed on', async () => {
  vi.stubEnv('LAYERSCOPE_BACKEND', undefined);
  const said: string[] = [];
  const env = await ensureAdapter((line: string) => said.push(line), { ...machine([false]), platform: 'darwin' });
  expect(env).toEqual({ LAYERSCOPE_BACKEND: 'reference' });
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/^No WebGPU adapter: carrying on .*reference backend.*update macOS/);
});

test('asked for the reference backend, no adapter is looked for', async () => {
  vi.stubEnv('LAYERSCOPE_BACKEND', 'reference');
  const works = vi.fn(async () => false);
  expect(await ensureAdapter(() => {}, { works })).toEqual({});
  expect(works).not.toHaveBeenCalled();
});

const PACKAGES = { what: 'Jupyter', packages: ['jupyter-client'] };

/** A machine without Jupyter, whose installation `works` or does not. */
function program(packages: typeof PACKAGES | undefined, works: boolean) {
  const asked: unknown[] = [];
  let isThere = false;
  return {
    asked,
    programs: [{ what: 'Jupyter', find: () => (isThere ? '/bin/jupyter' : undefined), packages, variable: 'X_PYTHON' }],
    install: async (wanted: unknown) => {
      asked.push(wanted);
      isThere = works;
      return works;
    },
  };
}

test('a program that tests drive is installed where it is missing, and only there', async () => {
  const said: string[] = [];
  const absent = program(PACKAGES, true);
  await ensureTestPrograms((line: string) => said.push(line), absent);
  await ensureTestPrograms((line: string) => said.push(line), absent);
  expect([said, absent.asked]).toEqual([[], [PACKAGES]]);
});

test('what cannot be installed is one line: what is skipped, the packages and the variable that names it', async () => {
  const said: string[] = [];
  await ensureTestPrograms((line: string) => said.push(line), program(PACKAGES, false));
  await ensureTestPrograms((line: string) => said.push(line), program(undefined, true));
  expect(said).toEqual([
    'No Jupyter: its tests are skipped. To run them, as root: apt-get install -y --no-install-recommends jupyter-client, ' +
      'or set X_PYTHON to its path',
    'No Jupyter: its tests are skipped. To run them, install it, or set X_PYTHON to its path',
  ]);
});
