/**
 * context-blind: the same token at two positions, after different texts, has different logits. Where they are equal the
 * output depends neither on position nor on context; a sampler hides that, and greedy choice repeats itself for ever.
 * A text that is one token over and over is left out: whatever attention sees there is the same, in a healthy model too.
 */
import { Tensor } from '../../trace/tensor.ts';
import type { TraceCheck } from './check.ts';

export const contextBlind: TraceCheck = {
  kind: 'trace',
  name: 'context-blind',
  title: 'The same token has other logits at another position',
  proves:
    'The output depends on what came before: an attention that gives nothing, and a cache position that is clamped, leave it the same.',
  cannot:
    'Whether it depends rightly, and whether a position further on than the text is clamped. It needs a text in which a token comes twice, with another before or between.',
  needs: { tensors: ['result_output'], model: null },

  async look(subject, findings) {
    const { limit } = subject.arithmetic.elementwise;
    findings.within({ limit, source: 'equal to within the rounding of a single op' });
    const { tokens } = subject;
    if (!tokens) return findings.lacks('result_output', null, 'the trace does not tell its token ids');
    const seen = new Map<number, { token: number; logits: Float32Array }>();
    const start = subject.passes[0]?.pos0 ?? 0;
    for (const pass of subject.passes) {
      const set = await subject.set({ logits: 'result_output' }, null, pass, findings);
      if (!set) continue;
      const where = set.at('logits');
      for (const [row, logits] of set.tensors.logits.rows().entries()) {
        const position = where.pos0 + row;
        const id = tokens[position - start] as number;
        const before = seen.get(id);
        if (before && tokens.slice(0, position - start).some((other) => other !== id)) {
          const earlier = new Tensor({ name: 'earlier', shape: logits.shape, data: before.logits });
          const place = { index: [row], token: position, head: null };
          const what = `difference from the logits of the same token at position ${before.token}, relative`;
          findings.atLeast(where, { place, found: logits.sub(earlier).norm() / logits.norm(), least: limit, what });
        }
        seen.set(id, { token: position, logits: logits.data });
      }
    }
    if (findings.looked === 0)
      findings.lacks('result_output', null, 'no token comes twice in the text, with another before or between');
  },
};
