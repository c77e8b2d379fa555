/**
 * One value, one name. llama.cpp's names are primary; TransformerLens's hook names and Hugging Face's module names are
 * aliases for the same value and are accepted wherever a name is. TransformerLens aliases mean unprocessed activations:
 * no norm is folded into a weight.
 */
import { StepError } from '../errors.ts';
import { globList, selects } from '../trace/select.ts';

export interface Aliases {
  /** TransformerLens, for instance `blocks.3.hook_resid_post`. */
  readonly hook: string | null;
  /** Hugging Face, for instance `model.layers.3.self_attn.q_proj`. */
  readonly hf: string | null;
}

/** Without a layer: our name → [TransformerLens, Hugging Face]. */
const MODEL_NAMES: Readonly<Record<string, readonly [string | null, string | null]>> = {
  embd: ['hook_embed', 'model.embed_tokens'],
  result_output: ['unembed', 'lm_head'],
};

/** With a layer: the part before `-i` → [after `blocks.i.`, after `model.layers.i.`]. */
const LAYER_NAMES: Readonly<Record<string, readonly [string | null, string | null]>> = {
  attn_norm: ['ln1.hook_out', 'input_layernorm'],
  Qcur: ['attn.hook_q', 'self_attn.q_proj'],
  Kcur: ['attn.hook_k', 'self_attn.k_proj'],
  Vcur: ['attn.hook_v', 'self_attn.v_proj'],
  Qcur_rope: ['attn.hook_rot_q', null],
  Kcur_rope: ['attn.hook_rot_k', null],
  kq: [null, null],
  kq_soft_max: ['attn.hook_pattern', null],
  kqv_out: ['attn.hook_z', 'self_attn.o_proj.input'],
  attn_out: ['hook_attn_out', 'self_attn'],
  ffn_inp: ['hook_resid_mid', null],
  ffn_norm: ['ln2.hook_out', 'post_attention_layernorm'],
  ffn_gate: ['mlp.hook_pre', 'mlp.gate_proj'],
  ffn_up: ['mlp.hook_pre_linear', 'mlp.up_proj'],
  ffn_silu: [null, 'mlp.act_fn'],
  ffn_swiglu: ['mlp.hook_post', 'mlp.down_proj.input'],
  ffn_out: ['hook_mlp_out', 'mlp'],
  l_out: ['hook_resid_post', null],
};

const NONE: Aliases = { hook: null, hf: null };

/**
 * The other names of one of our names in a model of `nLayer` layers; both null for a name that only we have. Hugging
 * Face's `hidden_states[i + 1]` is the output of layer i, but the last one is taken after the final norm.
 */
export function aliasesOf(name: string, nLayer: number): Aliases {
  if (name === 'result_norm') return { hook: 'ln_final.hook_out', hf: `hidden_states[${nLayer}]` };
  const whole = MODEL_NAMES[name];
  if (whole) return { hook: whole[0], hf: whole[1] };
  const match = /^(.+)-(\d+)$/.exec(name);
  const parts = match ? LAYER_NAMES[match[1] ?? ''] : undefined;
  if (!match || !parts) return NONE;
  const i = Number(match[2]);
  if (match[1] === 'kq_soft_max') return { hook: `blocks.${i}.${parts[0]}`, hf: `attentions[${i}]` };
  if (match[1] === 'l_out') {
    return { hook: `blocks.${i}.${parts[0]}`, hf: i + 1 < nLayer ? `hidden_states[${i + 1}]` : null };
  }
  return {
    hook: parts[0] && `blocks.${i}.${parts[0]}`,
    hf: parts[1] && `model.layers.${i}.${parts[1]}`,
  };
}

/** Maps any accepted name to ours, for one list of steps. */
export class NameIndex {
  readonly nLayer: number;
  readonly #names = new Map<string, string>();

  constructor(names: Iterable<string>) {
    const ours = [...names];
    this.nLayer = ours.filter((name) => name.startsWith('l_out-')).length;
    for (const name of ours) {
      const { hook, hf } = this.aliases(name);
      if (hook) this.#names.set(hook, name);
      if (hf) this.#names.set(hf, name);
    }
    for (let i = 0; i < this.nLayer; i++) {
      this.#names.set(`blocks.${i}.hook_resid_pre`, i === 0 ? 'embd' : `l_out-${i - 1}`);
    }
    if (this.nLayer > 0) {
      this.#names.set('hidden_states[0]', 'embd');
      this.#names.set('model.norm', 'result_norm');
    }
    for (const name of ours) this.#names.set(name, name);
  }

  aliases(name: string): Aliases {
    return aliasesOf(name, this.nLayer);
  }

  /** Our name, or undefined. */
  find(name: string): string | undefined {
    return this.#names.get(name);
  }

  /**
   * Our names of what globs over names and aliases pick; 'all' and 'none' are what they say. Throws StepError, with the
   * names most like it, where a glob picks nothing; `action` completes "Cannot … <glob>".
   */
  select(globs: string | readonly string[], action = 'select'): Set<string> {
    const ours = [...new Set(this.#names.values())].map((name) => ({ name, ...this.aliases(name) }));
    const known = globList(globs).map((glob) => {
      const [sign, bare] = glob.startsWith('!') ? ['!', glob.slice(1)] : ['', glob];
      return bare === 'none' || ours.some(selects(bare)) ? glob : sign + this.resolve(bare, action);
    });
    return new Set(ours.filter(selects(known)).map(({ name }) => name));
  }

  /** Our name, or a StepError that lists the names most like it. `action` completes "Cannot … <name>". */
  resolve(name: string, action = 'find'): string {
    const found = this.#names.get(name);
    if (found) return found;
    const near = nearest(this.#names.keys(), name);
    throw new StepError(
      `Cannot ${action} ${JSON.stringify(name)}: no step has that name; ` +
        (near.length > 0 ? `nearest are ${near.join(', ')}` : 'this run has no steps'),
      { step: name },
    );
  }
}

/** The three names that are most like one. */
export function nearest(known: Iterable<string>, name: string): string[] {
  return [...known]
    .map((candidate) => ({ candidate, distance: editDistance(candidate, name) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** Levenshtein 1966, two rows at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
