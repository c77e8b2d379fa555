/**
 * Which node of llama.cpp's graph is which of our tensors: the table "Names" of the README, keyed by (name, op), because
 * llama.cpp gives several values one name (`Qcur-0` is a MUL_MAT, a RESHAPE and a ROPE). What our tensor is made by and
 * what its axes are called is read off the forward pass.
 */

import type { Step } from '../ops/step.ts';
import { selects } from '../trace/select.ts';
import { aliasesOf } from './names.ts';
import { plainSteps } from './plain_steps.ts';

/** llama.cpp's name without the layer → its op → our name without the layer. */
const OURS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  embd: { GET_ROWS: 'embd' },
  // Other releases' names of it.
  inp_embd: { GET_ROWS: 'embd' },
  'model.embed_tokens': { GET_ROWS: 'embd' },
  attn_norm: { MUL: 'attn_norm' },
  Qcur: { MUL_MAT: 'Qcur', ADD: 'Qcur', ROPE: 'Qcur_rope' },
  Kcur: { MUL_MAT: 'Kcur', ADD: 'Kcur', ROPE: 'Kcur_rope' },
  Vcur: { MUL_MAT: 'Vcur', ADD: 'Vcur' },
  kq: { MUL_MAT: 'kq' },
  kq_soft_max: { SOFT_MAX: 'kq_soft_max' },
  kqv_out: { CONT: 'kqv_out' },
  // Flash attention: then there are no kq and no kq_soft_max.
  __fattn__: { FLASH_ATTN_EXT: 'kqv_out' },
  attn_out: { MUL_MAT: 'attn_out', ADD: 'attn_out' },
  ffn_inp: { ADD: 'ffn_inp' },
  ffn_norm: { MUL: 'ffn_norm' },
  ffn_gate: { MUL_MAT: 'ffn_gate' },
  ffn_up: { MUL_MAT: 'ffn_up' },
  ffn_swiglu: { SWIGLU: 'ffn_swiglu' },
  ffn_out: { MUL_MAT: 'ffn_out' },
  l_out: { ADD: 'l_out' },
  result_norm: { MUL: 'result_norm' },
  result_output: { MUL_MAT: 'result_output' },
};

/** One of our tensors. */
export interface OurTensor {
  readonly name: string;
  readonly layer: number | null;
  readonly op: string;
  readonly dims: readonly string[];
}

export interface Mapped extends OurTensor {
  /** Where this node adds a bias: what our name is for what it adds it to. */
  readonly product: OurTensor | null;
}

/** The steps of a layer and of what is around it, by name. */
const STEPS = byName(plainSteps(1));
const BIASED_STEPS = byName(plainSteps(1, { hasAttentionBias: true }));

function byName(steps: readonly Step[]): ReadonlyMap<string, Step> {
  return new Map(steps.map((step) => [step.name, step]));
}

/** Our tensor for a node, or null. */
export function ourTensor(name: string, op: string): Mapped | null {
  const [, stem = name, number] = /^(\w+?)(?:-(\d+))?$/.exec(name) ?? [];
  const layer = number === undefined ? null : Number(number);
  const ours = OURS[stem]?.[op];
  if (ours === undefined) return null;
  const named = (steps: ReadonlyMap<string, Step>, ours: string): OurTensor | null => {
    const step = steps.get(layer === null ? ours : `${ours}-0`);
    return step ? { name: layer === null ? ours : `${ours}-${layer}`, layer, op: step.op, dims: step.dims } : null;
  };
  const product = op === 'ADD' ? named(BIASED_STEPS, `${ours}_nobias`) : null;
  const tensor = named(product ? BIASED_STEPS : STEPS, ours);
  return tensor && { ...tensor, product };
}

/** Globs over our names, their aliases and llama.cpp's names, or an expression on ours and llama.cpp's. */
export type NodeChoice = RegExp | string | readonly string[];

/** Whether a name is chosen; null chooses all. */
export function chosenBy(choice: NodeChoice | null, nLayer: number): (name: string) => boolean {
  if (choice === null) return () => true;
  if (choice instanceof RegExp) return (name) => choice.test(name);
  const picks = selects(choice);
  return (name) => picks({ name, ...aliasesOf(name, nLayer) });
}

/** What a node's shape does not say. */
export interface Extents {
  readonly nHead: number;
  readonly nHeadKv: number;
  /** Tokens of this pass; every one of them is an output. */
  readonly nTokens: number;
  /** Keys in the cache after this pass. */
  readonly nKeys: number;
}

/**
 * Brings `data` of shape `shape` (outermost first, leading ones included) into our axes. llama.cpp has heads as
 * ne = [head·dim, token] or [dim, head, token], and scores as [key, token, head] with its keys padded to a multiple of 256:
 * those are cut to the keys that exist.
 */
export function inOurAxes(
  { name, dims }: OurTensor,
  [outer, plane, rows, width]: readonly [number, number, number, number],
  data: Float32Array,
  extents: Extents,
): { readonly shape: readonly number[]; readonly data: Float32Array } {
  if (dims.includes('key')) {
    return { shape: [plane, rows, extents.nKeys], data: cutRows(data, width, extents.nKeys) };
  }
  if (dims.includes('head')) {
    const heads = /^[KV]/.test(name) ? extents.nHeadKv : extents.nHead;
    return { shape: [extents.nTokens, heads, data.length / extents.nTokens / heads], data };
  }
  return { shape: [outer * plane * rows, width], data };
}

/** The first `kept` of every `width` numbers. */
function cutRows(data: Float32Array, width: number, kept: number): Float32Array {
  const rows = data.length / width;
  const cut = new Float32Array(rows * kept);
  for (let row = 0; row < rows; row++) cut.set(data.subarray(row * width, row * width + kept), row * kept);
  return cut;
}
