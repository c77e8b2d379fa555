/**
 * The arithmetic of ggml's CPU backend, as far as it is other than f32: it rounds activations before it multiplies them by
 * quantised weights, and multiplies RoPE's angles up in f32.
 *
 * Source: ggml_compute_forward_mul_mat and the table of `vec_dot_type` in ggml's CPU backend.
 */
import { type ActivationType, blockTypes } from '../../gguf/blocks/index.ts';
import type { Step } from '../../ops/step.ts';
import { derivedName, type Transform, type WeightType } from './transform.ts';

/** The op that gives each type's numbers; null: f32 stays as it is. Q8_1 is Q8_0 with the sum of a block beside it. */
const ROUNDING: Readonly<Record<ActivationType, string | null>> = {
  F32: null,
  F16: 'round_f16',
  BF16: 'round_bf16',
  Q8_0: 'round_q8_0',
  Q8_1: 'round_q8_0',
  Q8_K: 'round_q8_k',
};

/**
 * Computes as llama.cpp does on a CPU: what a mul_mat reads is first rounded to the type that ggml multiplies its weight by,
 * in a step of its own (`attn_norm_q8_0-0`) that all mul_mats of the same input and type share, and rope takes ggml's
 * angles (`angles: 'recurrence'`). No step is renamed. The KV cache stays f32.
 *
 * On llama.cpp's own inputs a mul_mat so rounded gives its output to 4e-7, 60,000 times closer than without, and rope to 4e-8
 * (test/oracle/rounding.test.ts). Q4_1 and Q5_1 are left at 1.5e-3 of 5e-3: ggml also rounds the sum of each block of
 * activations to f16 there, which no rounding of the activations themselves can give.
 */
export function ggmlArithmetic(): Transform {
  return {
    name: 'ggmlArithmetic',
    params: {},
    apply(steps, _config, _tokenizer, weightType) {
      const made = new Map(steps.map((step) => [step.name, step]));
      return steps.flatMap((step) => {
        if (step.op === 'rope') return [{ ...step, params: { ...step.params, angles: 'recurrence' } }];
        const op = step.op === 'mul_mat' ? roundingFor(step, weightType) : null;
        const source = made.get(step.inputs.x ?? '');
        if (op === null || source === undefined) return [step];
        const name = derivedName(source.name, op.replace('round_', ''));
        const reader = { ...step, inputs: { ...step.inputs, x: name } };
        if (made.has(name)) return [reader];
        const { dims } = source;
        const rounding: Step = { name, layer: step.layer, op, inputs: { x: source.name }, params: {}, dims };
        made.set(name, rounding);
        return [rounding, reader];
      });
    },
  };
}

function roundingFor({ inputs }: Step, weightType: WeightType): string | null {
  const type = weightType(inputs.weight ?? '');
  return type === undefined ? null : ROUNDING[blockTypes[type].activations];
}
