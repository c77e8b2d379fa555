import { expect, test, vi } from 'vitest';
import { openGpu } from '../../../src/node/gpu.ts';
import { noAdapter, openRandom } from '../models.ts';

test.skipIf(noAdapter).each([
  ['all values are kept', {}],
  ['the oldest values go', { budget: 100_000 }],
  ['some are kept', { select: 'l_out-*,Qcur-*' }],
  ['nothing is looked at', { select: 'none', statistics: false }],
])('a decode makes no bind groups after its first tokens where %s', async (_, options) => {
  const { device } = await openGpu();
  const run = (await openRandom('webgpu')).start([1, 40, 77], options);
  const made = vi.spyOn(device, 'createBindGroup');
  await run.generate(6, { stopAtEnd: false });
  expect(made.mock.calls.length).toBeGreaterThan(0);
  made.mockClear();
  await run.generate(10, { stopAtEnd: false });
  expect(made.mock.calls.length).toBe(0);
  made.mockRestore();
  run.close();
});
