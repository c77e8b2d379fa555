/** residual: the stream takes what attention and feed-forward give, and nothing else: ffn_inp = attn_out + x, l_out = ffn_out + ffn_inp. */
import type { TraceCheck } from './check.ts';

export const residual: TraceCheck = {
  kind: 'trace',
  name: 'residual',
  title: 'Each layer adds its attention and its feed-forward to the residual stream',
  proves:
    'No branch is dropped, added twice, or added to the norm instead of the stream, and no layer reads another than the one before it.',
  cannot: 'What the branches hold: a feed-forward that is all zeros adds up as well.',
  needs: { tensors: ['embd', 'attn_out-i', 'ffn_inp-i', 'ffn_out-i', 'l_out-i'], model: null },

  async look(subject, findings) {
    const { unit } = subject.arithmetic;
    findings.within({ limit: 2 * unit, source: '2 units of roundoff of the two parts and their sum' });
    for (const pass of subject.passes) {
      for (const layer of subject.layers) {
        for (const names of [
          { a: `attn_out-${layer}`, b: subject.inputOf(layer), y: `ffn_inp-${layer}` },
          { a: `ffn_out-${layer}`, b: `ffn_inp-${layer}`, y: `l_out-${layer}` },
        ]) {
          const set = await subject.set(names, layer, pass, findings);
          if (!set) continue;
          const [a, b, y] = [set.tensors.a.data, set.tensors.b.data, set.tensors.y.data];
          const wanted = Float64Array.from(y, (_, i) => (a[i] as number) + (b[i] as number));
          const size = (i: number) =>
            Math.abs(a[i] as number) + Math.abs(b[i] as number) + Math.abs(wanted[i] as number);
          findings.elements(set.at('y'), y, wanted, (i) => 2 * unit * size(i));
        }
      }
    }
  },
};
