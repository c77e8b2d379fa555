/**
 * Dumps as strangers write them, made from our own runs by a seed: names of several schools or none, other layouts, f16
 * values, noise, tensors left out, doubled or strange, another order, an engine with a bug. Each knows the truth.
 *
 * Layouts are made here by plain loops over coordinates, so that src/compare/layouts.ts has a witness.
 */
import type { Model } from '../../../src/engine/model.ts';
import type { Transform } from '../../../src/engine/transforms/transform.ts';
import { halfAsFloat, halfBits } from '../../../src/gguf/half.ts';
import type { Step } from '../../../src/ops/step.ts';
import { statisticsOf } from '../../../src/trace/statistics.ts';
import { Tensor } from '../../../src/trace/tensor.ts';
import { RowTrace, type Trace, type TraceRow } from '../../../src/trace/trace.ts';
import { normals, seeded } from '../../seeded.ts';
import { traceRow } from '../../trace/rows.ts';

type Random = () => number;

export interface ForeignDump {
  readonly seed: number;
  /** What it is, for a failure's message. */
  readonly about: string;
  readonly trace: Trace;
  /** Their name → ours; null for what is none of ours. Theirs that repeat another have the same. */
  readonly truth: ReadonlyMap<string, string | null>;
  /** Their values as they would be in our layout. */
  readonly values: ReadonlyMap<string, Tensor>;
}

/** How names are written; `i` counts layers from 0. Null: this school has no such tensor. */
export type School = (stem: string, i: number, place: number) => string | null;

function words(
  model: Readonly<Record<string, string>>,
  layer: Readonly<Record<string, string>>,
  wrap: (word: string, i: number) => string,
): School {
  return (stem, i) => model[stem] ?? (layer[stem] ? wrap(layer[stem], i) : null);
}

