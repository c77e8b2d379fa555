import { expect } from 'vitest';
import { test } from './with_kernel.ts';

test('works', async ({ kernel }) => {
  const r = await kernel.execute('console.log(1); 40 + 2');
  console.log(JSON.stringify(r, null, 1));
  expect(r.stdout).toBe('1\n');
});
