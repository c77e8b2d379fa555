/**
 * rope-pairs: RoPE turns neighbouring dimensions (2i, 2i + 1) of a head against each other, and turning keeps a pair's
 * length. What lies beyond the turned dimensions is left as it was.
 */
import { columnsOf, rowsOf } from '../../ops/shape.ts';
import type { TraceCheck } from './check.ts';
import type { Findings } from './findings.ts';
import type { Subject, TensorSet } from './subject.ts';

export const ropePairs: TraceCheck = {
  kind: 'trace',
  name: 'rope-pairs',
  title: 'RoPE keeps the length of each pair of neighbouring dimensions',
  proves:
    'RoPE turns, and turns the pairs (2i, 2i + 1) that a Llama in GGUF is made for: pairs of halves (i, i + d/2) do not keep these lengths.',
  cannot:
    'By which angle it turns: a wrong base, exponent or position keeps every length. Position 0 tells nothing and is left out.',
  needs: { tensors: ['Qcur-i', 'Qcur_rope-i', 'Kcur-i', 'Kcur_rope-i'], model: null },

  async look(subject, findings) {
    const { limit, source } = subject.arithmetic.elementwise;
    findings.within({ limit, source: `of the pair's length; ${source}` });
    let [turned, halvesKept] = [false, true];
    await eachRotation(subject, findings, ({ tensors: { x, y }, at }) => {
      const where = at('y');
      const perToken = rowsOf(where.shape) / (where.shape[0] as number);
      const from = where.pos0 === 0 ? perToken : 0;
      const dim = columnsOf(where.shape);
      const dimRot = subject.model?.config.ropeDim ?? dim;
      if (from * dim === y.size) return;
      turned = true;
      const [before, after] = [Float64Array.from(x.data), Float64Array.from(y.data)];
      for (let row = from; row < rowsOf(where.shape); row++) {
        for (let i = 0; i < dimRot / 2; i++) {
          const [a, b] = [row * dim + 2 * i, row * dim + 2 * i + 1];
          const [c, d] = [row * dim + i, row * dim + i + dimRot / 2];
          halvesKept &&=
            Math.abs(lengthOf(y.data, c, d) - lengthOf(x.data, c, d)) <= limit * (lengthOf(x.data, c, d) + limit);
          before[a] = before[b] = lengthOf(x.data, a, b);
          after[a] = after[b] = lengthOf(y.data, a, b);
        }
      }
      const skipped = from * dim;
      const allowed = (i: number) =>
        i < skipped ? Number.POSITIVE_INFINITY : limit * (Math.abs(before[i] as number) + limit);
      findings.elements(where, after, before, allowed);
    });
    if (!turned) findings.lacks('Qcur_rope-i', null, 'all its tokens stand at position 0, where RoPE turns nothing');
    if (turned && findings.failing > 0 && halvesKept) {
      findings.notes(
        'The pairs (i, i + d/2) do keep their lengths: it pairs halves, as Hugging Face does with its own order of rows',
      );
    }
  },
};

function lengthOf(data: Float32Array, a: number, b: number): number {
  return Math.hypot(data[a] as number, data[b] as number);
}

/** Calls `visit` with queries and keys before and after RoPE, of every layer and pass. */
export async function eachRotation(
  subject: Subject,
  findings: Findings,
  visit: (set: TensorSet<'x' | 'y'>) => void | Promise<void>,
): Promise<void> {
  for (const pass of subject.passes) {
    for (const layer of subject.layers) {
      for (const which of ['Q', 'K']) {
        const set = await subject.set(
          { x: `${which}cur-${layer}`, y: `${which}cur_rope-${layer}` },
          layer,
          pass,
          findings,
        );
        if (set) await visit(set);
      }
    }
  }
}