const HUGGING_FACE = words(
  { embd: 'model.embed_tokens', result_norm: 'model.norm', result_output: 'lm_head' },
  {
    attn_norm: 'input_layernorm',
    Qcur: 'self_attn.q_proj',
    Kcur: 'self_attn.k_proj',
    Vcur: 'self_attn.v_proj',
    Qcur_rope: 'self_attn.q_embed',
    Kcur_rope: 'self_attn.k_embed',
    kq: 'self_attn.attn_weights',
    kq_soft_max: 'self_attn.attn_probs',
    kqv_out: 'self_attn.o_proj.input',
    attn_out: 'self_attn.o_proj',
    ffn_norm: 'post_attention_layernorm',
    ffn_gate: 'mlp.gate_proj',
    ffn_up: 'mlp.up_proj',
    ffn_silu: 'mlp.act_fn',
    ffn_swiglu: 'mlp.down_proj.input',
    ffn_out: 'mlp.down_proj',
    l_out: 'output',
  },
  (word, i) => `model.layers.${i}.${word}`,
);
const META = words(
  { embd: 'tok_embeddings', result_norm: 'norm', result_output: 'output' },
  {
    attn_norm: 'attention_norm',
    Qcur: 'attention.wq',
    Kcur: 'attention.wk',
    Vcur: 'attention.wv',
    Qcur_rope: 'attention.xq',
    Kcur_rope: 'attention.xk',
    kq: 'attention.scores',
    kq_soft_max: 'attention.softmax',
    attn_out: 'attention.wo',
    ffn_inp: 'h_mid',
    ffn_norm: 'ffn_norm',
    ffn_gate: 'feed_forward.w1',
    ffn_up: 'feed_forward.w3',
    ffn_out: 'feed_forward.w2',
    l_out: 'out',
    kqv_out: 'attention.context',
    ffn_silu: 'feed_forward.silu',
    ffn_swiglu: 'feed_forward.act',
  },
  (word, i) => `layers.${i}.${word}`,
);
const LLAMA2_C = words(
  { embd: 'x_embed', result_norm: 'rms_final', result_output: 'logits' },
  {
    attn_norm: 'xb',
    Qcur: 'q',
    Kcur: 'k',
    Vcur: 'v',
    Qcur_rope: 'q_rot',
    Kcur_rope: 'k_rot',
    kq: 'att',
    kq_soft_max: 'att_softmax',
    kqv_out: 'xb_att',
    attn_out: 'xb2',
    ffn_inp: 'x_att',
    ffn_norm: 'xb_ffn',
    ffn_gate: 'hb',
    ffn_up: 'hb2',
    ffn_silu: 'hb_silu',
    ffn_swiglu: 'hb_mul',
    ffn_out: 'xb_out',
    l_out: 'x',
  },
  (word, i) => `l${i + 1}_${word}`,
);
const JAPANESE = words(
  { embd: '埋め込み', result_norm: '最終正規化', result_output: 'ロジット' },
  {
    attn_norm: '入力正規化',
    Qcur: 'クエリ',
    Kcur: 'キー',
    Vcur: 'バリュー',
    Qcur_rope: 'クエリ_回転',
    Kcur_rope: 'キー_回転',
    kq: 'スコア',
    kq_soft_max: 'ソフトマックス',
    attn_out: '注意出力',
    ffn_gate: 'ゲート',
    ffn_up: 'アップ',
    ffn_silu: '活性化',
    ffn_out: 'FFN出力',
    l_out: '層出力',
  },
  (word, i) => `層${i}_${word}`,
);
const TRANSFORMER_LENS = words(
  { embd: 'hook_embed', result_norm: 'ln_final.hook_out', result_output: 'unembed' },
  {
    attn_norm: 'ln1.hook_out',
    Qcur: 'attn.hook_q',
    Kcur: 'attn.hook_k',
    Vcur: 'attn.hook_v',
    Qcur_rope: 'attn.hook_rot_q',
    Kcur_rope: 'attn.hook_rot_k',
    kq: 'attn.hook_attn_scores',
    kq_soft_max: 'attn.hook_pattern',
    kqv_out: 'attn.hook_z',
    attn_out: 'hook_attn_out',
    ffn_inp: 'hook_resid_mid',
    ffn_norm: 'ln2.hook_out',
    ffn_gate: 'mlp.hook_pre',
    ffn_up: 'mlp.hook_pre_linear',
    ffn_swiglu: 'mlp.hook_post',
    ffn_out: 'hook_mlp_out',
    l_out: 'hook_resid_post',
  },
  (word, i) => `blocks.${i}.${word}`,
);
const STEMS =
  'embd attn_norm Qcur Kcur Vcur Qcur_rope Kcur_rope kq kq_soft_max kqv_out attn_out ffn_inp ffn_norm ffn_gate ffn_up ffn_silu ffn_swiglu ffn_out l_out result_norm result_output'.split(
    ' ',
  );
/** Letters that mean nothing, with the layer. */
const OPAQUE: School = (stem, i) =>
  `${'abcdefghijklmnopqrstu'[(5 * STEMS.indexOf(stem)) % 21]}${'uvw'[STEMS.indexOf(stem) % 3]}.${i + 1}`;
const NAMELESS: School = (_stem, _i, place) => `${place}`.padStart(3, '0');
/** The same name in every layer. */
const WITHOUT_LAYERS: School = (stem, i) => HUGGING_FACE(stem, i, 0)?.replace(/^model\.layers\.\d+\./, '') ?? null;
/** llama.cpp's own names. */
const LLAMA_CPP: School = (stem, i) => (/^(embd|result_)/.test(stem) ? stem : `${stem}-${i}`);

/** Those whose names tell a tensor from all others of a pass. */
export const schools = {
  'Hugging Face': HUGGING_FACE,
  Meta: META,
  'llama2.c': LLAMA2_C,
  Japanese: JAPANESE,
  TransformerLens: TRANSFORMER_LENS,
  'llama.cpp': LLAMA_CPP,
} as const;

const SCHOOLS: readonly (readonly [string, School])[] = Object.entries({
  'Hugging Face': HUGGING_FACE,
  Meta: META,
  'llama2.c': LLAMA2_C,
  nameless: NAMELESS,
  Japanese: JAPANESE,
  opaque: OPAQUE,
  'no layer numbers': WITHOUT_LAYERS,
  TransformerLens: TRANSFORMER_LENS,
  'nameless again': NAMELESS,
  'llama.cpp': LLAMA_CPP,
});

