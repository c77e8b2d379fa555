/** scaled-scores: the pattern is the softmax of kq / √headDim over the keys that a token may see. */
import { rowsOf } from '../../ops/shape.ts';
import type { TraceCheck } from './check.ts';

export const scaledScores: TraceCheck = {
  kind: 'trace',
  name: 'scaled-scores',
  title: 'The attention pattern is the softmax of the scores over √(head dimension)',
  proves: 'The attention scale is applied, once and by the right dimension, and the softmax is one.',
  cannot: 'Scores that are wrong themselves pass, and with one key any scale gives 1.',
  needs: { tensors: ['Qcur_rope-i', 'kq-i', 'kq_soft_max-i'], model: null },

  async look(subject, findings) {
    const { unit, elementwise } = subject.arithmetic;
    const roles = (layer: number) => ({
      q: `Qcur_rope-${layer}`,
      scores: `kq-${layer}`,
      pattern: `kq_soft_max-${layer}`,
    });
    for await (const { layer, tensors, at } of subject.sets(roles, findings)) {
      const [scores, where] = [tensors.scores.data, at('pattern')];
      const headDim = subject.model?.config.headDim ?? (tensors.q.shape.length === 3 ? tensors.q.shape[2] : undefined);
      if (headDim === undefined) {
        findings.lacks(where.name, layer, 'its queries tell no head dimension, [token, head, dim]');
        continue;
      }
      findings.within({
        ...elementwise,
        source: `${elementwise.source}, and what rounding of a score does to its exponential`,
      });
      const [, nTokens, nKeys] = where.shape as [number, number, number];
      const wanted = new Float64Array(scores.length);
      const allowed = new Float64Array(scores.length);
      for (let row = 0; row < rowsOf(where.shape); row++) {
        const [start, seen] = [row * nKeys, Math.min(nKeys, where.pos0 + (row % nTokens) + 1)];
        let [max, largest, sum] = [Number.NEGATIVE_INFINITY, 0, 0];
        for (let j = 0; j < seen; j++) {
          const score = (scores[start + j] as number) / Math.sqrt(headDim);
          max = Math.max(max, score);
          largest = Math.max(largest, Math.abs(score));
        }
        for (let j = 0; j < seen; j++) {
          const weight = Math.exp((scores[start + j] as number) / Math.sqrt(headDim) - max);
          wanted[start + j] = weight;
          sum += weight;
        }
        for (let j = start; j < start + seen; j++) {
          wanted[j] = (wanted[j] as number) / sum;
          allowed[j] = (wanted[j] as number) * (elementwise.limit + 8 * unit * largest) + unit ** 2;
        }
      }
      findings.elements(where, tensors.pattern.data, wanted, (i) => allowed[i] as number);
    }
  },
};
