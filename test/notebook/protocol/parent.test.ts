/** A kernel that outlives whoever started it. */
import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { endWithParent } from '../../../src/notebook/protocol/parent.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval'] }));
afterEach(() => void vi.useRealTimers());

/** Whether the kernel ends within some seconds. */
function ends(env: NodeJS.ProcessEnv): boolean {
  const end = vi.fn();
  endWithParent(end, env);
  vi.advanceTimersByTime(3000);
  return end.mock.calls.length > 0;
}

test('goes on while its parent lives, named or not', () => {
  expect(ends({})).toBe(false);
  expect(ends({ JPY_PARENT_PID: `${process.ppid}` })).toBe(false);
  // Another user's process answers EPERM to us unless we are root; it lives.
  expect(ends({ JPY_PARENT_PID: '1' })).toBe(false);
});

test('ends when the process that is named is gone', () => {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  expect(ends({ JPY_PARENT_PID: `${pid}` })).toBe(true);
});

test('ends when its parent has changed', () => {
  const parent = vi.spyOn(process, 'ppid', 'get').mockReturnValueOnce(4242);
  expect(ends({})).toBe(true);
  parent.mockRestore();
});

test('takes no notice of a name that is none', () => {
  for (const name of ['', '0', '-5', 'none']) expect(ends({ JPY_PARENT_PID: name })).toBe(false);
});