export const stemOf = (name: string) => name.replace(/-\d+$/, '');
export const layerOf = (name: string) => Number(/-(\d+)$/.exec(name)?.[1] ?? 0);

/** A shape and its numbers. */
export interface Lying {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Numbers in a new shape: each from the place that `from` gives for its coordinates, or 0 where that is null. */
function laid(
  shape: readonly number[],
  { shape: old, data }: Lying,
  from: (at: readonly number[]) => readonly number[] | null,
): Lying {
  const size = shape.reduce((a, b) => a * b, 1);
  const next = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    let rest = i;
    const at = shape.map(() => 0);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    const source = from(at);
    if (source) next[i] = data[source.reduce((offset, index, axis) => offset * old[axis]! + index, 0)]!;
  }
  return { shape, data: next };
}

const axesInOrder =
  (order: readonly number[]) =>
  (lying: Lying): Lying =>
    laid(
      order.map((axis) => lying.shape[axis]!),
      lying,
      (at) => lying.shape.map((_, axis) => at[order.indexOf(axis)]!),
    );
const batched = ({ shape, data }: Lying): Lying => ({ shape: [1, ...shape], data });
const flattened = ({ shape: [t, h, d], data }: Lying): Lying => ({ shape: [t!, h! * d!], data });
const halves = (lying: Lying): Lying => {
  const half = lying.shape[2]! / 2;
  return laid(lying.shape, lying, ([t, h, i]) => [t!, h!, i! < half ? 2 * i! : 2 * (i! - half) + 1]);
};
const headsReversed =
  (axis: number) =>
  (lying: Lying): Lying =>
    laid(lying.shape, lying, (at) => at.with(axis, lying.shape[axis]! - 1 - at[axis]!));
const repeated =
  (nHead: number) =>
  (lying: Lying): Lying =>
    laid(lying.shape.with(1, nHead), lying, ([t, h, d]) => [t!, Math.floor(h! / (nHead / lying.shape[1]!)), d!]);
const padded =
  (nKeys: number) =>
  (lying: Lying): Lying =>
    laid(lying.shape.with(2, nKeys), lying, (at) => (at[2]! < lying.shape[2]! ? at : null));
const lastToken = (lying: Lying): Lying => laid(lying.shape.with(0, 1), lying, (at) => at.with(0, lying.shape[0]! - 1));
const scaledAndMasked =
  (factor: number, hidden: number) =>
  ({ shape, data }: Lying): Lying => {
    const [, nTokens, nKeys] = shape as [number, number, number];
    const isHidden = (i: number) => i % nKeys > nKeys - nTokens + (Math.floor(i / nKeys) % nTokens);
    return { shape, data: data.map((x, i) => (isHidden(i) ? hidden : factor * x)) };
  };

type Relay = (lying: Lying) => Lying;

/** How an engine lays out our tensors, by our tensor's name without the layer. */
export interface EngineLayout {
  readonly name: string;
  readonly of: (stem: string) => readonly Relay[];
}

export function engineLayouts(model: Model): readonly EngineLayout[] {
  const { nHead, headDim } = model.config;
  const isHeads = (stem: string) => /^(Q|K|V)cur|^kqv_out/.test(stem);
  const isTurned = (stem: string) => /^(Q|K)cur/.test(stem);
  const isScores = (stem: string) => /^kq(_soft_max)?$/.test(stem);
  return [
    { name: 'as ours', of: () => [] },
    {
      name: 'Hugging Face: batch, head-major, halves, masked scores',
      of: (stem) => [
        ...(isTurned(stem) ? [halves] : []),
        ...(isHeads(stem) ? [axesInOrder([1, 0, 2])] : []),
        ...(stem === 'kq' ? [scaledAndMasked(1 / Math.sqrt(headDim), Number.NEGATIVE_INFINITY)] : []),
        batched,
      ],
    },
    {
      name: 'heads flattened, axes reversed',
      of: (stem) => [...(isHeads(stem) ? [flattened] : []), ...(isScores(stem) ? [] : [axesInOrder([1, 0])])],
    },
    {
      name: 'heads reversed',
      of: (stem) => (isHeads(stem) ? [headsReversed(1)] : isScores(stem) ? [headsReversed(0)] : []),
    },
    {
      name: 'K/V repeated, keys padded, last logits',
      of: (stem) => [
        ...(/^(Kcur_rope|Vcur)/.test(stem) ? [repeated(nHead)] : []),
        ...(isScores(stem) ? [padded(32)] : []),
        ...(stem === 'result_output' ? [lastToken] : []),
      ],
    },
    {
      name: 'key and token swapped, halves',
      of: (stem) => (isScores(stem) ? [axesInOrder([0, 2, 1])] : isTurned(stem) ? [halves] : []),
    },
  ];
}

