import { afterEach, expect, test, vi } from 'vitest';
import { ensureAdapter } from '../../src/setup/system.mjs';

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
