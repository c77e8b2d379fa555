/** rope-origin: at position 0 every angle is 0, so RoPE leaves the first token's queries and keys as they are. */
import type { TraceCheck } from './check.ts';
import { eachRotation } from './rope_pairs.ts';

export const ropeOrigin: TraceCheck = {
  kind: 'trace',
  name: 'rope-origin',
  title: 'RoPE leaves position 0 as it is',
  proves:
    'Positions begin at 0: an engine that counts from 1, or whose first token takes the place of a missing BOS, turns it.',
  cannot: 'Nothing of the angles anywhere else: base, exponent, pairing and scaling all turn position 0 by nothing.',
  needs: { tensors: ['Qcur-i', 'Qcur_rope-i', 'Kcur-i', 'Kcur_rope-i'], model: null },

  async look(subject, findings) {
    const { unit } = subject.arithmetic;
    findings.within({
      limit: 2 * unit,
      source: '2 units of roundoff: a product with cos 0 = 1, and one with sin 0 = 0',
    });
    let isThere = false;
    await eachRotation(subject, findings, ({ tensors: { x, y }, at }) => {
      const where = at('y');
      if (where.pos0 !== 0) return;
      isThere = true;
      const first = y.size / (where.shape[0] as number);
      findings.elements(where, y.data.subarray(0, first), x.data, (i) => 2 * unit * Math.abs(x.data[i] as number));
    });
    if (!isThere) findings.lacks('Qcur_rope-i', null, 'the token at position 0 is not in the trace');
  },
};
