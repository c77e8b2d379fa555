/**
 * Which node of llama.cpp's graph is which of our tensors: the table "Names" of the README, keyed by (name, op), because
 * llama.cpp gives several values one name (`Qcur-0` is a MUL_MAT, a RESHAPE and a ROPE).
 */

/** How llama.cpp's ne (innermost first) becomes our axes. */
export type Axes =
  /** [token, width]. */
  | 'rows'
  /** ne = [head·dim, token] or [dim, head, token] → [token, head, dim]. */
  | 'heads'
  | 'heads_kv'
  /** ne = [key, token, head], its keys padded to a multiple of 256 → [head, token, key], cut to the keys that exist. */
  | 'scores';

interface Mapping {
  readonly ours: string;
  readonly op: string;
  readonly axes: Axes;
  /** What our name means instead for an earlier node that had it: a bias added turns `Qcur` into `Qcur_nobias`. */
  readonly earlier?: string;
}

const MAPPINGS: Readonly<Record<string, readonly Mapping[]>> = {
  embd: [{ ours: 'embd', op: 'GET_ROWS', axes: 'rows' }],
  // Before August 2025.
  inp_embd: [{ ours: 'embd', op: 'GET_ROWS', axes: 'rows' }],
  attn_norm: [{ ours: 'attn_norm', op: 'MUL', axes: 'rows' }],
  Qcur: [
    { ours: 'Qcur', op: 'MUL_MAT', axes: 'heads' },
    { ours: 'Qcur', op: 'ADD', axes: 'heads', earlier: 'Qcur_nobias' },
    { ours: 'Qcur_rope', op: 'ROPE', axes: 'heads' },
  ],
  Kcur: [
    { ours: 'Kcur', op: 'MUL_MAT', axes: 'heads_kv' },
    { ours: 'Kcur', op: 'ADD', axes: 'heads_kv', earlier: 'Kcur_nobias' },
    { ours: 'Kcur_rope', op: 'ROPE', axes: 'heads_kv' },
  ],
  Vcur: [
    { ours: 'Vcur', op: 'MUL_MAT', axes: 'heads_kv' },
    { ours: 'Vcur', op: 'ADD', axes: 'heads_kv', earlier: 'Vcur_nobias' },
  ],
  kq: [{ ours: 'kq', op: 'MUL_MAT', axes: 'scores' }],
  kq_soft_max: [{ ours: 'kq_soft_max', op: 'SOFT_MAX', axes: 'scores' }],
  kqv_out: [{ ours: 'kqv_out', op: 'CONT', axes: 'heads' }],
  // Flash attention: then there are no kq and no kq_soft_max.
  __fattn__: [{ ours: 'kqv_out', op: 'FLASH_ATTN_EXT', axes: 'heads' }],
  attn_out: [
    { ours: 'attn_out', op: 'MUL_MAT', axes: 'rows' },
    { ours: 'attn_out', op: 'ADD', axes: 'rows' },
  ],
  ffn_inp: [{ ours: 'ffn_inp', op: 'ADD', axes: 'rows' }],
  ffn_norm: [{ ours: 'ffn_norm', op: 'MUL', axes: 'rows' }],
  ffn_gate: [{ ours: 'ffn_gate', op: 'MUL_MAT', axes: 'rows' }],
  ffn_up: [{ ours: 'ffn_up', op: 'MUL_MAT', axes: 'rows' }],
  ffn_swiglu: [{ ours: 'ffn_swiglu', op: 'SWIGLU', axes: 'rows' }],
  ffn_out: [{ ours: 'ffn_out', op: 'MUL_MAT', axes: 'rows' }],
  l_out: [{ ours: 'l_out', op: 'ADD', axes: 'rows' }],
  result_norm: [{ ours: 'result_norm', op: 'MUL', axes: 'rows' }],
  result_output: [{ ours: 'result_output', op: 'MUL_MAT', axes: 'rows' }],
};

export interface Mapped {
  readonly name: string;
  readonly axes: Axes;
  /** Our name for the earlier node of this name, if there is one. */
  readonly earlier: string | null;
}

/** Our name and axes for a node, or null. */
export function ourTensor(name: string, op: string): Mapped | null {
  const [, stem = name, layer = ''] = /^(\w+?)(-\d+)?$/.exec(name) ?? [];
  const mapping = MAPPINGS[stem]?.find((candidate) => candidate.op === op);
  if (!mapping) return null;
  return { name: mapping.ours + layer, axes: mapping.axes, earlier: mapping.earlier ? mapping.earlier + layer : null };
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

/** Brings `data` of shape `shape` (outermost first, leading ones included) into our axes. */
export function inOurAxes(
  axes: Axes,
  [outer, plane, rows, width]: readonly [number, number, number, number],
  data: Float32Array,
  extents: Extents,
): { readonly shape: readonly number[]; readonly data: Float32Array } {
  switch (axes) {
    case 'rows':
      return { shape: [outer * plane * rows, width], data };
    case 'heads':
    case 'heads_kv': {
      const heads = axes === 'heads' ? extents.nHead : extents.nHeadKv;
      return { shape: [extents.nTokens, heads, data.length / extents.nTokens / heads], data };
    }
    case 'scores':
      return { shape: [plane, rows, extents.nKeys], data: cutRows(data, width, extents.nKeys) };
    default:
      return axes satisfies never;
  }
}

/** The first `kept` of every `width` numbers. */
function cutRows(data: Float32Array, width: number, kept: number): Float32Array {
  const rows = data.length / width;
  const cut = new Float32Array(rows * kept);
  for (let row = 0; row < rows; row++) cut.set(data.subarray(row * width, row * width + kept), row * kept);
  return cut;
}
