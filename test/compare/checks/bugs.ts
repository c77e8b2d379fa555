/** Bugs that people make, imitated by transforms, and what the checks say of a model that has one. */

import type { CheckReport, CheckResult } from '../../../src/compare/checks/check.ts';
import { checkModel } from '../../../src/compare/checks/check_model.ts';
import { edit } from '../../../src/engine/transforms/edit.ts';
import type { Transform } from '../../../src/engine/transforms/transform.ts';
import type { Params, Pass } from '../../../src/ops/op.ts';
import type { Tensor } from '../../../src/trace/tensor.ts';
import { RowTrace, type Trace } from '../../../src/trace/trace.ts';
import { openRandom, tiny } from '../../engine/models.ts';

export const TOKENS = [1, 40, 77, 40, 105, 260, 77, 33];

/** The report of a random model of two query groups with a bug. */
export async function checked(backend: 'webgpu' | 'reference', ...bugs: readonly Transform[]): Promise<CheckReport> {
  const model = await openRandom(backend);
  return checkModel(model.with(...bugs), { tokens: TOKENS });
}

/** Names of the checks that fail. */
export function failed({ results }: CheckReport): string[] {
  return results.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name);
}

export function resultOf({ results }: CheckReport, name: string): CheckResult {
  const found = results.find((result) => result.name === name);
  if (!found) throw new Error(`Cannot find the result of ${name}: there is no such check`);
  return found;
}

/** Steps whose name matches run with other params. */
export function otherParams(names: RegExp, params: Params): Transform {
  return {
    name: 'otherParams',
    params,
    apply: (steps) =>
      steps.map((step) => (names.test(step.name) ? { ...step, params: { ...step.params, ...params } } : step)),
  };
}

/** Multiplies what `which` picks of a tensor by `factor`. */
export const scaled = (
  name: string,
  factor: number,
  which: (...indices: number[]) => boolean = () => true,
): Transform =>
  edit(name, (tensor) => tensor.map((x, ...indices) => (which(...indices) ? x * factor : x)), { label: 'scaled' });

/** Attention as an engine without a mask has it: every key of the pass, with equal weight. */
export const noMask = (name: string): Transform =>
  edit(name, (tensor) => tensor.map(() => 1 / (tensor.shape[2] as number)), { label: 'no mask' });

/** softmax(x) for softmax(x / √headDim): the same numbers to the power of √headDim, normalised again. */
export const noScale = (name: string): Transform =>
  edit(
    name,
    (tensor: Tensor) => {
      const power = Math.sqrt((tiny.nEmbd / tiny.nHead) as number);
      const raised = tensor.map((p) => p ** power);
      const keys = tensor.shape[2] as number;
      const sums = raised.mean(2).data.map((mean) => mean * keys);
      return raised.map((p, head, token) => p / (sums[head * (tensor.shape[1] as number) + token] as number));
    },
    { label: 'no scale' },
  );

/** The feed-forward of a layer is computed and not added. */
export function lostBranch(layer: number): Transform[] {
  let stream: Tensor;
  return [
    edit(`ffn_inp-${layer}`, (tensor) => {
      stream = tensor;
      return tensor;
    }),
    edit(`l_out-${layer}`, () => stream, { label: 'without ffn_out' }),
  ];
}

/** What `fn` makes of a tensor, in decode steps alone. */
export const inDecode = (name: string, fn: (tensor: Tensor) => Tensor): Transform =>
  edit(name, (tensor: Tensor, { nPast }: Pass) => (nPast > 0 ? fn(tensor) : tensor), { label: 'in decode' });

/** The same trace with some tensors changed, others left out. */
export function changed(
  trace: Trace,
  tensors: Readonly<Record<string, (tensor: Tensor) => Tensor>>,
  lacks = /^$/,
): RowTrace {
  return new RowTrace({
    manifest: trace.manifest,
    entries: trace.entries.filter(({ name }) => !lacks.test(name)),
    values: async ({ name, pass }) => {
      const tensor = await trace.tensor(name, { pass });
      return (tensors[name] ?? ((same) => same))(tensor).data;
    },
    source: 'a test',
  });
}
