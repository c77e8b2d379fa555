/** What a cell prints and shows: all of it, in order, at the cell it belongs to. */
import { describe, expect } from 'vitest';
import { type Message, prints, streamed } from '../jupyter.ts';
import { test } from './with_kernel.ts';

/** Streams as their text, shown things as their plain text. */
const brief = (outputs: readonly Message[]): string[] =>
  outputs.map(({ header, content }) => {
    const data = content.data as Record<string, unknown> | undefined;
    return `${content.name ?? header.msg_type}: ${content.text ?? data?.['text/plain'] ?? content.wait}`.trim();
  });

const bundle = (text: string): string => `{ 'text/plain': '${text}' }`;

describe('streams', () => {
  test('stdout, stderr and what is shown come in the order of the code', async ({ kernel }) => {
    const { outputs } = await kernel.execute(`
      console.log('one');
      display(${bundle('two')});
      console.error('three');
      console.log('four');
      (${bundle('five')})`);
    expect(brief(outputs)).toEqual([
      'stdout: one',
      'display_data: two',
      'stderr: three',
      'stdout: four',
      'execute_result: five',
    ]);
  });

  test('many lines come whole, in far fewer messages', async ({ kernel }) => {
    const { stdout, outputs } = await kernel.execute('for (let i = 0; i < 5000; i++) console.log(i);');
    expect(stdout).toBe(Array.from({ length: 5000 }, (_, i) => `${i}\n`).join(''));
    expect(outputs.length).toBeLessThan(500);
  });

  test('what is printed without a line break comes too, bytes and text alike', async ({ kernel }) => {
    const { stdout } = await kernel.execute("process.stdout.write('a'); process.stdout.write(Buffer.from('日本'));");
    expect(stdout).toBe('a日本');
  });

  test('process.stdout.write calls back', async ({ kernel }) => {
    const { stdout } = await kernel.execute(
      "await new Promise<void>((resolve) => process.stdout.write('x', () => resolve())); console.log('called');",
    );
    expect(stdout).toBe('xcalled\n');
  });

  test('output is shown while the cell still runs, even one that never rests', async ({ kernel }) => {
    const cell = await kernel.begin("console.log('under way'); while (true) {}");
    await cell.until(prints('under way'));
    expect(cell.reply).toBeUndefined();
    await kernel.interrupt();
    await cell.done();
  });

  test('console methods print as in a terminal', async ({ kernel }) => {
    const { stdout, stderr } = await kernel.execute(
      "console.info('i %d', 1); console.warn('w'); console.table([{ a: 1 }]); console.group('g'); console.log('in'); console.groupEnd();",
    );
    expect(stdout).toMatch(/^i 1\n[\s\S]*│ 0 +.* │ 1 │[\s\S]*\ng\n {2}in\n$/);
    expect(stderr).toBe('w\n');
  });

  test('what a timer prints after its cell has ended goes to that cell', async ({ kernel }) => {
    const early = await kernel.begin(
      "let isLate = false; setTimeout(() => { console.log('late'); isLate = true; }, 50);",
    );
    await early.done();
    const { stdout } = await kernel.execute(
      "while (!isLate) await new Promise((resolve) => setTimeout(resolve, 5)); console.log('now')",
    );
    await early.until(prints('late'));
    expect([streamed(early.messages, 'stdout'), stdout]).toEqual(['late\n', 'now\n']);
  });
});

