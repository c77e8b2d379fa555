/**
 * Which of our tensors a tensor of a dump is: by llama.cpp's graph (name, op), by Hugging Face's and TransformerLens' names as
 * people dump them, or by what people call it in a table. A name alone decides; where the shape speaks against it, the
 * tensor is refused by name. Guesses are left to `layerscope map`.
 */
import type { Shape } from '../ops/op.ts';
import type { Step } from '../ops/step.ts';
import type { ForeignTensor, NameMap, Placed } from '../trace/dumps/dump.ts';
import { halvesAsNeighbours, product, rowMajor, type View, wholeView } from '../trace/dumps/view.ts';
import type { LlamaConfig } from './config.ts';
import { ourTensor } from './graph_names.ts';
import { NameIndex } from './names.ts';
import { ourNameInWords } from './words.ts';

/** The model that a dump is of. */
export interface DumpedModel {
  readonly config: LlamaConfig;
  readonly steps: readonly Step[];
  /** Shape of each step's output in a pass. */
  shapes(pass: { readonly nTokens: number; readonly nPast: number }): ReadonlyMap<string, Shape>;
}

export interface ForeignNamesOptions {
  readonly model?: DumpedModel | undefined;
  /** Tokens of each pass; further passes have one each. Null where nobody said. */
  readonly passes: readonly number[] | null;
  /** Their name → ours, before anything else is tried. */
  readonly names?: Readonly<Record<string, string>> | undefined;
  /** Whether names are words of a table, such as `x_norm (attn)`. */
  readonly words?: boolean;
}

/** What a name says. */
interface Named {
  readonly name: string;
  /** Their last axis pairs dimension i with i + d/2. */
  readonly isHalves: boolean;
  /** Scores of llama.cpp's graph, whose keys are padded. */
  readonly isPadded: boolean;
  readonly earlier: string | null;
}

/** The name map of a dump of `model`; without one, names are told apart and shapes are taken as they are. */
export function foreignNames({ model, passes, names = {}, words = false }: ForeignNamesOptions): NameMap {
  const index = model && new NameIndex(model.steps.map(({ name }) => name));
  const steps = new Map(model?.steps.map((step, order) => [step.name, { step, order }]));
  const expected = new Map<number, ReadonlyMap<string, Shape>>();
  const passOf = (pass: number) => {
    const sizes = Array.from({ length: pass + 1 }, (_, i) => passes?.[i] || (i === 0 ? 0 : 1));
    const nTokens = sizes.at(-1) as number;
    return { nTokens, nPast: sizes.reduce((sum, size) => sum + size, 0) - nTokens };
  };
  const shapeOf = (name: string, pass: number): Shape | undefined => {
    const at = passOf(pass);
    if (!model || at.nTokens === 0) return undefined;
    const shapes = expected.get(pass) ?? model.shapes(at);
    expected.set(pass, shapes);
    return shapes.get(name);
  };

  return (tensor) => {
    const named = nameOf(tensor, { index, names, words });
    if (typeof named === 'string') return named;
    const known = steps.get(named.name);
    if (model && !known) return `it is ${named.name}, which this model does not have`;
    const at = passOf(tensor.pass);
    const wanted = shapeOf(named.name, tensor.pass);
    const seen = viewOf(tensor, named, { wanted, dims: known?.step.dims, headDim: model?.config.headDim, ...at });
    if (typeof seen === 'string') return seen;
    const { view, isLastToken } = seen;
    const placed: Placed = {
      name: named.name,
      ...(index?.aliases(named.name) ?? { hook: null, hf: null }),
      layer: known?.step.layer ?? layerOf(named.name),
      op: known?.step.op ?? tensor.op ?? '',
      dims: known && known.step.dims.length === view?.shape.length ? known.step.dims : axisNames(view?.shape ?? []),
      pos0: at.nPast + (isLastToken ? at.nTokens - 1 : 0),
      view,
      order: known?.order ?? 0,
      earlier: named.earlier,
      // Masked scores are exactly zero after soft_max; before it the cache's memory shows.
      restIsZero: named.name.startsWith('kq_soft_max'),
    };
    return placed;
  };
}

function nameOf(
  { name, op }: ForeignTensor,
  { index, names, words }: { index: NameIndex | undefined; names: Readonly<Record<string, string>>; words: boolean },
): Named | string {
  const plain = { isHalves: false, isPadded: false, earlier: null };
  const given = Object.hasOwn(names, name) ? names[name] : undefined;
  if (given !== undefined) return { ...plain, name: index?.find(given) ?? given };
  if (op !== undefined && GRAPH_OP.test(op)) {
    const node = ourTensor(name, op);
    if (!node) return `${op} ${name} is not one of our tensors`;
    return { ...plain, name: node.name, isPadded: node.dims.includes('key'), earlier: node.product?.name ?? null };
  }
  const ours = words ? ourNameInWords(name, index?.nLayer) : huggingFaceName(name, index);
  if (ours === null) return 'its name is not known; give names, or let "layerscope map" propose one';
  return { ...plain, ...ours };
}

/** As ggml prints them; ours are in lower case. */
const GRAPH_OP = /^[A-Z][A-Z_0-9]*$/;

/** What a module's output is often called beside the module. */
const OUTPUT = /[._](output|out|0)$/;

/** TransformerLens and Hugging Face turn the halves of a head against each other. */
const HALVES = /^(.*self_attn\.[qk]_proj|blocks\.\d+\.attn\.hook_(rot_)?[qk])$/;

