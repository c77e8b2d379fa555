/** soft-max-rows: an attention pattern is a distribution over the keys that a token may see, for each head and token. */
import { rowsOf } from '../../ops/shape.ts';
import type { TraceCheck } from './check.ts';
import { rowPlace } from './findings.ts';

export const softMaxRows: TraceCheck = {
  kind: 'trace',
  name: 'soft-max-rows',
  title: 'Each row of the attention pattern sums to 1, and no token sees a later one',
  proves:
    'The softmax is normalised over the keys, and the causal mask is there: a missing mask, one that is off by a token, and a ' +
    'softmax over the wrong axis show.',
  cannot: 'Any distribution passes: wrong scores, a missing attention scale and swapped heads sum to 1 as well.',
  needs: { tensors: ['kq_soft_max-i'], model: null },

  async look(subject, findings) {
    const { unit } = subject.arithmetic;
    for await (const { pass, tensors, at } of subject.sets(
      (layer) => ({ pattern: `kq_soft_max-${layer}` }),
      findings,
    )) {
      const { data, shape } = tensors.pattern;
      const where = at('pattern');
      const [, nTokens, nKeys] = shape as [number, number, number];
      // Each of n numbers is rounded, those near 0 to a fixed step; the f32 sum before the division adds its own.
      const limit = 16 * unit + nKeys * unit ** 2;
      findings.within({
        limit,
        source: '16 units of roundoff: a division, and numbers below 1 that were rounded each',
      });
      for (let row = 0; row < rowsOf(shape); row++) {
        const place = rowPlace(where, row);
        const values = data.subarray(row * nKeys, (row + 1) * nKeys);
        const seen = Math.min(nKeys, pass.pos0 + pass.nTokens - nTokens + (row % nTokens) + 1);
        const sum = values.reduce((total, p) => total + p, 0);
        findings.number(where, { place, found: sum, wanted: 1, allowed: limit, what: 'sum of the row' });
        const masked = values.subarray(seen).findIndex((p) => p !== 0);
        if (masked >= 0) {
          const index = [...place.index, seen + masked];
          findings.number(where, {
            place: { ...place, index },
            found: values[seen + masked] as number,
            wanted: 0,
            allowed: 0,
          });
        }
        const below = values.findIndex((p) => p < 0);
        if (below >= 0) {
          const index = [...place.index, below];
          findings.number(where, { place: { ...place, index }, found: values[below] as number, wanted: 0, allowed: 0 });
        }
      }
    }
  },
};
