/** Our own classes as outputs: that what one wants to know of them is there, in HTML and in plain text. */
import { describe, expect, test } from 'vitest';
import { bundleOf } from '../../../src/notebook/display/bundle.ts';
import { Tensor } from '../../../src/trace/tensor.ts';
import { shown } from '../../../src/trace/token_label.ts';
import { traceWith } from '../../charts/specs.ts';
import { openRandom } from '../../engine/models.ts';
import { smallRun } from './values.ts';

interface Forms {
  readonly html: string;
  readonly text: string;
}

async function formsOf(value: unknown): Promise<Forms> {
  const data = (await bundleOf(value))?.data;
  return { html: data?.['text/html'] as string, text: data?.['text/plain'] as string };
}

describe('a tensor', () => {
  test('shows name, axes, statistics, spread and first values', async () => {
    const data = Float32Array.from({ length: 60 }, (_, i) => i);
    const { text, html } = await formsOf(new Tensor({ name: 'x', shape: [6, 10], dims: ['token', 'embd'], data }));
    expect(text.split('\n')).toEqual([
      'x [token 6, embd 10]',
      'values 60  RMS 34.21  mean 29.50  min 0  max 59.00  zeros 1  NaN 0  Inf 0',
      expect.stringMatching(/^0 [▁▂▃▄▅▆▇█]{40} 59\.00 {2}how many lie where/),
      'embd         0      1      2      3      4      5      6      7  …',
      'token 0      0  1.000  2.000  3.000  4.000  5.000  6.000  7.000  …',
      'token 1  10.00  11.00  12.00  13.00  14.00  15.00  16.00  17.00  …',
      'token 2  20.00  21.00  22.00  23.00  24.00  25.00  26.00  27.00  …',
      'token 3  30.00  31.00  32.00  33.00  34.00  35.00  36.00  37.00  …',
      'token 4  40.00  41.00  42.00  43.00  44.00  45.00  46.00  47.00  …',
      '1 more along token',
    ]);
    for (const each of ['[token 6, embd 10]', '34.21', '47.00', '1 more along token', '█'])
      expect(html).toContain(each);
  });

  test('has a bar where values are and none where there are none', async () => {
    const data = Float32Array.of(0, ...new Array<number>(100).fill(1), Number.NaN, Number.POSITIVE_INFINITY);
    const { text } = await formsOf(new Tensor({ name: 'x', shape: [103], data }));
    const bars = text.split('\n')[2]?.slice(2, 42);
    expect(bars).toBe(`▂${'\u2007'.repeat(38)}█`);
    expect(text).toContain('NaN 1  Inf 1');
  });

  test('shows the last two axes at 0 of those before them, a vector as one row, a number as itself', async () => {
    const cube = new Tensor({ name: 'c', shape: [2, 2, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) });
    expect((await formsOf(cube)).text).toMatch(/axis1 0 {2}1\.000 {2}2\.000\naxis1 1 {2}3\.000 {2}4\.000\nat axis0 0$/);
    expect((await formsOf(cube.slice(0, 0))).text).toMatch(/\naxis2 +0 +1\n +1\.000 {2}2\.000$/);
    expect((await formsOf(new Tensor({ name: 'n', shape: [], data: Float32Array.of(3) }))).text).toMatch(
      /value\n +3\.000$/,
    );
  });

  test('shows without values, without finite ones, and with one value many times', async () => {
    const of = (shape: number[], data: number[]) => new Tensor({ name: 'x', shape, data: Float32Array.from(data) });
    expect((await formsOf(of([0, 3], []))).text).toContain('values 0 ');
    expect((await formsOf(of([2], [Number.NaN, Number.NEGATIVE_INFINITY]))).text).toMatch(/NaN {2}-Infinity$/);
    expect((await formsOf(of([2], [4, 4]))).text).not.toContain('how many lie where');
  });

  test('has its name escaped', async () => {
    const { html } = await formsOf(
      new Tensor({ name: '<img src=x onerror=alert(1)>', shape: [1], data: new Float32Array(1) }),
    );
    expect(html).not.toContain('<img');
    expect(html).toContain('&#60;img');
  });
});

