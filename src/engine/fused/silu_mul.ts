/** silu_mul: y = silu(gate) · up, the two elementwise steps of SwiGLU in one. Source: Shazeer 2020, arXiv:2002.05202. */
import { mul } from '../../ops/mul.ts';
import type { Op } from '../../ops/op.ts';
import { sizeOf } from '../../ops/shape.ts';
import { silu } from '../../ops/silu.ts';
import { workgroupsPerElement } from '../../ops/workgroups.ts';
import type { Fusion } from './index.ts';

const op: Op = {
  name: 'silu_mul',
  formula: 'y = gate · sigmoid(gate) · up',
  inputs: { gate: { kind: 'tensor' }, up: { kind: 'tensor' } },
  shape: (shapes) => shapes.gate ?? [],
  async reference({ tensors }, params, pass) {
    const gate = tensors.gate!;
    const data = await silu.reference({ tensors: { x: gate }, weights: {} }, params, pass);
    return mul.reference({ tensors: { a: { shape: gate.shape, data }, b: tensors.up! }, weights: {} }, params, pass);
  },
  dispatch({ output, device }) {
    const n = sizeOf(output);
    return [
      {
        kernel: 'fused/silu_mul',
        uniforms: [n],
        bindings: [{ role: 'gate' }, { role: 'up' }, { role: 'output' }],
        workgroups: workgroupsPerElement(n, device),
      },
    ];
  },
  tolerance: (shapes) => silu.tolerance(shapes),
};

export const siluMul: Fusion = {
  pattern: ['silu', 'mul'],
  op,
  join([silu, mul]) {
    const gate = silu?.inputs.x;
    const up = mul?.inputs.b;
    if (!gate || !up || !mul || mul.inputs.a !== silu.name || up === silu.name) return null;
    return { ...mul, op: op.name, inputs: { gate, up } };
  },
};
