import { expect, test } from 'vitest';
import { faults } from '../../src/engine/faults/index.ts';
import { shownWidth } from '../../src/trace/plain_text.ts';
import { layerscope } from './layerscope.ts';

async function printed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await layerscope(['faults', ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

test.each(['en', 'ja'] as const)(
  'the list in %s has a line for each fault, with what each probe shows',
  async (lang) => {
    const lines = (await printed('--lang', lang)).split('\n');
    for (const fault of faults) {
      const line = lines.find((each) => each.startsWith(`${fault.name} `));
      expect(line).toContain(lang === 'ja' ? fault.ja.title : fault.title);
      if (lang === 'en' && fault.shows.oneToken === 'tensor only') expect(line).toContain('tensor only');
    }
    for (const line of lines) expect(shownWidth(line)).toBeLessThanOrEqual(120);
  },
);

test('as JSON the list holds every page, and a page holds what a test can hold against a run', async () => {
  const pages = JSON.parse(await printed('--json'));
  expect(pages.map(({ name }: { name: string }) => name)).toEqual(faults.map(({ name }) => name));
  const page = JSON.parse(await printed('k-rows-permuted', '--json'));
  expect(page).toEqual(pages.find(({ name }: { name: string }) => name === 'k-rows-permuted'));
  expect(page).toMatchObject({
    shows: {
      oneToken: { effect: 'tensor only', firstTensor: 'Kcur-0' },
      prefill: { effect: 'seen', firstTensor: 'Kcur-0' },
    },
    params: [{ name: 'layer', default: null }, { name: 'heads' }],
  });
  expect(page.whoMadeIt[0].link).toBe('https://github.com/ggml-org/llama.cpp/pull/3364');
});

test('a page says what the fault does, what it shows, what it takes, who made it and how to use it', async () => {
  const page = await printed('no-causal-mask');
  expect(page).toMatch(/^no-causal-mask: The causal mask is missing\n/);
  expect(page).toMatch(/first tensor that differs +– +kq_soft_max-0 +kq-1\n/);
  expect(page).toMatch(/^ {2}head +the query head to hit/m);
  expect(page).toContain('https://github.com/lablup/mlxcel/pull/998');
  expect(page).toContain("Put it in: model.with(fault('no-causal-mask'))");
});

test('no line of a page is broken within a word or longer than 100 columns, in either language', async () => {
  for (const lang of ['en', 'ja']) {
    const page = await printed('kv-pos-clamp', '--lang', lang);
    for (const line of page.split('\n')) expect(shownWidth(line), line).toBeLessThanOrEqual(100);
  }
  const { what } = faults.find(({ name }) => name === 'kv-pos-clamp')!;
  expect((await printed('kv-pos-clamp')).replaceAll('\n', ' ')).toContain(what);
});

test('an unknown fault or language is one line and exit code 2', async () => {
  const { code, stdout, stderr } = await layerscope(['faults', 'rope-pairng']);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^Cannot make fault "rope-pairng": [^\n]*nearest are rope-pairing[^\n]*\n$/);
  const other = await layerscope(['faults', '--lang', 'de']);
  expect(other.code).toBe(2);
  expect(other.stderr).toContain('Allowed choices are en, ja');
});
