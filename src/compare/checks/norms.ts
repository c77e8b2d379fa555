/**
 * norms: what RMSNorm gives, over its weight, has RMS √(ms / (ms + eps)), ms being the mean square of what went in, and the
 * direction of what went in (Zhang and Sennrich 2019, arXiv:1910.07467).
 */
import { columnsOf, rowsOf } from '../../ops/shape.ts';
import type { TraceCheck } from './check.ts';
import { rowPlace } from './findings.ts';

export const norms: TraceCheck = {
  kind: 'trace',
  name: 'norms',
  title: 'Over its weight, every norm has RMS 1, and the direction of what went in',
  proves:
    'Each norm has its own weight, once; eps is what the metadata tells; and the norm is an RMSNorm: one that subtracts the mean turns the row.',
  cannot:
    'Whether what went in was right. An eps far below the mean square leaves no trace: what it changes is below rounding.',
  needs: { tensors: ['embd', 'attn_norm-i', 'ffn_inp-i', 'ffn_norm-i', 'l_out-i', 'result_norm'], model: 'weights' },

  async look(subject, findings) {
    const { model, arithmetic, layers, nLayer } = subject;
    if (!model) return findings.lacksModel('attn_norm-i', 'the model whose norm weights it needs was not given');
    const { limit, source } = arithmetic.elementwise;
    findings.within({ limit: 4 * limit, source: `of the row's RMS; a mean of squares, and ${source}` });
    const all = [
      ...layers.flatMap((layer) => [
        { layer, x: subject.inputOf(layer), y: `attn_norm-${layer}`, weight: `blk.${layer}.attn_norm.weight` },
        { layer, x: `ffn_inp-${layer}`, y: `ffn_norm-${layer}`, weight: `blk.${layer}.ffn_norm.weight` },
      ]),
      { layer: null, x: subject.inputOf(nLayer), y: 'result_norm', weight: 'output_norm.weight' },
    ];
    for (const pass of subject.passes) {
      for (const { layer, x, y, weight } of all) {
        const set = await subject.set({ x, y }, layer, pass, findings);
        if (!set) continue;
        const [where, w] = [set.at('y'), (await model.weight(weight)).data];
        const columns = columnsOf(where.shape);
        const wanted = new Float64Array(set.tensors.y.size);
        const sizes = new Float64Array(rowsOf(where.shape));
        for (let row = 0; row < rowsOf(where.shape); row++) {
          const input = set.tensors.x.data.subarray(row * columns, (row + 1) * columns);
          const meanSquare = input.reduce((sum, value) => sum + value * value, 0) / columns;
          const root = Math.sqrt(meanSquare + model.config.eps);
          for (let i = 0; i < columns; i++)
            wanted[row * columns + i] = ((w[i] as number) * (input[i] as number)) / root;
          const output = set.tensors.y.data.subarray(row * columns, (row + 1) * columns);
          sizes[row] = Math.hypot(...wanted.subarray(row * columns, (row + 1) * columns)) / Math.sqrt(columns);
          const found = overWeight(output, w);
          if (found === null) continue;
          const rms = Math.sqrt(meanSquare) / root;
          findings.number(where, {
            place: rowPlace(where, row),
            found,
            wanted: rms,
            allowed: 4 * limit * rms,
            what: 'RMS over the weight',
          });
        }
        const allowed = (i: number) =>
          4 * limit * (Math.abs(wanted[i] as number) + (sizes[Math.floor(i / columns)] as number));
        findings.elements(where, set.tensors.y.data, wanted, allowed);
      }
    }
  },
};

/** RMS of a row over its weight; null where a weight is 0. */
function overWeight(row: Float32Array, weight: Float32Array): number | null {
  let squares = 0;
  for (const [i, value] of row.entries()) {
    if (weight[i] === 0) return null;
    squares += (value / (weight[i] as number)) ** 2;
  }
  return Math.sqrt(squares / row.length);
}
