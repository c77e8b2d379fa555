import { expect, test } from 'vitest';
import { type OpCase, runOp } from '../../src/engine/run_op.ts';
import { type BlockTypeName, blockTypeNames, blockTypes } from '../../src/gguf/blocks/index.ts';
import { logitDirection } from '../../src/ops/logit_direction.ts';
import type { Params } from '../../src/ops/op.ts';
import { expectRefusal, f32Weight, isNear, onEveryBackend, randomWeight, webgpu } from './on_every_backend.ts';
import { inBuffers, packedWeight, withBindingLimit } from './packed_weight.ts';

const pass = { nTokens: 1, nPast: 0 };
const byHand = {
  weight: f32Weight([3, 2], Float32Array.of(1, 2, 3, 5, 8, 13)),
  norm: f32Weight([2], Float32Array.of(10, -1)),
};
const directionOf = (type: BlockTypeName, rows: number, columns: number, token: number, versus: number): OpCase => ({
  weights: { weight: packedWeight(type, rows, columns, columns), norm: randomWeight(3, [columns]) },
  params: { token, versus },
  pass,
});

onEveryBackend(
  'logit_direction is the token’s row, weighted by the norm',
  logitDirection,
  { weights: byHand, params: { token: 1 }, pass },
  isNear([30, -5]),
);

onEveryBackend(
  'logit_direction of a pair is the difference of their rows',
  logitDirection,
  { weights: byHand, params: { token: 2, versus: 0 }, pass },
  isNear([70, -11]),
);

for (const type of blockTypeNames) {
  const input = directionOf(type, 41, Math.max(96, 2 * blockTypes[type].size), 40, 7);
  onEveryBackend(`logit_direction agrees with f64 on ${type}`, logitDirection, input);
}

for (const columns of [1, 31, 33, 200, 2080]) {
  onEveryBackend(
    `logit_direction agrees with f64 on rows of ${columns}`,
    logitDirection,
    directionOf('F16', 9, columns, 0, 8),
  );
}

test.each<Params>([{ token: 3 }, { token: 1.5 }, { token: 0, versus: -1 }, {}])(
  'logit_direction refuses %j and says which rows there are',
  (params) =>
    expectRefusal(logitDirection, { weights: byHand, params, pass }, /its param .* the weight has rows 0 to 2/),
);

if (!webgpu) {
  test.skip('logit_direction across split weights skipped: no WebGPU adapter', () => {});
} else {
  const context = webgpu;
  test.each(['F32', 'Q4_0', 'Q6_K'] as const)(
    'logit_direction finds both rows of a %s weight that is split',
    async (type) => {
      const input = directionOf(type, 83, 512, 81, 2);
      const split = await runOp(logitDirection, input, withBindingLimit(inBuffers(context), 40_000));
      expect(split.data).toEqual((await runOp(logitDirection, input, context)).data);
    },
  );
}
