/** An engine that computes in f32 and stores every activation as f16, as many on GPUs do. */
import type { Step } from '../../ops/step.ts';
import { derivedName, type Transform } from './transform.ts';

/**
 * Stores the output of every step as f16, the KV cache's too: what `Qcur-0` was is `Qcur_unrounded-0`, and `Qcur-0` is that
 * rounded to the nearest f16, infinite from 65,520 on. Later steps and edits see the stored value. Token ids, which a lens
 * names, stay whole. Transforms that come after it add steps that are not rounded.
 */
export function f16Storage(): Transform {
  return {
    name: 'f16Storage',
    params: {},
    apply: (steps) => steps.flatMap((step) => (GIVES_IDS.has(step.op) ? [step] : storedAsF16(step))),
  };
}

/** f16 holds whole numbers up to 2,048. */
const GIVES_IDS: ReadonlySet<string> = new Set(['top_k_ids']);

function storedAsF16({ writes, edit, ...step }: Step): Step[] {
  const unrounded = derivedName(step.name, 'unrounded');
  const { name, layer, dims } = step;
  return [
    { ...step, name: unrounded },
    {
      ...{ name, layer, op: 'round_f16', inputs: { x: unrounded }, params: {}, dims },
      ...(writes ? { writes } : {}),
      ...(edit ? { edit } : {}),
    },
  ];
}