/** Our name of a name of ours, TransformerLens or Hugging Face, as people write it; null where it is none. */
function huggingFaceName(name: string, index: NameIndex | undefined): Pick<Named, 'name' | 'isHalves'> | null {
  const listed = name
    .replace(/^(hidden_states|attentions)[._](\d+)$/, '$1[$2]')
    .replace(/^(language_model|base_model|transformer|module)\./, '')
    .replace(/^layers\./, 'model.layers.');
  const candidates = [listed, listed.replace(OUTPUT, ''), `model.${listed}`, SPELLINGS[listed] ?? ''];
  for (const candidate of candidates) {
    const spelt = candidate
      .replace(/\.self_attn\.o_proj$/, '.self_attn')
      .replace(/\.mlp\.down_proj$/, '.mlp')
      .replace(/^model\.layers\.(\d+)\.self_attn\.attn_weights$/, 'attentions[$1]');
    const layer = /^model\.layers\.(\d+)$/.exec(spelt)?.[1];
    const ours = layer === undefined ? index?.find(spelt) : `l_out-${layer}`;
    const name = ours ?? (OUR_NAMES.test(spelt) ? spelt : undefined);
    if (name !== undefined) return { name, isHalves: HALVES.test(spelt) };
  }
  return null;
}

const SPELLINGS: Readonly<Record<string, string>> = {
  logits: 'lm_head',
  inputs_embeds: 'model.embed_tokens',
  embed_tokens: 'model.embed_tokens',
  'model.norm': 'result_norm',
  norm: 'result_norm',
};

/** Ours in any model. */
const OUR_NAMES =
  /^(embd|result_norm|result_output|(attn_norm|[QKV]cur|[QK]cur_rope|kq|kq_soft_max|kqv_out|attn_out|ffn_inp|ffn_norm|ffn_gate|ffn_up|ffn_silu|ffn_swiglu|ffn_out|l_out)-\d+)$/;

function layerOf(name: string): number | null {
  const layer = /-(\d+)$/.exec(name)?.[1];
  return layer === undefined ? null : Number(layer);
}

function axisNames(shape: readonly number[]): string[] {
  return shape.map((_, axis) => `axis${axis}`);
}

interface Wanted {
  /** Our shape; undefined where the model or the tokens are not known. */
  readonly wanted: Shape | undefined;
  readonly dims: readonly string[] | undefined;
  readonly headDim: number | undefined;
  readonly nTokens: number;
  readonly nPast: number;
}

/** How our tensor lies in theirs; a string where the shape speaks against the name. */
function viewOf(
  tensor: ForeignTensor,
  named: Named,
  { wanted, dims, headDim, nTokens, nPast }: Wanted,
): { readonly view: View | null; readonly isLastToken: boolean } | string {
  const { size } = tensor;
  const whole = (shape: readonly number[], isLastToken = false) => {
    // Without a model no name of Hugging Face is known, so none is to be reordered.
    if (!named.isHalves || headDim === undefined) return { view: wholeView(shape), isLastToken };
    return { view: { ...wholeView(shape), lastAxis: halvesAsNeighbours(headDim) }, isLastToken };
  };
  const found = tensor.shape && withoutLeadingOnes(tensor.shape, wanted?.length ?? 2);
  const nKeys = nTokens + nPast;
  if (named.isPadded && found?.length === 3 && nKeys > 0 && (found[2] as number) > nKeys) {
    const shape = wanted ?? [found[0] as number, found[1] as number, nKeys];
    const isScores = shape[0] === found[0] && shape[1] === found[1] && shape[2] === nKeys;
    return isScores ? { view: { shape, strides: rowMajor(found) }, isLastToken: false } : otherShape(found, shape);
  }
  if (!wanted) {
    if (found) return whole(found);
    return size === null ? { view: null, isLastToken: false } : 'its shape is not known; give the model and the tokens';
  }
  if (size === null) return { view: wholeView(wanted), isLastToken: false };
  if (found ? fits(found, wanted) : size === product(wanted)) return whole(wanted);
  const last = [1, ...wanted.slice(1)];
  const isLastToken = nTokens > 1 && dims?.[0] === 'token' && (found ? fits(found, last) : size === product(last));
  if (isLastToken && (found || named.name.startsWith('result_'))) return whole(last, true);
  return found ? otherShape(found, wanted) : `it has ${size} numbers; [${wanted}] takes ${product(wanted)}`;
}

function otherShape(found: readonly number[], wanted: readonly number[]): string {
  return `its shape is [${found}]; in this model and for these tokens it is [${wanted}]`;
}

/** The same shape, or with the last two axes in one, as `[token, embd]` is `[token, head, dim]`. */
function fits(found: readonly number[], wanted: readonly number[]): boolean {
  const joined = [...wanted.slice(0, -2), product(wanted.slice(-2))];
  const bare = (shape: readonly number[]) => withoutLeadingOnes(shape, 1).join();
  return bare(found) === bare(wanted) || bare(found) === bare(joined);
}

/** Without the batch: leading axes of one are dropped while more than `axes` are left. */
function withoutLeadingOnes(shape: readonly number[], axes: number): number[] {
  const first = shape.findIndex((size, axis) => size !== 1 || shape.length - axis <= axes);
  return shape.slice(Math.max(first, 0));
}
