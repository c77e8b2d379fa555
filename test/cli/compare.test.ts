import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readArrow } from '../../src/node/index.ts';
import { oracleAvailable } from '../../src/oracle/index.ts';
import { noAdapter } from '../engine/models.ts';
import { have } from '../skip.ts';
import { npy } from '../trace/dumps/npy_bytes.ts';
import { type Ended, layerscope, start, TINY, Workplace } from './layerscope.ts';

const place = new Workplace();
const env = { LAYERSCOPE_BACKEND: noAdapter ? 'reference' : 'webgpu', LAYERSCOPE_CACHE: place.path('cache') };
let [model, other, trace, longer] = ['', '', '', ''];

const run = (...args: string[]): Promise<Ended> => layerscope(args, { env, cwd: place.folder });

beforeAll(async () => {
  model = await place.model('tiny.gguf');
  other = await place.model('other.gguf', { ...TINY, seed: 12 });
  [trace, longer] = [place.path('tiny.arrow'), place.path('longer.arrow')];
  expect(await run('trace', model, '--tokens', '1,300,17', '--out', trace)).toMatchObject({ code: 0 });
  expect(await run('trace', model, '--tokens', '1,300,17,40', '--out', longer)).toMatchObject({ code: 0 });
});
afterAll(() => place.remove());

/** A call that must not fail: its exit code and what it printed. */
async function compared(...args: string[]): Promise<{ code: number | null; text: string }> {
  const { code, stdout, stderr } = await run('compare', ...args);
  expect(stderr).toBe('');
  return { code, text: stdout };
}

// biome-ignore lint/suspicious/noExplicitAny: the shape of the JSON is what these tests are about
const json = async (...args: string[]): Promise<any> => JSON.parse((await compared(...args, '--json')).text);

