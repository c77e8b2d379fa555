import { expect, test } from 'vitest';
import { runOp } from '../../src/engine/run_op.ts';
import { softMax } from '../../src/ops/soft_max.ts';
import { softMaxUnshifted } from '../../src/ops/soft_max_unshifted.ts';
import { f32, isNear, onEveryBackend, randomTensor, relativeRmsError } from './on_every_backend.ts';

const params = { scale: 0.5, overflow: 11.09 };

// exp(½ · 2 ln 3) = 3: token 0 sees one key, token 1 both.
onEveryBackend(
  'soft_max_unshifted weighs what a token sees by exp of its score',
  softMaxUnshifted,
  { tensors: { x: f32([1, 2, 2], [0, 99, 0, 2 * Math.log(3)]) }, params, pass: { nTokens: 2, nPast: 0 } },
  isNear([1, 0, 0.25, 0.75]),
);

onEveryBackend(
  'soft_max_unshifted gives NaN where exp overflows and 0 beside it',
  softMaxUnshifted,
  { tensors: { x: f32([1, 1, 3], [22.5, 1, 22]) }, params, pass: { nTokens: 1, nPast: 2 } },
  ({ data }) => expect([...data]).toEqual([Number.NaN, 0, 0]),
);

for (const [heads, tokens, past] of [
  [1, 1, 0],
  [3, 7, 30],
  [2, 1, 1020],
] as const) {
  onEveryBackend(
    `soft_max_unshifted agrees with f64 on ${heads} heads, ${tokens} tokens after ${past}`,
    softMaxUnshifted,
    {
      tensors: { x: randomTensor(heads, [heads, tokens, past + tokens], 4) },
      params,
      pass: { nTokens: tokens, nPast: past },
    },
  );
}

test('soft_max_unshifted is soft_max where nothing overflows', async () => {
  const input = { tensors: { x: randomTensor(1, [2, 5, 5], 3) }, params, pass: { nTokens: 5, nPast: 0 } };
  const [raw, right] = [await runOp(softMaxUnshifted, input, 'reference'), await runOp(softMax, input, 'reference')];
  expect(relativeRmsError(raw.data, right.data)).toBeLessThan(1e-14);
});