test('a model shows its sizes and every tensor with type, shape and bytes', async () => {
  const { model } = await smallRun();
  const { html, text } = await formsOf(model);
  for (const [name, { type, shape }] of model.gguf.tensors) {
    expect(html).toContain(
      `>${name}</td><td style="text-align: left">${type}</td><td style="text-align: left">[${shape.join(', ')}]<`,
    );
  }
  expect(html).toContain('<details><summary>');
  expect(text).toMatch(/^layers +3, which makes \d+ steps a pass$/m);
  expect(text).toMatch(/^runs on +reference \(f64 in TypeScript\)$/m);
  expect(text).toContain(`and ${model.gguf.tensors.size - 12} more: ${model.gguf.tensors.size} tensors`);
});

describe('a run', () => {
  test('that was not moved says how to', async () => {
    const { text, html } = await formsOf(await smallRun());
    expect(text).toMatch(/5 tokens\n/);
    expect(text).toMatch(/^read +nothing yet; move it with step\(\)/m);
    expect(text).toMatch(/^next +embd \(step 1 of \d+\): get_rows/m);
    expect(html.match(/opacity: 0\.5"/g)).toHaveLength(5);
  });

  test('says where it stands and what is kept', async () => {
    const run = await (await smallRun()).to('ffn_out-1');
    const { text, html } = await formsOf(run);
    expect(text).toMatch(/^read +pass 0, positions 0 to 4$/m);
    expect(text).toMatch(/^next +l_out-1 \(step \d+ of \d+\): add, y = a \+ b$/m);
    expect(text).toMatch(/^kept +statistics of 36 tensors, values of 36 \(/m);
    expect(html).not.toContain('opacity: 0.5"');
  });

  test('shows drawn tokens in bold, with rank and probability', async () => {
    const run = await (await smallRun()).generate(3, { stopAtEnd: false });
    const { text, html } = await formsOf(run);
    expect(text).toMatch(/8 tokens, 3 of them drawn/);
    expect(text).toMatch(/1 token wait/);
    expect(html.match(/font-weight: bold/g)).toHaveLength(3);
    expect(
      text
        .split('\n')
        .slice(-3)
        .map((line) => line.split(/\s+/).slice(0, 1)),
    ).toEqual([['5'], ['6'], ['7']]);
  });

  test('says what the budget let go, and shows when it was closed', async () => {
    const { model } = await smallRun();
    const run = await model.start([1, 40, 77], { budget: 0 }).toEnd();
    expect((await formsOf(run)).text).toMatch(/values of \d+ were let go to stay within the budget/);
    run.close();
    expect((await formsOf(run)).text).toMatch(/^Run of/);
  });

  test('of a long text shows its last tokens and says how many stand before', async () => {
    const model = await openRandom('reference', { nCtx: 256 });
    const ids = Array.from({ length: 250 }, (_, i) => 10 + i);
    const { text, html } = await formsOf(model.start(ids));
    const pieces = ids.map((id) => shown(model.tokenizer.piece(id)));
    expect(text.split('\n')[1]).toBe(`…${pieces.slice(50).join('│')}`);
    expect(html).toContain('50 tokens before … <code');
  });
});

describe('a trace', () => {
  test('shows a row of statistics for each tensor, a run’s as well as a file’s', async () => {
    const run = await (await smallRun()).to('Qcur-0');
    const { text, html } = await formsOf(run.trace);
    expect(
      text
        .split('\n')
        .slice(1)
        .map((line) => line.split(/\s+/)[0]),
    ).toEqual(['tensor', 'embd', 'attn_norm-0', 'Qcur-0']);
    for (const { name } of run.trace.entries) expect(html).toContain(`>${name}<`);
    const made = await formsOf(traceWith([{ name: 'l_out-0', shape: [1, 2], data: [1, Number.NaN] }]));
    expect(made.text).toMatch(/^l_out-0 +\[1, 2\] +1\.000 +1\.000 +1\.000 +1\.000 +1 +·$/m);
  });

  test('that is long is cut in the middle and says so', async () => {
    const given = Array.from({ length: 240 }, (_, i) => ({ name: `l_out-${i}`, shape: [1, 1], data: [1] }));
    const { text, html } = await formsOf(traceWith(given));
    expect(text).toContain('… 220 more …');
    expect(html).toContain('… 140 more …');
    expect(html).toContain('>l_out-0<');
    expect(html).toContain('>l_out-239<');
  });
});