/** A bug in one op, from a layer on. */
export const faults: Readonly<Record<string, (step: Step) => Step>> = {
  'no rotation': (step) => (step.op === 'rope' ? { ...step, params: { ...step.params, freqScale: 0 } } : step),
  'rotation in halves': (step) =>
    step.op === 'rope' ? { ...step, params: { ...step.params, pairing: 'halves' } } : step,
  'wrong rotation base': (step) =>
    step.op === 'rope' ? { ...step, params: { ...step.params, freqBase: 500_000 } } : step,
  'dead silu': (step) => (step.op === 'silu' ? { ...step, edit: async ({ data }) => data.map(() => 0) } : step),
  'no attention': (step) =>
    stemOf(step.name) === 'attn_out' ? { ...step, edit: async ({ data }) => data.map(() => 0) } : step,
  'no scale': (step) => (step.op === 'soft_max' ? { ...step, params: { ...step.params, scale: 1 } } : step),
  'eps too large': (step) => (step.op === 'rms_norm' ? { ...step, params: { ...step.params, eps: 0.1 } } : step),
  'gate and up exchanged': (step) => {
    const weight = step.inputs.weight ?? '';
    if (!/ffn_(gate|up)\.weight$/.test(weight)) return step;
    const other = weight.includes('gate') ? weight.replace('gate', 'up') : weight.replace('up', 'gate');
    return { ...step, inputs: { ...step.inputs, weight: other } };
  },
};

export function faulty(name: string, from: number): Transform {
  const change = faults[name]!;
  return {
    name: 'fault',
    params: { name, from },
    apply: (steps) => steps.map((step) => ((step.layer ?? 0) >= from ? change(step) : step)),
  };
}

/** Every value of a run. */
async function valuesOf(model: Model, tokens: readonly number[]): Promise<Tensor[]> {
  const run = await model.start(tokens).toEnd();
  const tensors: Tensor[] = [];
  for (const { name } of run.trace.entries) tensors.push(await run.trace.tensor(name));
  return tensors;
}

/** A trace over tensors that lie in memory. */
export function traceOf(
  tensors: readonly { readonly key: string; readonly row: Partial<TraceRow>; readonly data: Float32Array }[],
): Trace {
  const values = new Map<TraceRow, Float32Array>();
  const entries = tensors.map(({ row, data }, seq) => {
    const made = traceRow({
      seq,
      dims: row.shape!.map((_, axis) => `axis${axis}`),
      layer: null,
      op: '',
      statistics: statisticsOf(data),
      ...row,
    });
    values.set(made, data);
    return made;
  });
  return new RowTrace({ manifest: {}, entries, values: async (row) => values.get(row)!, source: 'the dump' });
}

/** Runs of a model, each made once. */
export class Runs {
  readonly #made = new Map<string, Promise<Tensor[]>>();

  of(model: Model, tokens: readonly number[], fault: readonly [string, number] | null): Promise<Tensor[]> {
    const key = JSON.stringify([model.name, model.config.nEmbd, tokens, fault]);
    const made = this.#made.get(key) ?? valuesOf(fault ? model.with(faulty(...fault)) : model, tokens);
    this.#made.set(key, made);
    return made;
  }
}

