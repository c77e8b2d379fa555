/**
 * rope-pairs: RoPE turns neighbouring dimensions (2i, 2i + 1) of a head against each other, and turning keeps a pair's
 * length. What lies beyond the turned dimensions is left as it was.
 */
import { columnsOf } from '../../ops/shape.ts';
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
      const dim = columnsOf(where.shape);
      const dimRot = subject.model?.config.ropeDim ?? dim;
      const from = where.pos0 === 0 ? y.size / (where.shape[0] as number) : 0;
      if (from === y.size) return;
      turned = true;
      const lengthsOf = (data: Float32Array, pairing: 'neighbours' | 'halves') =>
        pairLengths(data, dim, dimRot, pairing);
      const within = (length: number) => limit * (length + limit);
      const [before, after] = [lengthsOf(x.data, 'neighbours'), lengthsOf(y.data, 'neighbours')];
      const allowed = (i: number) => (i < from ? Number.POSITIVE_INFINITY : within(Math.abs(before[i] as number)));
      findings.elements(where, after, before, allowed);
      if (after.every((length, i) => Math.abs(length - (before[i] as number)) <= allowed(i))) return;
      const [halvesBefore, halvesAfter] = [lengthsOf(x.data, 'halves'), lengthsOf(y.data, 'halves')];
      halvesKept &&= halvesAfter.every((length, i) => {
        const wanted = halvesBefore[i] as number;
        return Math.abs(length - wanted) <= within(Math.abs(wanted));
      });
    });
    if (!turned) findings.lacks('Qcur_rope-i', null, 'all its tokens stand at position 0, where RoPE turns nothing');
    if (turned && findings.failing > 0 && halvesKept) {
      findings.notes(
        'The pairs (i, i + d/2) do keep their lengths: it pairs halves, as Hugging Face does with its own order of rows',
      );
    }
  },
};

/** For each element the length of the pair that it is of; for one that is not turned, itself. */
function pairLengths(data: Float32Array, dim: number, dimRot: number, pairing: 'neighbours' | 'halves'): Float64Array {
  const lengths = Float64Array.from(data);
  const [step, distance] = pairing === 'neighbours' ? [2, 1] : [1, dimRot / 2];
  for (let row = 0; row < data.length; row += dim) {
    for (let i = 0; i < dimRot / 2; i++) {
      const [a, b] = [row + step * i, row + step * i + distance];
      lengths[a] = lengths[b] = Math.hypot(data[a] as number, data[b] as number);
    }
  }
  return lengths;
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
