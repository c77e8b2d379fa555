/**
 * rope-angles: queries and keys are turned by the angles that the file's metadata tells for the positions of their tokens:
 * base, scaling, frequency factors. The op is run in f64 on the trace's own queries and keys.
 */
import { columnsOf, rowsOf } from '../../ops/shape.ts';
import type { TraceCheck } from './check.ts';
import { eachRotation } from './rope_pairs.ts';

export const ropeAngles: TraceCheck = {
  kind: 'trace',
  name: 'rope-angles',
  title: "RoPE turns each pair by its position times the frequency that the file's metadata tells",
  proves:
    'Base, sign of the exponent, scaling, frequency factors, pairing and the position of every token, in a prefill and in each decode step.',
  cannot: 'Whether the metadata is right: a file that was converted with a wrong base passes.',
  needs: { tensors: ['Qcur-i', 'Qcur_rope-i', 'Kcur-i', 'Kcur_rope-i'], model: 'metadata' },

  async look(subject, findings) {
    const { model, arithmetic } = subject;
    if (!model) return findings.lacksModel('Qcur_rope-i', 'the model whose metadata tells the angles was not given');
    const { limit, source } = arithmetic.elementwise;
    findings.within({
      limit,
      source: `of the row's RMS, and an f32 angle's rounding, 2⁻²³ of the position; ${source}`,
    });
    await eachRotation(subject, findings, async ({ tensors: { x, y }, at }) => {
      const where = at('y');
      const wanted = await model.runStep(where.name, { x }, { backend: 'reference', nPast: where.pos0 });
      const [columns, perToken] = [columnsOf(where.shape), rowsOf(where.shape) / (where.shape[0] as number)];
      const sizes = Float64Array.from({ length: rowsOf(where.shape) }, (_, row) => {
        const rms = Math.hypot(...x.data.subarray(row * columns, (row + 1) * columns)) / Math.sqrt(columns);
        return 4 * rms * (limit + 2 ** -23 * (where.pos0 + Math.floor(row / perToken)));
      });
      const allowed = (i: number) => sizes[Math.floor(i / columns)] as number;
      findings.elements(where, y.data, wanted.data, (i) => allowed(i) + 4 * limit * Math.abs(wanted.data[i] as number));
    });
  },
};
