import { expect, test } from 'vitest';
import { edit } from '../../../src/engine/transforms/edit.ts';
import type { Transform } from '../../../src/engine/transforms/transform.ts';
import type { Tensor } from '../../../src/trace/tensor.ts';
import { backends } from '../../engine/models.ts';
import { checked, failed, resultOf, scaled } from './bugs.ts';

const sigmoid = (): Transform[] => {
  let gate: Tensor;
  const remember = (tensor: Tensor) => {
    gate = tensor;
    return tensor;
  };
  return [edit('ffn_gate-1', remember), edit('ffn_silu-1', () => gate.map((x) => 1 / (1 + Math.exp(-x))))];
};

test.each(
  backends.flatMap((backend): [string, Transform[], typeof backend][] => [
    ['a silu that gives 0', [scaled('ffn_silu-1', 0)], backend],
    ['a sigmoid in its place', sigmoid(), backend],
    ['one column that is not written', [scaled('ffn_swiglu-1', 0, (_, column) => column === 95)], backend],
  ]),
)('%s is found, and no other check can', async (_, bug, backend) => {
  const report = await checked(backend, ...bug);
  expect(failed(report)).toEqual(['gate']);
  expect(resultOf(report, 'gate').worst).toMatchObject({ tensor: 'ffn_swiglu-1', layer: 1 });
});
