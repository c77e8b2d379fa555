import { describe, expect, test } from 'vitest';
import { DeviceError } from '../../../src/errors.ts';
import { openGpu } from '../../../src/node/gpu.ts';
import { have } from '../../skip.ts';
import { noAdapter, openRandom } from '../models.ts';

const REASON = /^Cannot go on: the GPU was lost \(.+\); open the model again/;

describe('a lost device', () => {
  test('fails every move and every read with DeviceError and the reason; what is opened next has a new one', async (context) => {
    have(context, noAdapter ? undefined : true, `${noAdapter}`);
    const run = (await openRandom('webgpu')).start([1, 40, 77]);
    await run.layer(0);
    (await openGpu()).device.destroy();
    for (const act of [() => run.toEnd(), () => run.tensor('l_out-0'), () => run.step()]) {
      await expect(act()).rejects.toThrow(DeviceError);
      await expect(act()).rejects.toThrow(REASON);
    }
    const next = await (await openRandom('webgpu')).start([1, 40, 77]).toEnd();
    expect((await next.tensor('result_output')).data.every(Number.isFinite)).toBe(true);
  });

  test('that is lost in the middle of a move fails that move', async (context) => {
    have(context, noAdapter ? undefined : true, `${noAdapter}`);
    const { device } = await openGpu();
    const run = (await openRandom('webgpu')).start([1, 40, 77]);
    const moved = run.toEnd({ onProgress: ({ item }) => item === 'l_out-0' && device.destroy() });
    await expect(moved).rejects.toThrow(REASON);
  });
});
