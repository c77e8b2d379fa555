/** Completion and hover: our types with their docstrings, what cells declared, at the right place in any script. */
import { describe, expect } from 'vitest';
import type { Content, Kernel } from '../jupyter.ts';
import { test } from './with_kernel.ts';

/** Completes at the `|` of the code. */
function complete(kernel: Kernel, marked: string): Promise<Content> {
  return kernel.request('complete_request', at(marked));
}

/** Inspects at the `|` of the code. */
function inspect(kernel: Kernel, marked: string): Promise<Content> {
  return kernel.request('inspect_request', { ...at(marked), detail_level: 0 });
}

/** Jupyter counts code points, not UTF-16 units. */
function at(marked: string): { code: string; cursor_pos: number } {
  const [before = '', after = ''] = marked.split('|');
  return { code: before + after, cursor_pos: [...before].length };
}

/** What an inspection shows, as one text. */
const textOf = ({ data }: Content): string => Object.values(data as Content).join('\n');

describe('completion', () => {
  test('gives members of our types and what they replace', async ({ kernel }) => {
    const reply = await complete(kernel, 'charts.att|');
    expect(reply).toMatchObject({ status: 'ok', cursor_start: 7, cursor_end: 10 });
    expect(reply.matches).toEqual(expect.arrayContaining(['attention', 'attentionGrid']));
    expect(reply.matches).not.toContain('rmsGrowth');
  });

  test('gives all members after a dot, of variables of earlier cells too', async ({ kernel }) => {
    await kernel.execute('const shaped = { width: 3, height: [1, 2] };');
    expect((await complete(kernel, 'shaped.|')).matches).toEqual(expect.arrayContaining(['width', 'height']));
    expect((await complete(kernel, 'shaped.height.ma|')).matches).toContain('map');
    expect((await complete(kernel, 'shap|')).matches).toContain('shaped');
  });

  test('knows what the cell itself declares, and what an await gives', async ({ kernel }) => {
    const { matches } = await complete(kernel, "const opened = await openModel('x');\nopened.|\nconsole.log(1)");
    expect(matches).toEqual(expect.arrayContaining(['start', 'tokenize', 'weight']));
  });

  test('counts the cursor in characters, whatever stands before it', async ({ kernel }) => {
    const reply = await complete(kernel, "const 変数 = '🧠🧠'; 変数.toUp|");
    expect(reply).toMatchObject({ cursor_start: 20, cursor_end: 24, matches: ['toUpperCase'] });
  });

  test('gives kinds to front ends that show them', async ({ kernel }) => {
    const { matches, metadata } = await complete(kernel, 'charts.att|');
    const typed = (metadata as { _jupyter_types_experimental: Content[] })._jupyter_types_experimental;
    expect(typed.map(({ text }) => text)).toEqual(matches);
    expect(typed[0]).toMatchObject({ start: 7, end: 10, type: expect.stringMatching(/./) });
  });

  test("gives none where nothing fits, and none of the kernel's own names", async ({ kernel }) => {
    expect(await complete(kernel, 'charts.nosuch|')).toMatchObject({ status: 'ok', matches: [] });
    const { matches } = await complete(kernel, '|');
    expect(
      (matches as string[]).filter((name) => /tslab|__/.test(name) && !/^__(dirname|filename)$/.test(name)),
    ).toEqual([]);
  });
});

describe('inspection', () => {
  test('gives a function of ours with its type and docstring', async ({ kernel }) => {
    const reply = await inspect(kernel, "const it = open|Model('x')");
    expect(reply).toMatchObject({ status: 'ok', found: true, metadata: {} });
    expect(reply.data).toHaveProperty(['text/plain']);
    expect(textOf(reply)).toMatch(/openModel\(pathOrName: string/);
    expect(textOf(reply)).toMatch(/Opens/);
  });

  test('within the brackets of a call gives what is called', async ({ kernel }) => {
    expect(textOf(await inspect(kernel, 'openModel(|)'))).toMatch(/openModel\(/);
    expect(textOf(await inspect(kernel, 'charts.attention(run, { |'))).toMatch(/attention\(/);
    expect(textOf(await inspect(kernel, 'charts.attention(Number(1), |)'))).toMatch(/attention\(/);
    expect(await inspect(kernel, 'charts.attention(1)\n|')).toMatchObject({ found: false });
  });

  test("gives a cell's own docstring, and the type of a variable", async ({ kernel }) => {
    await kernel.execute(
      '/** Doubles a width, in metres. */\nfunction doubled(width: number): number { return 2 * width; }',
    );
    expect(textOf(await inspect(kernel, 'doub|led'))).toMatch(
      /doubled\(width: number\): number[\s\S]*Doubles a width, in metres\./,
    );
    await kernel.execute('const listed = [1n];');
    expect(textOf(await inspect(kernel, '/* 🧠 */ list|ed'))).toMatch(/listed: bigint\[\]/);
  });

  test('finds nothing where nothing stands', async ({ kernel }) => {
    expect(await inspect(kernel, '|  ')).toMatchObject({ status: 'ok', found: false, data: {} });
  });
});

test('both answer while a cell runs that never rests', async ({ kernel }) => {
  await kernel.execute('const busy = { inner: 1 };');
  const cell = await kernel.begin("console.log('spinning'); while (true) {}");
  await cell.until(({ header }) => header.msg_type === 'execute_input');
  expect((await complete(kernel, 'busy.inn|')).matches).toEqual(['inner']);
  expect(textOf(await inspect(kernel, 'bu|sy'))).toContain('inner: number');
  expect(cell.reply).toBeUndefined();
  await kernel.interrupt();
  expect((await cell.done()).reply.status).toBe('error');
});
