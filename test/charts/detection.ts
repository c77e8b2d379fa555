/** A part of the detection matrix of the shipped model, as it was measured on lavapipe: its chart needs no adapter then. */
import {
  type DetectionCell,
  DetectionMatrix,
  type DetectionRow,
  type EvidenceName,
  evidenceKinds,
  type Finding,
} from '../../src/compare/detection_matrix.ts';
import { probeRuns } from '../../src/compare/probes.ts';
import type { Effect } from '../../src/engine/faults/index.ts';

/** What a probe shows: the effect, the first tensor that differs, and a number for each evidence; with a star it is noticed. */
export type Recorded = readonly [effect: Effect, first: string | null, numbers: string];

const MODEL = 'fixtures/lily-4m-f16.gguf';

/** A row from what its probes show, in their order. */
export function row(fault: string, title: string, recorded: readonly Recorded[]): DetectionRow {
  const cells = recorded.map(([effect, firstTensor, numbers], i): DetectionCell => {
    const findings = numbers.split(' ').map(
      (text): Finding => ({
        value: text.startsWith('–') ? null : Number.parseFloat(text),
        noticed: text.endsWith('*'),
      }),
    );
    const evidence = Object.fromEntries(evidenceKinds.map(({ name }, at) => [name, findings[at]]));
    return { probe: probeRuns[i]!.name, effect, firstTensor, evidence: evidence as Record<EvidenceName, Finding> };
  });
  return { fault, title, model: MODEL, cells };
}