/** What a seed chooses. */
export async function foreignDump(
  seed: number,
  model: Model,
  tokens: readonly number[],
  runs: Runs,
): Promise<ForeignDump> {
  const random = seeded(seed);
  for (let i = 0; i < 5; i++) random();
  const chance = (share: number) => random() < share;
  const [schoolName, school] = SCHOOLS[seed % SCHOOLS.length]!;
  const engines = engineLayouts(model);
  const layouts = engines[Math.floor(random() * engines.length)]!;
  const { nLayer } = model.config;
  const faultNames = Object.keys(faults);
  const fault = chance(0.45)
    ? ([faultNames[Math.floor(random() * faultNames.length)]!, Math.floor(random() * nLayer)] as const)
    : null;
  const isHalf = chance(0.4);
  const noise = [0, 0, 1e-4, 1e-2][Math.floor(random() * 4)]!;
  const dropped = [0, 0, 0.1, 0.5][Math.floor(random() * 4)]!;
  const order = chance(0.25) ? 'shuffled' : chance(0.2) ? 'alphabetical' : 'as computed';
  const hasRepeats = chance(0.3);
  const hasStrangers = chance(0.3);
  const only = chance(0.15) ? /^(l_out|ffn_inp|embd)/ : chance(0.15) ? /cur|^kq|^attn/ : /./;

  const source = await runs.of(model, tokens, fault);
  const list: { ours: string | null; name: string; theirs: Lying; plain: Tensor }[] = [];
  const put = (ours: string | null, name: string, tensor: Tensor, relays: readonly Relay[]) => {
    const noisy = noise > 0 ? normals(random, tensor.size, noise * (tensor.norm() / Math.sqrt(tensor.size))) : null;
    const data = tensor.data.map((x, i) => {
      const value = x + (noisy?.[i] ?? 0);
      return isHalf ? halfAsFloat[halfBits(value)]! : value;
    });
    const plain = new Tensor({ name, shape: tensor.shape, dims: tensor.dims, data });
    list.push({ ours, name, plain, theirs: relays.reduce<Lying>((lying, relay) => relay(lying), plain) });
  };
  for (const [place, tensor] of source.entries()) {
    const stem = stemOf(tensor.name);
    const name = school(stem, layerOf(tensor.name), place);
    if (name === null || chance(dropped) || !only.test(stem)) continue;
    put(tensor.name, name, tensor, layouts.of(stem));
    if (hasRepeats && stem === 'l_out' && schoolName !== 'no layer numbers') {
      const next = school === NAMELESS ? `${place}b` : `resid_pre.${layerOf(tensor.name) + 1}`;
      put(tensor.name, next, tensor, layouts.of(stem));
    }
    if (hasStrangers && stem === 'attn_norm') {
      const like = new Tensor({ name: 'x', shape: tensor.shape, data: normals(random, tensor.size) });
      put(null, school === NAMELESS ? `${place}c` : `scratch.${layerOf(tensor.name)}`, like, []);
    }
  }
  if (order === 'shuffled') shuffle(list, random);
  if (order === 'alphabetical') list.sort((a, b) => (a.name < b.name ? -1 : 1));
  // Without names a dump says nothing but its order.
  if (school === NAMELESS) for (const [place, item] of list.entries()) item.name = `${place}`.padStart(3, '0');
  const counts = new Map<string, number>();
  const keyed = list.map((item) => {
    const count = (counts.get(item.name) ?? 0) + 1;
    counts.set(item.name, count);
    return { ...item, key: count === 1 ? item.name : `${item.name}#${count}` };
  });
  const about = [
    `seed ${seed}`,
    schoolName,
    layouts.name,
    fault ? `${fault[0]} from layer ${fault[1]}` : 'no bug',
    isHalf ? 'f16' : 'f32',
    `noise ${noise}`,
    `${list.length} tensors`,
    order,
    ...(hasRepeats ? ['repeats'] : []),
    ...(hasStrangers ? ['strangers'] : []),
  ].join(', ');
  return {
    seed,
    about,
    trace: traceOf(
      keyed.map(({ key, name, theirs }) => ({ key, row: { name, shape: theirs.shape }, data: theirs.data })),
    ),
    truth: new Map(keyed.map(({ key, ours }) => [key, ours])),
    values: new Map(keyed.map(({ key, plain }) => [key, plain])),
  };
}

function shuffle(list: unknown[], random: Random): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
}
