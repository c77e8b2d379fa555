import { describe, expect, test } from 'vitest';
import { f32Weight, type OpCase, runOp } from '../../src/engine/run_op.ts';
import { DeviceError, StepError } from '../../src/errors.ts';
import { add } from '../../src/ops/add.ts';
import { mulMat } from '../../src/ops/mul_mat.ts';
import type { Op } from '../../src/ops/op.ts';
import { rmsNorm } from '../../src/ops/rms_norm.ts';
import { f32, randomTensor, relativeRmsError, webgpu } from '../ops/on_every_backend.ts';
import { packedWeight } from '../ops/packed_weight.ts';

const pass = { nTokens: 1, nPast: 0 };
const sum: OpCase = { tensors: { a: f32([3], [1, 2, 3]), b: f32([3], [1, 1, 1]) }, pass };

test('one op alone gives its output and the output shape', async () => {
  expect(await runOp(add, sum, 'reference')).toEqual({ shape: [3], data: Float64Array.of(2, 3, 4) });
});

test('numbers that do not fill their shape are refused', async () => {
  const tensors = { a: f32([2], [1]), b: f32([2], [1, 2]) };
  await expect(runOp(add, { tensors, pass }, 'reference')).rejects.toThrow(
    /Cannot run add: a is \[2\] but holds 1 numbers/,
  );
});

test('a param that is missing is refused by its name', async () => {
  const weights = { weight: f32Weight([1], Float32Array.of(1)) };
  const run = runOp(rmsNorm, { tensors: { x: f32([1, 1], [1]) }, weights, pass }, 'reference');
  await expect(run).rejects.toThrow(/Cannot run rms_norm: its param eps is undefined; it must be a finite number/);
});

if (!webgpu) {
  test.skip('one op alone on a device skipped: there is no WebGPU adapter');
} else {
  const device = webgpu;
  describe('on a device', () => {
    test('a matrix stays in its block type, and a vector of any type is f32', async () => {
      const x = randomTensor(1, [2, 64]);
      const product: OpCase = { tensors: { x }, weights: { weight: packedWeight('Q8_0', 5, 64, 2) }, pass };
      const norm: OpCase = {
        tensors: { x },
        weights: { weight: { ...packedWeight('F16', 1, 64, 3), shape: [64] } },
        params: { eps: 1e-5 },
        pass,
      };
      for (const [op, input] of [
        [mulMat, product],
        [rmsNorm, norm],
      ] as const) {
        const [found, wanted] = [await runOp(op, input, device), await runOp(op, input, 'reference')];
        expect(relativeRmsError(found.data, wanted.data)).toBeLessThanOrEqual(1e-6);
      }
    });

    test('an element that no kernel writes is NaN, not zero', async () => {
      const half: Op = {
        ...add,
        dispatch: (request) => add.dispatch(request).map((call) => ({ ...call, uniforms: [1] })),
      };
      expect([...(await runOp(half, sum, device)).data]).toEqual([2, Number.NaN, Number.NaN]);
    });

    test('a block type that is not supported is refused with those that are', async () => {
      const weights = { weight: { ...f32Weight([1, 3], Float32Array.of(1, 2, 3)), type: 'IQ2_S' } };
      const run = runOp(mulMat, { tensors: { x: f32([1, 3], [1, 2, 3]) }, weights, pass }, device);
      await expect(run).rejects.toThrow(/Cannot run mul_mat: its weight is of type IQ2_S; supported types are .*Q4_0/);
    });

    test('a kernel that binds what was not given is a StepError, and what the device refuses a DeviceError', async () => {
      const edited = (edit: object): Op => ({
        ...add,
        dispatch: (request) => add.dispatch(request).map((call) => ({ ...call, ...edit })),
      });
      const unknown = runOp(edited({ bindings: [{ role: 'a' }, { role: 'z' }, { role: 'output' }] }), sum, device);
      await expect(unknown).rejects.toThrow(StepError);
      const refused = runOp(edited({ bindings: [{ role: 'a' }] }), sum, device);
      await expect(refused).rejects.toThrow(DeviceError);
      expect((await runOp(add, sum, device)).data[0]).toBe(2);
    });
  });
}