export const shippedMatrix = new DetectionMatrix({
  model: MODEL,
  probes: probeRuns.map(({ name }) => name),
  tokens: [],
  rows: [
    row('k-rows-permuted', 'Rows of K are reordered with the wrong number of heads', [
      ['tensor only', 'Kcur-0', '0 0 1.11e-16 3.74e-1* 8.65e-1* 0 0 0'],
      ['seen', 'Kcur-0', '0 0 1.11e-16 6.04e-1* 1.10e+0* 5.67e-2* 5.82e+0* 9.80e+1*'],
      ['seen', 'Kcur-0', '0 0 0 7.09e-1* 1.19e+0* 3.97e-3 9.00e+0* 1.03e+2*'],
      ['seen', 'Kcur-0', '0 0 0 6.32e-1* 1.12e+0* 3.15e-2* 9.00e+0* 1.03e+2*'],
      ['seen', 'Kcur-0', '0 0 2.22e-16 7.31e-1* 1.21e+0* 4.33e-2* 2.77e+0* 1.00e+0*'],
    ]),
    row('rope-pairing', 'RoPE pairs the wrong dimensions', [
      ['no effect', null, '– – – – – 0 0 0'],
      ['seen', 'Qcur_rope-0', '1.48e+4* 8.90e+1* 1.21e-10 4.22e-2* 2.91e-1* 4.77e-2* 1.14e-1* 0'],
      ['seen', 'Qcur_rope-0', '1.55e+4* 1.90e+2* 7.77e-10 2.25e-1* 6.71e-1* 4.50e-3 1.57e-1* 0'],
      ['seen', 'Qcur_rope-0', '1.86e+5* 7.92e+2* 9.51e-9 3.83e-1* 8.75e-1* 1.04e-1* 1.57e-1* 0'],
      ['seen', 'Qcur_rope-0', '1.32e+4* 4.44e+2* 6.73e-11 5.89e-1* 1.09e+0* 3.09e-3 1.38e+0* 2.00e+0*'],
    ]),
    row('kv-cache-off-by-one', 'The KV cache is read one position off', [
      ['no effect', null, '– – – – – 0 0 0'],
      ['no effect', null, '– – – – – 0 0 0'],
      ['no effect', null, '– – – – – 0 0 0'],
      ['seen', 'kq-0', '3.76e+5* 7.68e+2* 1.73e-1* 8.91e-1* 1.23e+0* 7.22e-2* 7.80e+0* 1.27e+2*'],
      ['no effect', null, '– – – – – 0 0 0'],
    ]),
    row('attention-scale-missing', 'The scale of attention is missing', [
      ['no effect', null, '– – – – – 0 0 0'],
      ['seen', 'kq_soft_max-0', '5.08e-3 1.04e-5 2.75e-2* 7.44e-3* 1.27e-1* 4.14e-3 5.15e-4 0'],
      ['seen', 'kq_soft_max-0', '1.28e-2 4.10e-5 1.39e-1* 3.69e-2* 3.21e-1* 7.18e-3 9.84e-1* 0'],
      ['seen', 'kq_soft_max-0', '1.56e-2 3.19e-5 3.22e-1* 7.09e-2* 5.40e-1* 2.28e-1* 9.84e-1* 0'],
      ['seen', 'kq_soft_max-0', '9.55e-3 1.21e-4 5.35e-1* 1.38e-1* 8.42e-1* 1.49e-2* 5.68e+0* 2.54e+2*'],
    ]),
    row('softmax-without-max', 'Softmax without the maximum subtracted', [
      ['seen', 'kq_soft_max-3', '–* –* –* –* –* –* –* 6.32e+2*'],
      ['rounding', 'kq_soft_max-0', '1.03e-2 2.10e-5 1.16e-8 7.77e-16 4.60e-8 4.48e-8 2.19e-13 0'],
      ['seen', 'kq_soft_max-0', '4.93e-3 1.58e-5 3.23e-9 2.11e-15 6.56e-8 –* –* 8.74e+2*'],
      ['seen', 'kq_soft_max-0', '7.34e-3 1.50e-5 5.76e-9 1.11e-15 4.59e-8 –* –* 8.74e+2*'],
      ['seen', 'kq_soft_max-0', '5.64e-3 7.12e-5 7.19e-9 3.55e-15 8.58e-8 –* –* 4.83e+2*'],
    ]),
    row('silu-zero', 'silu gives zeros', [
      ['seen', 'ffn_silu-0', '6.94e+5* 3.04e+3* 1.00e+0* –* 1.00e+0* 5.06e-1* 5.83e+0* 4.90e+1*'],
      ['seen', 'ffn_silu-0', '6.87e+5* 4.06e+3* 1.00e+0* –* 1.00e+0* 8.35e-1* 5.33e+0* 4.00e+1*'],
      ['seen', 'ffn_silu-0', '7.28e+5* 9.43e+3* 1.00e+0* –* 1.00e+0* 5.40e-1* 9.68e+0* 2.36e+2*'],
      ['seen', 'ffn_silu-0', '7.71e+5* 3.75e+3* 1.00e+0* –* 1.00e+0* 5.67e-1* 9.68e+0* 2.36e+2*'],
      ['seen', 'ffn_silu-0', '7.32e+5* 2.63e+4* 1.00e+0* –* 1.00e+0* 5.56e-1* 5.04e+0* 1.56e+2*'],
    ]),
    row('last-row', 'The logits of the token before are taken', [
      ['no effect', null, '– – – – – 0 0 0'],
      ['seen', 'result_output', '1.10e+5* 1.44e+3* 1.04e-1* 2.30e-2* 2.28e-1* 0 1.07e+1* 2.35e+2*'],
      ['seen', 'result_output', '5.59e+4* 1.47e+3* 5.04e-2* 5.15e-2* 3.17e-1* 0 4.98e-1* 0'],
      ['no effect', null, '– – – – – 0 0 0'],
      ['seen', 'result_output', '5.72e+3* 3.99e+2* 3.99e-3 4.70e-2* 3.06e-1* 0 4.74e+0* 3.40e+1*'],
    ]),
  ],
  leftOut: [
    { name: 'bos-missing', why: 'it changes the ids of a text, and probes are ids: the two lists of ids show it' },
  ],
});
