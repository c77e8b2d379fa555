/**
 * products: every projection is the file's own matrix times what went into it, and every embedding the file's own row. The
 * last token of the first pass and of the last one are multiplied again, in f64: a wrong matrix is wrong for any token.
 */
import { opOf } from '../../engine/shapes.ts';
import { getRows } from '../../ops/get_rows.ts';
import { mulMat } from '../../ops/mul_mat.ts';
import type { Step } from '../../ops/step.ts';
import type { TraceCheck } from './check.ts';
import type { Findings } from './findings.ts';
import type { Subject, TracePass } from './subject.ts';

/**
 * How much wider than for a whole tensor: a token of outliers is rounded more coarsely than most. Measured in llama.cpp's
 * tensors of the shipped models: up to 1.6 times, ffn_out of K-quants, whose activations are rounded in blocks of 256.
 */
const ONE_TOKEN = 4;

export const products: TraceCheck = {
  kind: 'trace',
  name: 'products',
  title: 'Every projection is the file’s own matrix times what went in, every embedding its own row',
  proves:
    'The weights are those of the file, as they lie there: rows that are permuted, a matrix that is transposed, unpacked wrongly, ' +
    'of another layer, or that of the embedding in place of the output show, and an embedding that is a row off.',
  cannot: 'Whether what went in was right. Scores and what heads gather are products without a weight.',
  needs: {
    tensors: [
      ...['embd', 'attn_norm-i', 'Qcur-i', 'Kcur-i', 'Vcur-i', 'kqv_out-i', 'attn_out-i', 'ffn_norm-i', 'ffn_gate-i'],
      ...['ffn_up-i', 'ffn_swiglu-i', 'ffn_out-i', 'result_norm', 'result_output'],
    ],
    model: 'weights',
  },

  async look(subject, findings) {
    const { model, passes, layers } = subject;
    if (!model) return findings.lacksModel('Qcur-i', 'the model whose weights it needs was not given');
    const ends = passes.filter((_, i) => i === 0 || i === passes.length - 1);
    const steps = model.steps.filter(({ layer }) => layer === null || layers.includes(layer));
    for (const pass of ends) {
      for (const step of steps) {
        if (opOf(step) === getRows) await lookAtRow(subject, step, pass, findings);
        else if (opOf(step) === mulMat) await lookAtProduct(subject, step, pass, findings);
      }
    }
  },
};

async function lookAtRow(subject: Subject, { name, inputs }: Step, pass: TracePass, findings: Findings) {
  const id = subject.tokens?.[pass.pos0 + pass.nTokens - 1];
  const set = await subject.set({ y: name }, null, pass, findings);
  if (!set || !subject.model) return;
  if (id === undefined) return findings.lacks(name, null, 'the trace does not tell its tokens');
  const wanted = await subject.model.weight(inputs.weight as string, { rows: [id, id + 1] });
  const tolerance = subject.arithmetic.elementwise;
  findings.within(tolerance);
  const last = set.tensors.y.shape[0] as number;
  findings.tensor(lastOf(set.at('y')), set.tensors.y.slice([last - 1, last]), wanted, tolerance);
}

async function lookAtProduct(subject: Subject, { name, layer, inputs }: Step, pass: TracePass, findings: Findings) {
  const set = await subject.set({ x: inputs.x as string, y: name }, layer, pass, findings);
  if (!set || !subject.model) return;
  const { x, y } = set.tensors;
  const last = y.shape[0] as number;
  const mine = x.slice([last - 1, last]);
  const wanted = await subject.model.runStep(name, { x: mine }, { backend: 'reference' });
  const { limit, source } = subject.arithmetic.product(mine.size);
  const tolerance = { limit: ONE_TOKEN * limit, source: `${ONE_TOKEN} times, for one token alone: ${source}` };
  findings.within(tolerance);
  findings.tensor(lastOf(set.at('y')), y.slice([last - 1, last]), wanted, tolerance);
}

/** Where the last token of a tensor stands. */
function lastOf<W extends { readonly pos0: number; readonly shape: readonly number[] }>(where: W): W {
  const [tokens = 1, ...row] = where.shape;
  return { ...where, pos0: where.pos0 + tokens - 1, shape: [1, ...row] };
}
