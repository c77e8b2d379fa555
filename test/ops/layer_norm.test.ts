import { expect, test } from 'vitest';
import { runOp } from '../../src/engine/run_op.ts';
import { layerNorm } from '../../src/ops/layer_norm.ts';
import { rmsNorm } from '../../src/ops/rms_norm.ts';
import {
  f32,
  f32Weight,
  isNear,
  onEveryBackend,
  randomTensor,
  randomWeight,
  relativeRmsError,
} from './on_every_backend.ts';

const pass = { nTokens: 1, nPast: 0 };
const weightOf = (...values: number[]) => f32Weight([values.length], Float32Array.from(values));

// mean 2, variance 1; with eps 3 the deviation is 2.
onEveryBackend(
  'layer_norm takes the mean away and divides by the deviation',
  layerNorm,
  { tensors: { x: f32([1, 2], [1, 3]) }, weights: { weight: weightOf(10, 100) }, params: { eps: 3 }, pass },
  isNear([-5, 50]),
);

onEveryBackend(
  'layer_norm gives the same for a row and the row with 1000 added',
  layerNorm,
  {
    tensors: { x: f32([2, 4], [1, 2, 3, 6, 1001, 1002, 1003, 1006]) },
    weights: { weight: weightOf(1, 1, 1, 1) },
    params: { eps: 1e-5 },
    pass: { nTokens: 2, nPast: 0 },
  },
  ({ data }) => {
    for (const i of [0, 1, 2, 3]) expect(data[i]).toBeCloseTo(data[i + 4]!, 5);
  },
);

for (const [rows, embd] of [
  [1, 1],
  [3, 65],
  [2, 1021],
] as const) {
  onEveryBackend(`layer_norm agrees with f64 on ${rows} rows of ${embd}`, layerNorm, {
    tensors: { x: randomTensor(embd, [rows, embd]) },
    weights: { weight: randomWeight(rows, [embd]) },
    params: { eps: 1e-5 },
    pass,
  });
}

test('layer_norm is rms_norm where the mean is zero', async () => {
  const input = {
    tensors: { x: f32([1, 4], [1, -1, 5, -5]) },
    weights: { weight: randomWeight(1, [4]) },
    params: { eps: 1e-5 },
    pass,
  };
  const [layer, rms] = [await runOp(layerNorm, input, 'reference'), await runOp(rmsNorm, input, 'reference')];
  expect(relativeRmsError(layer.data, rms.data)).toBeLessThan(1e-15);
});
