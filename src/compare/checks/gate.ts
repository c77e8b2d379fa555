/** gate: what goes into the last matrix of a feed-forward is silu(gate) · up, silu(x) = x / (1 + e⁻ˣ) (Shazeer 2020, arXiv:2002.05202). */
import { columnsOf, rowsOf } from '../../ops/shape.ts';
import type { TraceCheck } from './check.ts';

export const gate: TraceCheck = {
  kind: 'trace',
  name: 'gate',
  title: 'The feed-forward passes silu(gate) · up on',
  proves: 'The activation is SiLU and acts on the gate: a dead one, a sigmoid, a GELU, and gate and up swapped show.',
  cannot: 'Whether gate and up themselves are right.',
  needs: { tensors: ['ffn_gate-i', 'ffn_up-i', 'ffn_swiglu-i'], model: null },

  async look(subject, findings) {
    const { elementwise, unit } = subject.arithmetic;
    findings.within({ ...elementwise, source: `of the element and its row's RMS; ${elementwise.source}` });
    const roles = (layer: number) => ({ gate: `ffn_gate-${layer}`, up: `ffn_up-${layer}`, y: `ffn_swiglu-${layer}` });
    for await (const { tensors, at } of subject.sets(roles, findings)) {
      const [x, up, y] = [tensors.gate.data, tensors.up.data, tensors.y.data];
      const [where, columns] = [at('y'), columnsOf(tensors.y.shape)];
      const wanted = Float64Array.from(
        y,
        (_, i) => ((x[i] as number) / (1 + Math.exp(-(x[i] as number)))) * (up[i] as number),
      );
      const rms = Float64Array.from({ length: rowsOf(where.shape) }, (_, row) =>
        Math.sqrt(
          wanted.subarray(row * columns, (row + 1) * columns).reduce((sum, value) => sum + value * value, 0) / columns,
        ),
      );
      // A rounded x moves its exponential by |x| units.
      const allowed = (i: number) =>
        elementwise.limit * (Math.abs(wanted[i] as number) + (rms[Math.floor(i / columns)] as number)) +
        4 * unit * Math.abs((x[i] as number) * (wanted[i] as number));
      findings.elements(where, y, wanted, allowed);
    }
  },
};
