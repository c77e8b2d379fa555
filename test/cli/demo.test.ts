import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shownWidth } from '../../src/trace/plain_text.ts';
import { backends, noAdapter } from '../engine/models.ts';
import { type Ended, layerscope, start, Workplace } from './layerscope.ts';

const place = new Workplace();
afterAll(() => place.remove());

const model = 'fixtures/lily-4m-f16.gguf';
/** In English whatever LANG says. */
const demo = (keep: string, ...more: string[]): Promise<Ended> =>
  layerscope(['demo', '--keep', keep, '--lang', 'en', ...more]);

describe.each(backends)('layerscope demo on %s', (backend) => {
  const folder = place.path(backend);
  let text = '';
  beforeAll(async () => {
    const { code, stdout, stderr } = await demo(folder, '--backend', backend);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    text = stdout;
  }, 120_000);

  test('maps a dump whose mistake leaves some tensors open', () => {
    expect(text).toMatch(/Certain {2}80 of 105:\n +tok_emb = embd\n/);
    expect(text).toMatch(/Open {5}25\n/);
  });

  test('sees it refused for a missing BOS, with both beginnings', () => {
    expect(text).toMatch(/Verdict {2}refused\n {2}Differs {2}bos: theirs begins 366 " Lily".*reference begins 1\n/);
  });

  test('finds the first tensor that parts, its op, layer, token and head, where RMS is the same', () => {
    expect(text).toMatch(/Tensor {3}Qcur_rope-0\n {2}Where {4}op rope, layer 0, token \d \S+, head \d\n/);
    expect(text).toMatch(/RMS {6}theirs \/ reference = 1\.000\n/);
  });

  test('names the cause among the faults of that op: the next best is far off', () => {
    const tried = [...text.matchAll(/^ +(rope-\w+) +(\d\.\de-\d+)$/gm)].map(([, name, error]) => [name, Number(error)]);
    expect(tried[0]?.[0]).toBe('rope-pairing');
    expect(tried[0]?.[1]).toBeLessThan(2e-6); // What rope may be off by (src/compare/tolerances.ts).
    expect(tried[1]?.[1]).toBeGreaterThan(0.1);
    expect(text).toContain('Cause  rope-pairing: ');
  });

  test('ends with the mended engine, which agrees in every tensor, and with what the text could not show', () => {
    expect(text).toContain('Verdict   agree, in all 105 tensors\n');
    expect(text).toMatch(/Not seen {2}KV cache, decode positions\n/);
    expect(text).toContain(`\nIts files are in ${folder}\n`);
  });
});

describe('what the demo tells a reader to type', () => {
  const folder = place.path('typed');
  let text = '';
  beforeAll(async () => {
    text = (await demo(folder, '--backend', 'reference')).stdout;
  }, 120_000);

  /** The commands as a shell reads them. */
  const commands = () =>
    [...text.replaceAll(/ \\\n +/g, ' ').matchAll(/^ {2}npx layerscope (.*)$/gm)].map(([, line = '']) =>
      [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? ''),
    );

  test.for([
    ['refused', 'no_bos', 2],
    ['bug', 'with_bos', 1],
    ['agree', 'mended', 0],
  ] as const)('the command for "%s" finds the same', async ([verdict, dump, code]) => {
    const call = commands().find(([command, path]) => command === 'compare' && path?.endsWith(dump));
    const ended = await layerscope([...(call ?? []), '--json', '--backend', 'reference']);
    const found = JSON.parse(ended.stdout);
    expect({ code: ended.code, verdict: found.verdict }).toEqual({ code, verdict });
    expect(found.firstDivergence?.name ?? null).toBe(verdict === 'bug' ? 'Qcur_rope-0' : null);
  });

  test('the other commands run', async () => {
    const others = commands().filter(([command]) => command !== 'compare');
    expect(others.map(([command]) => command)).toEqual(['recipe', 'map', 'map', 'faults', 'check', 'faults']);
    for (const call of others) {
      const { stderr } = await layerscope(call, { env: { LAYERSCOPE_BACKEND: 'reference' } });
      expect(stderr).toBe('');
    }
  }, 120_000);

  test('the cells name the same cause', async () => {
    const cells = [...text.matchAll(/^In a cell:\n((?: {2}.*\n)+)/gm)].map(([, lines = '']) => lines);
    expect(cells).toHaveLength(2);
    // A notebook works in its own folder, the demo in that of the shell.
    const sources = cells.map((cell) => cell.replace(model, `${process.cwd()}/${model}`));
    const cell = (source: string) => ({ cell_type: 'code', source, metadata: {}, outputs: [], execution_count: null });
    const notebook = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: sources.map(cell) };
    const [path, out] = [place.file('cells.ipynb', JSON.stringify(notebook)), place.path('ran.ipynb')];
    const env = { LAYERSCOPE_BACKEND: 'reference' };
    const { code, stderr } = await layerscope(['run', path, '--out', out], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(readFileSync(out, 'utf8')).toMatch(/rope-pairing \d\.\d+e-/);
  }, 120_000);
});

test('it speaks Japanese where LANG does, in lines of 80 columns', async () => {
  const env = { LANG: 'ja_JP.UTF-8', LC_ALL: '', LC_MESSAGES: '', LAYERSCOPE_BACKEND: 'reference' };
  const { code, stdout } = await layerscope(['demo', '--keep', place.path('ja')], { env });
  expect(code).toBe(0);
  expect(stdout).toContain('原因      rope-pairing: RoPEのペアの組み方が違う');
  for (const title of ['同じ実験か', '原因の名前']) expect(stdout).toMatch(new RegExp(`^\\d/7 {2}${title}$`, 'm'));
  // A cell's lines, and a path alone, may be longer.
  const prose = stdout.split('\n').filter((line) => !/^ {2}|\//.test(line));
  for (const line of prose) expect(shownWidth(line)).toBeLessThanOrEqual(80);
}, 60_000);

test('a folder that holds something is a wrong call, and stays as it is', async () => {
  place.file('full.txt', 'kept');
  const { code, stdout, stderr } = await demo(place.folder);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^Cannot keep the demo's files in \S+: it is not empty; [^\n]+\n$/);
  expect(existsSync(place.path('full.txt'))).toBe(true);
});

test.skipIf(process.platform === 'win32')(
  'Ctrl-C ends it with 130, and leaves no half file',
  async () => {
    const folder = place.path('stopped');
    const env = { LAYERSCOPE_BACKEND: noAdapter ? 'reference' : 'webgpu' };
    const { child, ended } = start(['demo', '--keep', folder], { env });
    await new Promise<void>((resolve) =>
      child.stdout?.on('data', (text: string) => (text.includes('2/7') ? resolve() : undefined)),
    );
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, signal: null, stderr: '' });
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    expect(files.filter((name) => name.includes('.partial'))).toEqual([]);
  },
  60_000,
);
