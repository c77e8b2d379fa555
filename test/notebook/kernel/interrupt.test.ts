/** Interrupt: whatever a cell is caught in it stops, and variables and the device are as they were. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { type Exchange, type Kernel, prints } from '../jupyter.ts';
import { test } from './with_kernel.ts';

/** The two ways of front ends: a message on control, and Ctrl-C's signal to the process group. */
const WAYS: Readonly<Record<string, (kernel: Kernel) => Promise<unknown>>> = {
  message: async (kernel) => (await kernel.send('interrupt_request', {}, 'control')).replied(),
  signal: (kernel) => kernel.signal(constants.signals.SIGINT),
};

/** Code that never ends, and what stands before it. */
const LOOPS: Readonly<Record<string, string>> = {
  'a loop': 'while (true) {}',
  'a loop that catches all errors': 'while (true) { try { while (true) {} } catch {} }',
  'a loop of microtasks': 'const spin = async (): Promise<void> => { while (true) await null; }; await spin();',
  'a loop of timers': 'while (true) await new Promise((resolve) => setTimeout(resolve, 1));',
  'a promise that never settles': 'await new Promise(() => {});',
  'an endless async iterator': 'async function* forever() { while (true) yield 1; } for await (const _ of forever());',
  'a loop that prints': "while (true) console.log('again and again');",
  'a catastrophic regular expression': "/^(a+)+$/.test('a'.repeat(60) + 'b');",
  'steps on the device': 'while (true) { await run.toEnd(); await run.back("embd"); }',
  'a generation': 'while (true) { await run.generate(200); await run.back("embd"); }',
};

/** Starts a cell that says so by a file, which comes even where its output could not, and waits for that. */
async function caughtIn(kernel: Kernel, loop: string): Promise<Exchange> {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-loop-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const mark = join(folder, 'started');
  const cell = await kernel.begin(`(await import('node:fs')).writeFileSync(${JSON.stringify(mark)}, '');\n${loop}`);
  while (!existsSync(mark)) await new Promise((resolve) => setTimeout(resolve, 5));
  return cell;
}

describe.each(Object.keys(WAYS))('by %s', (way) => {
  test.for(Object.keys(LOOPS))('stops %s; variables and device go on', async (loop, { kernel }) => {
    const { reply: opened } = await kernel.execute(`
      var kept = { count: 7 };
      var model = await openModel('fixtures/lily-4m-f16.gguf');
      var run = model.start('Lily gave the ball to Tom.');`);
    expect(opened).toMatchObject({ status: 'ok' });
    const cell = await caughtIn(kernel, LOOPS[loop] ?? '');
    const queued = await kernel.begin("console.log('queued ran')");
    await WAYS[way]?.(kernel);
    const { reply, traceback } = await cell.done();
    expect(reply).toMatchObject({ status: 'error', ename: expect.stringMatching(/Interrupt/) });
    expect(traceback).toMatch(/[Ii]nterrupt/);
    expect((await queued.done()).stdout).toBe('');
    const { result, traceback: after } = await kernel.execute(
      'await run.toEnd(); [kept.count, run.trace.names.length > 0]',
    );
    expect([after, result?.['text/plain']]).toEqual(['', '[ 7, true ]']);
  });
});

test('a cell that cleans up in finally does so', async ({ kernel }) => {
  await kernel.execute('var cleaned = 0;');
  const cell = await caughtIn(
    kernel,
    'try { while (true) await new Promise((resolve) => setTimeout(resolve, 5)); } finally { cleaned++; }',
  );
  await kernel.interrupt();
  await cell.done();
  const { result } = await kernel.execute('while (cleaned === 0) await new Promise((r) => setTimeout(r, 5)); cleaned');
  expect(result?.['text/plain']).toBe('1');
});

test('timers of an interrupted cell do not go on for ever', async ({ kernel }) => {
  await kernel.execute('var ticks = 0;');
  const cell = await caughtIn(
    kernel,
    'const tick = () => { ticks++; setTimeout(tick, 1); }; tick(); setInterval(tick, 1); await new Promise(() => {});',
  );
  await kernel.interrupt();
  await cell.done();
  const { result } = await kernel.execute(
    'const soon = () => new Promise((r) => setTimeout(r, 50)); await soon(); const before = ticks; await soon(); ticks - before',
  );
  expect(result?.['text/plain']).toBe('0');
});

test('nothing is running: an interrupt is answered, and the next cell runs', async ({ kernel }) => {
  expect(await kernel.request('interrupt_request', {}, 'control')).toEqual({ status: 'ok' });
  await kernel.signal(constants.signals.SIGINT);
  expect((await kernel.execute('1 + 1')).result?.['text/plain']).toBe('2');
});

test('a cell inside native code is told so, and stops when that returns', async ({ kernel }) => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-native-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = JSON.stringify(join(folder, 'return'));
  const child = `setInterval(() => require('node:fs').existsSync(${file}) && process.exit(), 20)`;
  const cell = await caughtIn(
    kernel,
    `(await import('node:child_process')).spawnSync(process.execPath, ['-e', ${JSON.stringify(child)}]);\nwhile (true) {}`,
  );
  await kernel.interrupt();
  await cell.until(prints('native code'));
  writeFileSync(join(folder, 'return'), '');
  expect((await cell.done()).reply.status).toBe('error');
  expect((await kernel.execute('1 + 1')).result?.['text/plain']).toBe('2');
});
