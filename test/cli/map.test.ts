import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readMap } from '../../src/compare/map/tensor_map.ts';
import { openModel, readArrow } from '../../src/node/index.ts';
import { statisticsOf } from '../../src/trace/statistics.ts';
import type { Manifest } from '../../src/trace/trace.ts';
import { arrowBytesOf, rowFor } from '../trace/rows.ts';
import { layerscope, Workplace } from './layerscope.ts';

const place = new Workplace();
const env = { LAYERSCOPE_BACKEND: 'reference' };
const TOKENS = [1, 20, 30];
let model = '';
/** Under another's names, Q head-major; and one token, without a name that tells K before and after RoPE. */
let whole = '';
let one = '';

beforeAll(async () => {
  model = await place.model('tiny.gguf');
  const opened = await openModel(model, { backend: 'reference' });
  const write = async (file: string, tokens: number[], nameOf: (name: string) => string | null, manifest: Manifest) => {
    const { trace } = await opened.start(tokens).toEnd();
    const tensors = [];
    for (const { name } of trace.entries) {
      const theirs = nameOf(name);
      if (theirs === null) continue;
      const { data, shape } = await trace.tensor(name);
      tensors.push({
        row: rowFor(theirs, data, {
          shape,
          dims: shape.map((_, axis) => `axis${axis}`),
          statistics: statisticsOf(data),
        }),
        values: data,
      });
    }
    return place.file(file, await arrowBytesOf(manifest, tensors));
  };
  const words = (name: string) => name.replace(/^(.+)-(\d+)$/, 'layers.$2.$1').replace('Qcur_rope', 'q_rot');
  whole = await write('whole.arrow', TOKENS, words, { tokens: TOKENS });
  one = await write(
    'one.arrow',
    [20],
    (name) => (/^Kcur(_rope)?-0$/.test(name) ? name.replace('Kcur_rope-0', 'b').replace('Kcur-0', 'a') : null),
    {},
  );
  await opened.close();
});
afterAll(() => place.remove());

const call = (...args: string[]) => layerscope(['map', ...args], { env, cwd: place.folder });

describe('layerscope map', () => {
  test('shows each pair with its layout and evidence, takes the tokens from the dump, and ends with 0 where nothing is open', async () => {
    const { code, stdout, stderr } = await call(whole, model);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^theirs +ours +layout +evidence\n/);
    expect(stdout).toMatch(
      /^layers\.1\.q_rot +Qcur_rope-1 +as ours +relative RMS error \S+, cosine 1\.0000 over all 192 values; next is /m,
    );
    expect(stdout).toMatch(/\n39 of 39 are certain, nothing to be asked\.\n/);
    expect(stdout).toContain('To keep it: npx layerscope map');
  });

  test('lists what is open and ends with 1; an answer closes it', async () => {
    const open = await call(one, model, '--tokens', '20');
    expect({ code: open.code, stderr: open.stderr }).toEqual({ code: 1, stderr: '' });
    expect(open.stdout).toContain('Which is a? the values of Kcur-0 and Kcur_rope-0 are alike in this run');
    expect(open.stdout).toContain('2 to be answered with --answer a=Kcur-0.');
    const answered = await call(one, model, '--tokens', '20', '--answer', 'a=Kcur-0,b=Kcur_rope-0');
    expect(answered.code).toBe(0);
    expect(answered.stdout).toMatch(/^a +Kcur-0 +as ours +your answer; relative RMS error 0, /m);
    expect(answered.stdout).toContain('0 of 2 are certain, 2 answered, nothing to be asked.');
  });

  test('as JSON it is the map; --save writes what readMap reads', async () => {
    const { code, stdout } = await call(whole, model, '--json', '--save', 'out/map.json');
    expect(code).toBe(0);
    const saved = readMap(readFileSync(place.path('out/map.json'), 'utf8'));
    expect(JSON.parse(stdout).matches).toEqual(saved.matches);
    const trace = await readArrow(whole);
    expect(saved.matches.map(({ theirs }) => theirs)).toEqual(trace.names);
    await trace.close();
  });

  test.for<[what: string, message: RegExp, args: (files: { whole: string; one: string; model: string }) => string[]]>([
    [
      'a dump that does not say its tokens',
      /does not say which tokens were run; give --tokens 1,2,3/,
      ({ one, model }) => [one, model],
    ],
    [
      'an answer that is none',
      /"a" is no answer; write THEIRS=OURS or THEIRS=none/,
      ({ one, model }) => [one, model, '--answer', 'a'],
    ],
    [
      'an answer for no tensor',
      /the dump has no tensor z/,
      ({ whole, model }) => [whole, model, '--answer', 'z=embd', '--save', 'none.json'],
    ],
    ['no model', /missing required argument/, ({ whole }) => [whole]],
  ])('%s is a wrong call: one line, exit code 2, and no file', async ([, message, args]) => {
    const { code, stdout, stderr } = await call(...args({ whole, one, model }));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^Cannot [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect(existsSync(place.path('none.json'))).toBe(false);
  });
});
