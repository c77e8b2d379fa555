/**
 * first-token: the token at position 0 sees one key, itself, so its pattern is 1, each head gathers its KV head's V as it is,
 * and attention gives that V times the output matrix. Head h reads KV head floor(h / (nHead / nHeadKv)) (Ainslie et al.
 * 2023, arXiv:2305.13245).
 */
import type { Model } from '../../engine/model.ts';
import { Tensor } from '../../trace/tensor.ts';
import type { TraceCheck } from './check.ts';

export const firstToken: TraceCheck = {
  kind: 'trace',
  name: 'first-token',
  title: 'Attention of the first token is its own V through the output matrix',
  proves:
    'Each head gathers the V of its own group of heads, V lies in the cache as it was computed, and the output matrix is read as the file ' +
    'holds it: query groups that are tiled where they should be repeated show, and a V that was transposed.',
  cannot: 'Nothing of RoPE, scores, scale or mask: over one key every softmax is 1.',
  needs: { tensors: ['Vcur-i', 'kqv_out-i', 'attn_out-i'], model: 'weights' },

  async look(subject, findings) {
    const { cacheUnit, unit, product } = subject.arithmetic;
    const first = subject.passes.find(({ pos0 }) => pos0 === 0);
    if (!first) return findings.lacks('Vcur-i', null, 'the token at position 0 is not in the trace');
    for (const layer of subject.layers) {
      const names = { v: `Vcur-${layer}`, z: `kqv_out-${layer}` };
      const set = await subject.set(names, layer, first, findings);
      if (!set) continue;
      const where = set.at('z');
      const [v, z] = [set.tensors.v, set.tensors.z];
      if (v.shape.length !== 3 || z.shape.length !== 3 || where.pos0 !== 0) {
        const found =
          where.pos0 === 0
            ? `it is [${z.dims.join(', ')}] and V [${v.dims.join(', ')}], not by head`
            : 'its first token is not there';
        findings.lacks(names.z, layer, found);
        continue;
      }
      const [nHead, headDim] = z.shape.slice(1) as [number, number];
      const group = nHead / (v.shape[1] as number);
      const wanted = Float32Array.from(
        { length: nHead * headDim },
        (_, i) => v.data[Math.floor(Math.floor(i / headDim) / group) * headDim + (i % headDim)] as number,
      );
      findings.within({ limit: 4 * cacheUnit, source: 'V as the KV cache holds it' });
      findings.elements(
        where,
        z.data.subarray(0, wanted.length),
        wanted,
        (i) => 4 * cacheUnit * Math.abs(wanted[i] as number) + unit ** 2,
      );
      const out = await subject.values(`attn_out-${layer}`, first.index);
      if (!out) findings.lacks(`attn_out-${layer}`, layer, 'its values are not there');
      else if (!subject.model)
        findings.lacksModel('attn_out-i', 'the model whose output matrix it goes through was not given');
      else if (out.shape[0] === first.nTokens) {
        const x = new Tensor({ name: names.z, shape: [1, nHead, headDim], dims: z.dims, data: wanted });
        const through = await throughOutputMatrix(subject.model, layer, x);
        const { limit, source } = product(nHead * headDim);
        const tolerance = { limit: Math.max(limit, 4 * cacheUnit), source };
        findings.within(tolerance);
        findings.tensor(
          { ...where, name: `attn_out-${layer}`, shape: through.shape, dims: out.dims },
          out.slice([0, 1]),
          through,
          tolerance,
        );
      }
    }
  },
};

/** `attn_out` of what the heads gathered, in f64; with its bias where there is one. */
async function throughOutputMatrix(model: Model, layer: number, x: Tensor): Promise<Tensor> {
  const names = [`attn_out_nobias-${layer}`, `attn_out-${layer}`].filter((name) => model.names.find(name));
  let y = x;
  for (const name of names) y = await model.runStep(name, { x: y }, { backend: 'reference', nPast: 0 });
  return y;
}