describe('display', () => {
  test('shows a bundle in all its forms at once', async ({ kernel }) => {
    const { outputs } = await kernel.execute(
      "display({ 'text/html': '<b>3</b>', 'text/plain': '3', 'application/json': { three: [3] } });",
    );
    expect(outputs).toHaveLength(1);
    expect(outputs[0]).toMatchObject({
      header: { msg_type: 'display_data' },
      content: {
        data: { 'text/html': '<b>3</b>', 'text/plain': '3', 'application/json': { three: [3] } },
        metadata: {},
      },
    });
  });

  test("honours Symbol.for('Jupyter.display') there and in the last expression, also when it is async", async ({
    kernel,
  }) => {
    const { outputs, result } = await kernel.execute(`
      class Shown {
        async [Symbol.for('Jupyter.display')]() { return { 'text/markdown': '*me*', 'text/plain': 'me' }; }
      }
      display(new Shown());
      new Shown()`);
    expect(outputs.map(({ header }) => header.msg_type)).toEqual(['display_data', 'execute_result']);
    expect(outputs[0]?.content.data).toEqual(result);
    expect(result).toEqual({ 'text/markdown': '*me*', 'text/plain': 'me' });
  });

  test('bytes travel as base64', async ({ kernel }) => {
    const { outputs } = await kernel.execute("display({ 'image/png': new Uint8Array([137, 80, 78, 71]) });");
    expect(outputs[0]?.content.data).toMatchObject({ 'image/png': 'iVBORw==' });
  });

  test('by an id, what was shown is updated, also from a later cell', async ({ kernel }) => {
    const { outputs } = await kernel.execute(`
      display(${bundle('old')}, { id: 'bar' });
      updateDisplay('bar', ${bundle('new')});`);
    expect(outputs.map(({ header, content }) => [header.msg_type, content.data, content.transient])).toEqual([
      ['display_data', { 'text/plain': 'old' }, { display_id: 'bar' }],
      ['update_display_data', { 'text/plain': 'new' }, { display_id: 'bar' }],
    ]);
    const later = await kernel.execute(`updateDisplay('bar', ${bundle('newest')});`);
    expect(brief(later.outputs)).toEqual(['update_display_data: newest']);
  });

  test('gives a handle that updates what it showed, and shows nothing itself', async ({ kernel }) => {
    const { outputs } = await kernel.execute(`const handle = display(${bundle('1')}); handle`);
    const later = await kernel.execute(`handle.update(${bundle('2')});`);
    expect([...brief(outputs), ...brief(later.outputs)]).toEqual(['display_data: 1', 'update_display_data: 2']);
    expect(later.outputs[0]?.content.transient).toEqual(outputs[0]?.content.transient);
  });

  test('output is cleared at once, or when the next comes', async ({ kernel }) => {
    const { outputs } = await kernel.execute(
      "console.log('1'); clearOutput(); clearOutput({ wait: true }); console.log('2');",
    );
    expect(outputs.map(({ header, content }) => [header.msg_type, content.wait ?? content.text])).toEqual([
      ['stream', '1\n'],
      ['clear_output', false],
      ['clear_output', true],
      ['stream', '2\n'],
    ]);
  });
});

describe('native output', () => {
  test('of child processes and of raw file descriptors reaches its cell before that is done', async ({ kernel }) => {
    const { stdout, stderr } = await kernel.execute(`
      import { spawnSync } from 'node:child_process';
      import { writeSync } from 'node:fs';
      spawnSync(process.execPath, ['-e', "console.log('child'); console.error('child error')"], { stdio: 'inherit' });
      writeSync(1, 'raw\\n');
      writeSync(2, 'raw error\\n');`);
    expect([stdout, stderr]).toEqual(['child\nraw\n', 'child error\nraw error\n']);
    const next = await kernel.execute("writeSync(1, 'second\\n');");
    expect([next.stdout, next.stderr]).toEqual(['second\n', '']);
  });

  test('keeps characters whole that are written in parts', async ({ kernel }) => {
    const { stdout } = await kernel.execute(`
      import { writeSync as writePart } from 'node:fs';
      const bytes = Buffer.from('日本語');
      for (const byte of bytes) { writePart(1, Buffer.of(byte)); await new Promise((resolve) => setTimeout(resolve, 10)); }`);
    expect(stdout).toBe('日本語');
  });

  test('of a child process that runs on comes while it runs', async ({ kernel }) => {
    const { stdout } = await kernel.execute(`
      import { spawn } from 'node:child_process';
      import { once } from 'node:events';
      const child = spawn(process.execPath, ['-e', "console.log('from afar')"], { stdio: 'inherit' });
      await once(child, 'close');`);
    expect(stdout).toBe('from afar\n');
  });
});
