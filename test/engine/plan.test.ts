import { expect, test } from 'vitest';
import type { Observed } from '../../src/engine/backend.ts';
import { fusions } from '../../src/engine/fused/index.ts';
import { placeOutputs, planWork } from '../../src/engine/plan.ts';
import { runOp } from '../../src/engine/run_op.ts';
import { outputShapes } from '../../src/engine/shapes.ts';
import { StepError } from '../../src/errors.ts';
import { ops } from '../../src/ops/index.ts';
import type { Step } from '../../src/ops/step.ts';
import { onEveryBackend, webgpu } from '../ops/on_every_backend.ts';
import { normals, seeded } from '../seeded.ts';
import { openRandom, relativeRmsError } from './models.ts';

const model = await openRandom('reference');
const { steps } = model;
const shapeOf = (weight: string) => model.gguf.tensors.get(weight)?.shape;
const nobody: Observed = { values: () => false, statistics: () => false };
const watches = (name: string): Observed => ({ values: (found) => found === name, statistics: () => false });

test('where nobody looks silu and mul become one kernel, and nothing else changes', () => {
  const work = planWork(steps, 0, steps.length, nobody);
  expect(work.filter(({ op }) => op.name === 'silu_mul').map(({ names }) => names)).toEqual(
    [0, 1, 2].map((i) => [`ffn_silu-${i}`, `ffn_swiglu-${i}`]),
  );
  expect(work.flatMap(({ names }) => names)).toEqual(steps.map(({ name }) => name));
});

test('a step that somebody observes, or that a move ends at, is not fused away', () => {
  const fused = (observed: Observed, to = steps.length) =>
    planWork(steps, 0, to, observed).flatMap(({ names }) => (names.length > 1 ? [names[0]] : []));
  expect(fused(watches('ffn_silu-1'))).toEqual(['ffn_silu-0', 'ffn_silu-2']);
  expect(fused({ values: () => false, statistics: () => true })).toEqual([]);
  const silu = steps.findIndex(({ name }) => name === 'ffn_silu-0');
  expect(fused(nobody, silu + 1)).toEqual([]);
});

test('a step with another wiring matches no fusion', () => {
  const changed = steps.map((step) =>
    step.name === 'ffn_swiglu-0' ? { ...step, inputs: { a: 'ffn_up-0', b: 'ffn_silu-0' } } : step,
  );
  expect(planWork(changed, 0, steps.length, nobody).filter(({ op }) => op.name === 'silu_mul')).toHaveLength(2);
});

test('no step writes the page it reads, alone or fused, and outputs of a segment do not overlap', () => {
  const shapes = outputShapes(steps, { nPast: 0, nTokens: 5 }, shapeOf);
  for (const { from, to, regions, banks } of placeOutputs(steps, shapes)) {
    for (const step of steps.slice(from, to)) {
      const { bank } = regions.get(step.name)!;
      for (const name of Object.values(step.inputs)) expect(regions.get(name)?.bank, step.name).not.toBe(bank);
    }
    for (const [bank, bytes] of banks.entries()) {
      const inside = [...regions.values()].filter((region) => region.bank === bank);
      inside.sort((a, b) => a.offset - b.offset);
      const ends = inside.map(({ offset, bytes }) => offset + bytes);
      for (const [i, { offset }] of inside.slice(1).entries()) expect(offset).toBeGreaterThanOrEqual(ends[i]!);
      expect(Math.max(...ends)).toBeLessThanOrEqual(bytes);
      expect(inside.every(({ offset }) => offset % 256 === 0)).toBe(true);
    }
  }
});

test('in a decode every region stays where it is while 256 keys go by', () => {
  const at = (nPast: number) => placeOutputs(steps, outputShapes(steps, { nPast, nTokens: 1 }, shapeOf));
  const places = (nPast: number) => at(nPast).map(({ regions }) => [...regions.values()].map(({ offset }) => offset));
  expect(places(3)).toEqual(places(255));
});

test('an input that nothing provides is named with its step', () => {
  const broken: Step[] = steps.map((step) =>
    step.name === 'Qcur_rope-2' ? { ...step, inputs: { x: 'Qcur-7' } } : step,
  );
  expect(() => outputShapes(broken, { nPast: 0, nTokens: 1 }, shapeOf)).toThrow(StepError);
  expect(() => outputShapes(broken, { nPast: 0, nTokens: 1 }, shapeOf)).toThrow(
    'Cannot run step Qcur_rope-2: its input x names "Qcur-7", which no earlier step or weight provides',
  );
});

const x = { shape: [3, 257], data: normals(seeded(1), 3 * 257, 3) };
const up = { shape: [3, 257], data: normals(seeded(2), 3 * 257) };
const pass = { nTokens: 3, nPast: 0 };

for (const { op } of fusions) {
  onEveryBackend(`${op.name} agrees with its own reference`, op, { tensors: { gate: x, up }, pass });
}

test.skipIf(!webgpu)('silu_mul agrees with silu and mul to 1e-6 on the same inputs', async () => {
  const [fusion] = fusions;
  const fused = await runOp(fusion!.op, { tensors: { gate: x, up }, pass }, webgpu!);
  const silu = await runOp(ops.silu!, { tensors: { x }, pass }, webgpu!);
  const parts = await runOp(ops.mul!, { tensors: { a: silu, b: up }, pass }, webgpu!);
  expect(relativeRmsError(Float32Array.from(fused.data), Float32Array.from(parts.data))).toBeLessThanOrEqual(1e-6);
});
