/**
 * The harness of every op test. `onEveryBackend(title, op, case, check)` makes one test per backend:
 *
 *   onEveryBackend('add adds', add, { tensors: { a: f32([2], [1, 2]), b: f32([2], [3, 4]) }, pass }, isNear([4, 6]))
 *
 * - reference: runs the op in f64, then `check`.
 * - webgpu: the same case on the device, then `check`, then compares it with the reference: the relative RMS error must be
 *   at most `op.tolerance(shapes)`, and NaN and infinities must stand in the same places. Laid out in two dimensions, as a
 *   grid of more than 65,535 workgroups is, it must give the same bits; without subgroups it must be as near.
 *
 * `case.tensors` are by role (roles of kind tensor, tokens and cache), `case.weights` by role (`f32Weight(shape, values)`
 * or any OpWeight). Without an adapter the webgpu tests are skipped and say so.
 */
import { expect, test } from 'vitest';
import { f32Weight, type OpCase, runOp } from '../../src/engine/run_op.ts';
import { KernelLinker } from '../../src/engine/webgpu/link.ts';
import type { WebgpuContext } from '../../src/engine/webgpu/run_op.ts';
import { openGpu } from '../../src/node/gpu.ts';
import { readKernel } from '../../src/node/kernels.ts';
import type { Op, Shape, Values } from '../../src/ops/op.ts';
import { sizeOf } from '../../src/ops/shape.ts';
import { normals, seeded } from '../seeded.ts';

export { f32Weight } from '../../src/engine/run_op.ts';

/** Looks at an output of either backend; `expect` what must hold. */
export type Check = (output: Values, backend: 'reference' | 'webgpu') => void;

let noAdapter = '';
/** The device's backend, or undefined where there is no adapter; `noAdapter` then says why. */
export const webgpu: WebgpuContext | undefined = await openGpu().then(
  (gpu) => ({ gpu, linker: new KernelLinker(gpu, readKernel) }),
  (error: Error) => {
    noAdapter = error.message;
    return undefined;
  },
);

export function onEveryBackend(title: string, op: Op, input: OpCase, check: Check = () => {}): void {
  test(`${title} [reference]`, async () => {
    check(await runOp(op, input, 'reference'), 'reference');
  });
  if (!webgpu) {
    test.skip(`${title} [webgpu] skipped: ${noAdapter}`);
    return;
  }
  test(`${title} [webgpu]`, async () => {
    const wanted = await runOp(op, input, 'reference');
    const found = await runOp(op, input, webgpu);
    check(found, 'webgpu');
    expect(found.shape).toEqual(wanted.shape);
    expect(firstNonFiniteMismatch(found.data, wanted.data)).toBe('');
    expect(relativeRmsError(found.data, wanted.data)).toBeLessThanOrEqual(op.tolerance(shapesOf(input)));
    const narrow = await runOp(op, input, { ...webgpu, traits: { maxWorkgroupsPerDimension: 3 } });
    expect(narrow.data).toEqual(found.data);
    const without = await runOp(op, input, { ...webgpu, traits: { subgroupSize: 0 } });
    expect(relativeRmsError(without.data, wanted.data)).toBeLessThanOrEqual(op.tolerance(shapesOf(input)));
  });
}

/** Throws what `runOp` throws; a test of an error gives the message it wants. */
export async function expectRefusal(op: Op, input: OpCase, message: RegExp): Promise<void> {
  await expect(runOp(op, input, 'reference')).rejects.toThrow(message);
}

/** ‖found − wanted‖ / ‖wanted‖ over the finite values of `wanted`; 0 where both are all zero. */
export function relativeRmsError(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let [error, norm] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    if (!Number.isFinite(wanted[i])) continue;
    error += (found[i]! - wanted[i]!) ** 2;
    norm += wanted[i]! ** 2;
  }
  return error === 0 ? 0 : Math.sqrt(error / norm);
}

/** A check that every value is within 1e-6 relative (or 1e-6 of 1) of the ones given by hand. */
export function isNear(values: readonly number[]): Check {
  return ({ data }) => {
    expect(data.length).toBe(values.length);
    for (const [i, value] of values.entries()) {
      expect(Math.abs(data[i]! - value), `element ${i}: ${data[i]}, by hand ${value}`).toBeLessThanOrEqual(
        1e-6 * Math.max(1, Math.abs(value)),
      );
    }
  };
}

/** A tensor of the given numbers. */
export function f32(shape: Shape, values: ArrayLike<number>): Values {
  return { shape, data: Float32Array.from(values) };
}

/** A tensor of seeded normal numbers. */
export function randomTensor(seed: number, shape: Shape, scale = 1): Values {
  return { shape, data: normals(seeded(seed), sizeOf(shape), scale) };
}

/** An F32 weight of seeded normal numbers. */
export function randomWeight(seed: number, shape: Shape) {
  return f32Weight(shape, Float32Array.from(normals(seeded(seed), sizeOf(shape))));
}

function shapesOf({ tensors = {}, weights = {} }: OpCase): Record<string, Shape> {
  return Object.fromEntries(
    [...Object.entries(tensors), ...Object.entries(weights)].map(([role, v]) => [role, v.shape]),
  );
}

/** '' where every NaN, Inf and -Inf of `wanted` is found, and no other. */
function firstNonFiniteMismatch(found: ArrayLike<number>, wanted: ArrayLike<number>): string {
  for (let i = 0; i < wanted.length; i++) {
    const bothFinite = Number.isFinite(found[i]) && Number.isFinite(wanted[i]);
    if (!bothFinite && !Object.is(found[i], wanted[i])) return `element ${i}: ${found[i]}, reference ${wanted[i]}`;
  }
  return '';
}