describe('layerscope compare', () => {
  test('of a file with itself is equal in every bit', async () => {
    const { code, text } = await compared(trace, trace, '--exact');
    expect(text).toContain('Agree: all 39 tensors are equal in every bit');
    expect(code).toBe(0);
    const { verdict, firstDivergence, tensors } = await json(trace, trace);
    expect({ verdict, firstDivergence }).toEqual({ verdict: 'agree', firstDivergence: null });
    expect(new Set(tensors.map(({ status }: { status: string }) => status))).toEqual(new Set(['equal']));
  });

  test('runs a model over the tokens that the other side is of', async () => {
    const { verdict, ours, reference, notCompared } = await json(`ours:${model}`, trace, '--backend', 'reference');
    expect(verdict).toBe('agree');
    expect(ours.manifest.tokens).toEqual([1, 300, 17]);
    expect([ours.label, reference.label, notCompared]).toEqual(['tiny.gguf on reference', trace, []]);
  });

  test('with other weights is refused with 2: each difference with both values, and the word that allows it', async () => {
    const { code, text } = await compared(`ours:${other}`, trace);
    expect(code).toBe(2);
    const { refused } = await json(`ours:${other}`, trace);
    expect(refused.map(({ kind }: { kind: string }) => kind)).toEqual(['weights']);
    for (const { ours, reference } of refused) for (const value of [ours, reference]) expect(text).toContain(value);
    expect(text).toContain('(--allow weights)');
  });

  test('--allow compares all the same: other weights part at the embedding, and the exit code is 1', async () => {
    const { code, text } = await compared(`ours:${other}`, trace, '--allow', 'weights');
    expect(code).toBe(1);
    expect(text).toMatch(/^Bug: /);
    expect(text).toMatch(/^Where {7}embd: op get_rows, token 0 <s>, \[0, \d+\]$/m);
    expect(text).toContain('Allowed to differ, weights: ');
  });

  test('--no-cause looks for none, and the suspects are told in text, Markdown and JSON', async () => {
    const args = [`ours:${other}`, trace, '--allow', 'weights'];
    const md = place.path('suspects.md');
    const { text } = await compared(...args, '--no-cause', '--md', md);
    expect(text).not.toMatch(/Cause: |Suspicion: /);
    const said = /known faults are ruled out, \d+ left; likeliest first/;
    expect(text).toMatch(said);
    expect(readFileSync(md, 'utf8')).toMatch(said);
    const { cause, suspects } = await json(...args, '--no-cause');
    expect(cause).toBeNull();
    expect(suspects.remaining.map(({ fault }: { fault: string }) => fault)).toContain('embedding-off-by-one');
    expect(suspects.ruledOut.length).toBeGreaterThan(20);
  });

  test('where all agrees tells what the prompt could not have shown, and the run that would', async () => {
    const { text } = await compared(trace, trace);
    expect(text).toMatch(/known faults would not have shown here, or not for sure: /);
    expect(text).toContain('Next probe: Run ');
    const { suspects } = await json(trace, trace);
    expect(suspects.next.probe).toBe('a prefill and a decode');
  });

  test('of texts of different length is refused by tokens', async () => {
    const { verdict, refused } = await json(longer, trace);
    expect(verdict).toBe('refused');
    expect(refused.map(({ kind }: { kind: string }) => kind)).toContain('tokens');
  });

  test('--select compares what was chosen', async () => {
    const { tensors } = await json(trace, trace, '--select', 'Qcur-*,blocks.1.hook_resid_post');
    expect(tensors.map(({ name }: { name: string }) => name)).toEqual(['Qcur-0', 'Qcur-1', 'l_out-1']);
  });

  test('writes a page that needs nothing else, and Markdown for an issue', async () => {
    const [html, md] = [place.path('new', 'report.html'), place.path('new', 'report.md')];
    const { text } = await compared(`ours:${model}`, trace, '--html', html, '--md', md);
    expect(text).toMatch(/\nWrote \S+report\.html, 1\.\d+ MB\.\nWrote \S+report\.md, \d+(\.\d+)? k?B\.\n$/);
    const page = readFileSync(html, 'utf8');
    expect(page.match(/<figure class="chart/g)).toHaveLength(3);
    expect(page).not.toMatch(/(src|href)="https?:/);
    expect(readFileSync(md, 'utf8')).toMatch(/^### Agree: /);
    expect(place.named('.partial')).toEqual([]);
  });

  test("takes another engine's dump, with its model", async () => {
    const dump = place.path('dump');
    mkdirSync(dump);
    const ours = await readArrow(trace);
    for (const name of ['embd', 'l_out-0', 'result_output']) {
      const { shape, data } = await ours.tensor(name);
      writeFileSync(
        place.path('dump', `${name}.npy`),
        npy(shape, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
      );
    }
    await ours.close();
    writeFileSync(place.path('dump', 'manifest.json'), JSON.stringify({ tokens: [1, 300, 17] }));
    const { verdict, tensors, notCompared } = await json(dump, trace, '--model', model);
    expect(verdict).toBe('agree');
    expect(tensors.map(({ name }: { name: string }) => name)).toEqual(['embd', 'l_out-0', 'result_output']);
    expect(notCompared).toHaveLength(36);
  });

  test('--map says which of their tensors is which of ours', async () => {
    const dump = place.path('foreign');
    mkdirSync(dump);
    const ours = await readArrow(trace);
    const { shape, data } = await ours.tensor('l_out-1');
    await ours.close();
    writeFileSync(
      place.path('foreign', 'zwei.npy'),
      npy(shape, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
    );
    writeFileSync(place.path('foreign', 'manifest.json'), JSON.stringify({ tokens: [1, 300, 17] }));
    const matches = [{ theirs: 'zwei', ours: 'l_out-1' }];
    const map = place.file('map.json', JSON.stringify({ format: 'layerscope map 1', matches }));
    const { tensors } = await json(dump, trace, '--model', model, '--map', map);
    expect(tensors).toEqual([expect.objectContaining({ name: 'l_out-1', status: 'equal' })]);
  });

  test('llama.cpp runs the same file and tokens, and its F32 twin', async (context) => {
    have(context, oracleAvailable() === null || undefined, `${oracleAvailable()}`);
    const plain = await json(`ours:${model}`, `llama.cpp:${model}`, '--prompt', 'ba be');
    expect(plain).toMatchObject({ verdict: 'agree', reference: { label: 'llama.cpp', manifest: { prompt: 'ba be' } } });
    const twin = await json(`ours:${model}`, `llama.cpp-f32:${model}`, '--prompt', 'ba be');
    expect(twin).toMatchObject({ verdict: 'agree', reference: { label: 'llama.cpp on the F32 twin' } });
  });

  test.skipIf(process.platform === 'win32')('Ctrl-C ends it with 130, and leaves no half file', async () => {
    const slow = await place.model('slow.gguf', { ...TINY, nLayer: 16, nEmbd: 512, nHead: 8, nFf: 1408, nCtx: 512 });
    const html = place.path('slow.html');
    const args = ['compare', `ours:${slow}`, `ours:${slow}`, '--prompt', 'ba be '.repeat(80), '--html', html];
    const stopped = async (ms: number) => {
      const { child, ended } = start(args, { env });
      setTimeout(() => child.kill('SIGINT'), ms);
      return ended;
    };
    // On a busy machine the program may not listen yet; Node ends then, with nothing of ours begun.
    const early = await stopped(1500);
    const found = early.signal === 'SIGINT' ? await stopped(6000) : early;
    expect(found).toMatchObject({ code: 130, signal: null, stdout: '' });
    expect([existsSync(html), place.named('.partial')]).toEqual([false, []]);
  });
});

describe('layerscope compare of bad input is one line', () => {
  test.for<[what: string, code: 1 | 2, message: RegExp | string, args: () => string[]]>([
    ['a file that is not there', 1, 'nowhere.arrow', () => ['nowhere.arrow', trace]],
    ['a file that is no trace', 1, /^Cannot read the dump \S+tiny\.gguf: it is a model/, () => [model, trace]],
    [
      'two models and no tokens',
      2,
      'give --prompt TEXT, --chat TEXT or --tokens 1,2,3',
      () => [`ours:${model}`, `llama.cpp:${model}`],
    ],
    ['a kind that is none', 2, 'Cannot allow "wights"', () => [trace, trace, '--allow', 'wights']],
    ['a page over a trace', 2, 'it is what is compared', () => [trace, trace, '--html', trace]],
    [
      'two reports in one file',
      2,
      '--html and --md are the same file',
      () => [trace, trace, '--html', 'a', '--md', 'a'],
    ],
    [
      'a page in a folder that cannot be',
      1,
      'Cannot write',
      () => [trace, trace, '--html', place.path('tiny.arrow', 'a.html')],
    ],
    ['a prompt without a model', 2, 'give it with --model MODEL', () => [trace, trace, '--prompt', 'a']],
    [
      'a map that is not there',
      1,
      'give a file that "layerscope map" saved',
      () => [trace, trace, '--map', 'none.json'],
    ],
    ['a model that is not there', 1, 'Cannot', () => ['ours:none.gguf', trace]],
    ['one side alone', 2, 'missing required argument', () => [trace]],
  ])('%s', async ([, code, message, args]) => {
    const found = await run('compare', ...args());
    expect(found.stderr).toMatch(/^Cannot [^\n]+\n$/);
    expect(found.stderr).toMatch(message);
    expect({ code: found.code, stdout: found.stdout }).toEqual({ code, stdout: '' });
  });
});
