/** The wire: signatures, broken messages, the heartbeat, and who ends when whom they belong to is gone. */
import { readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { have } from '../../skip.ts';
import type { Kernel } from '../jupyter.ts';
import { test } from './with_kernel.ts';

const header = (id: string): string =>
  JSON.stringify({ msg_id: id, msg_type: 'execute_request', session: 's', username: 'u', version: '5.4', date: '' });

/** A cell that would show that it ran. */
const content = JSON.stringify({ code: 'intruded++', silent: false });

describe('a message is dropped, and the kernel lives:', () => {
  const right = ['<IDS|MSG>', '', header('x'), '{}', '{}', content];
  const withSignature = (signature: string): string[] => right.with(1, signature);

  test.for([
    ['with no signature', (kernel: Kernel) => kernel.sendFrames(right)],
    ['with a wrong signature', (kernel: Kernel) => kernel.sendFrames(withSignature('0'.repeat(64)))],
    ['with a signature that is no hexadecimal', (kernel: Kernel) => kernel.sendFrames(withSignature('日本'))],
    ['with a signature cut short', (kernel: Kernel) => kernel.sendFrames(withSignature('ab'))],
    ['that was sent before', replay],
    ['without a delimiter', (kernel: Kernel) => kernel.sendFrames(['hello'])],
    ['with an empty frame', (kernel: Kernel) => kernel.sendFrames([''])],
    ['with too few parts', (kernel: Kernel) => kernel.sendSigned([header('x'), '{}'])],
    ['whose content is no JSON', (kernel: Kernel) => kernel.sendSigned([header('x'), '{}', '{}', '{"code":'])],
    ['whose header is no JSON', (kernel: Kernel) => kernel.sendSigned(['nonsense', '{}', '{}', content])],
    ['whose header is no object', (kernel: Kernel) => kernel.sendSigned(['[1]', '{}', '{}', content])],
    ['whose content is null', (kernel: Kernel) => kernel.sendSigned([header('x'), '{}', '{}', 'null'])],
  ] as const)('%s', async ([, send], { kernel }) => {
    await kernel.execute('var intruded = 0;');
    await send(kernel);
    expect((await kernel.execute('intruded')).result?.['text/plain']).toBe('0');
    expect(kernel.log()).toMatch(/message/i);
  });
});

/** Runs a cell by hand, and sends its very frames again. */
async function replay(kernel: Kernel): Promise<void> {
  const parts = [header('replayed'), '{}', '{}', JSON.stringify({ code: '', silent: true })];
  await kernel.sendSigned(parts);
  await kernel.sendSigned(parts);
}

test('a message signed rightly by hand is answered, so the ones above were dropped for what they are', async ({
  kernel,
}) => {
  await kernel.execute('var counted = 0;');
  await kernel.sendSigned([header('by-hand'), '{}', '{}', JSON.stringify({ code: 'counted++', silent: true })]);
  expect((await kernel.execute('counted')).result?.['text/plain']).toBe('1');
});

test('the heartbeat gives back what it is sent, also while a cell never rests', async ({ kernel }) => {
  expect(await kernel.heartbeat('ping')).toBe('ping');
  const cell = await kernel.begin('while (true) {}');
  await cell.until(({ header }) => header.msg_type === 'execute_input');
  expect(await kernel.heartbeat('日本')).toBe('日本');
  await kernel.interrupt();
  await cell.done();
});

test('two kernels at once know nothing of each other', async ({ kernel, startKernel }) => {
  const other = await startKernel();
  const both = [kernel, other] as const;
  await Promise.all(both.map((each, i) => each.execute(`var mine = ${i};`)));
  const cells = await Promise.all(both.map((each) => each.execute('console.log(process.pid); mine')));
  expect(cells.map(({ result }) => result?.['text/plain'])).toEqual(['0', '1']);
  expect(cells[0]?.stdout).not.toBe(cells[1]?.stdout);
  await other.send('shutdown_request', { restart: false }, 'control');
  await other.ended;
  expect((await kernel.execute('mine')).result?.['text/plain']).toBe('0');
});

/** Whether a process runs; a zombie has ended, and only waits for its parent to ask. Source: proc(5). */
function lives(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

test('when its parent is killed, the kernel and its executor end, even out of a loop', async ({
  startKernel,
  skip,
}) => {
  have({ skip }, process.platform === 'linux' || undefined, 'reads /proc');
  const kernel = await startKernel();
  const { stdout } = await kernel.execute('console.log(process.pid)');
  const cell = await kernel.begin('while (true) {}');
  await cell.until(({ header }) => header.msg_type === 'execute_input');
  const pids = [kernel.pid, Number(stdout)];
  expect(pids.map(lives)).toEqual([true, true]);
  kernel.client.kill('SIGKILL');
  await expect.poll(() => pids.map(lives), { timeout: 50_000 }).toEqual([false, false]);
});

test('when the executor is all that is left, it ends too', async ({ startKernel, skip }) => {
  have({ skip }, process.platform === 'linux' || undefined, 'reads /proc');
  const kernel = await startKernel();
  const { stdout } = await kernel.execute('console.log(process.pid)');
  const cell = await kernel.begin('while (true) {}');
  await cell.until(({ header }) => header.msg_type === 'execute_input');
  process.kill(kernel.pid, 'SIGKILL');
  await expect.poll(() => lives(Number(stdout)), { timeout: 50_000 }).toBe(false);
});
