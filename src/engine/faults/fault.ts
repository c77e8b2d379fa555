/**
 * What a fault is: its page of truth, the parameters that it takes, and what it changes. One file per fault; `index.ts` is the
 * table. The page is data that tests hold against runs (test/engine/faults), so that text and behaviour never part.
 */
import { UsageError } from '../../errors.ts';
import type { LlamaConfig } from '../../llama/config.ts';
import type { Params } from '../../ops/op.ts';
import type { Step } from '../../ops/step.ts';
import type { Tokenizer } from '../../tokenizer/tokenizer.ts';
import type { Tokenize, WeightType } from '../transforms/transform.ts';
import type { WeightChange } from './faulty_weights.ts';
import type { ParamRule } from './params.ts';

/**
 * The runs that a page speaks of. oneToken: one token at position 0, without BOS. prefill: a prompt of 8 in one pass. decode: the
 * last of 8 tokens in a pass of its own, and what that pass's tensors show.
 */
export type Probe = 'oneToken' | 'prefill' | 'decode';

/**
 * seen: the logits change. tensor only: tensors change and the logits agree in every bit. rounding: no more than rounding
 * changes, if that, unless numbers overflow. no effect: every tensor agrees in every bit.
 */
export type Effect = 'seen' | 'tensor only' | 'rounding' | 'no effect';

/** Somebody who made this mistake. */
export interface Case {
  readonly project: string;
  /** The issue or pull request; absent where the source is one of the investigation notes. */
  readonly link?: string;
  readonly note: string;
}

/** A fault's page in another language, and the hash of the English text that it translates (`textHash`). */
export interface Translation {
  readonly title: string;
  readonly what: string;
  readonly of: string;
}

/** Texts are for people: one line for the title, one or two sentences for what it does. */
export interface Fault {
  /** Kebab case; the file's name with underscores. */
  readonly name: string;
  readonly title: string;
  readonly what: string;
  readonly ja: Translation;
  readonly whoMadeIt: readonly Case[];
  readonly params: Readonly<Record<string, ParamRule>>;
  /** What each probe shows with default parameters. */
  readonly shows: Readonly<Record<Probe, Effect>>;
  /** Names of faults that cannot be in one model with it, wherever they are. */
  readonly excludes?: readonly string[];
  /** The first tensor in which a probe that shows anything shows it. */
  firstTensor(hit: Hit, probe: Probe): string;
  /** What becomes of the steps, by name. Throws UsageError where the model is not one that can have this fault. */
  changes?(site: Site): Changes;
  /** What becomes of a text. */
  tokenize?(tokenize: Tokenize, tokenizer: Tokenizer, params: Params): Tokenize;
}

/** What a fault hits, of whatever model. */
export interface Hit {
  /** As given, with defaults filled in. */
  readonly params: Params;
  /** The layers to hit, in order; all of them unless one was asked for. */
  readonly layers: readonly number[];
}

/** Where a fault is put. */
export interface Site extends Hit {
  readonly fault: string;
  readonly config: LlamaConfig;
  readonly weightType: WeightType;
}

/** What becomes of one step; what is not named stays. */
export interface Change {
  readonly op?: string;
  /** By role; null takes an optional one away. */
  readonly inputs?: Readonly<Record<string, string | null>>;
  readonly params?: Params;
  /** Another weight in place of the one in role `weight`. */
  readonly weight?: WeightChange;
  readonly cached?: NonNullable<Step['cached']>;
  readonly unwritten?: NonNullable<Step['unwritten']>;
  /** Null: it writes to its cache slot no more. */
  readonly writes?: null;
  /** Steps to put in before and after it. */
  readonly before?: readonly Step[];
  readonly after?: readonly Step[];
  /** Parameters and inputs of the step that change nothing any more: another fault's change of them would not be one. */
  readonly mutes?: readonly string[];
  /** Whether a fault in one head is this change in that head alone. Where one is asked for, other changes are left out. */
  readonly byHead?: boolean;
}

/** By the step's name. */
export type Changes = Readonly<Record<string, Change>>;

/** "Cannot put fault gqa-tiled into this model: …" */
export function cannotPut({ fault }: Pick<Site, 'fault'>, reason: string): UsageError {
  return new UsageError(`Cannot put fault ${fault} into this model: ${reason}`);
}

/** The same change of the steps `<name>-<layer>`, in every layer to hit. */
export function inLayers(
  { layers }: Pick<Hit, 'layers'>,
  names: readonly string[],
  change: (layer: number, name: string) => Change,
): Changes {
  return Object.fromEntries(layers.flatMap((i) => names.map((name) => [`${name}-${i}`, change(i, `${name}-${i}`)])));
}

/** The same change of every norm: of the layers to hit, and of the last one where that is all layers. */
export function inNorms(site: Site, change: Change): Changes {
  const inside = inLayers(site, ['attn_norm', 'ffn_norm'], () => change);
  return site.params.layer === undefined ? { ...inside, result_norm: change } : inside;
}

/** The same change of RoPE; in one head, of that query head alone. */
export function inRope(site: Site, change: Change): Changes {
  return {
    ...inLayers(site, ['Qcur_rope'], () => ({ ...change, byHead: true })),
    ...inLayers(site, ['Kcur_rope'], () => change),
  };
}

/** The residual stream as it comes into a layer. */
export function residualInto(layer: number): string {
  return layer === 0 ? 'embd' : `l_out-${layer - 1}`;
}

/** The sum that a fault with the parameter `of`, `attention` or `ffn`, speaks of, and its part that is not the residual. */
export function residualSum({ params }: Pick<Hit, 'params'>): { readonly sum: string; readonly part: string } {
  return params.of === 'attention' ? { sum: 'ffn_inp', part: 'attn_out' } : { sum: 'l_out', part: 'ffn_out' };
}

/** A parameter that is a number; its rule has checked that. */
export function numberOf({ params }: Pick<Hit, 'params'>, name: string): number {
  return Number(params[name]);
}

/** The first tensor of layers that a fault hits: `name` in the first of them. */
export function firstOf(name: string): (hit: Hit) => string {
  return ({ layers }) => `${name}-${layers[0]}`;
}

/**
 * The same of a fault that a pass of one token cannot have: a decode shows it through the keys of the layer after, which the
 * prefill has spoilt.
 */
export function firstOrKeysAfter(name: string): (hit: Hit, probe: Probe) => string {
  return ({ layers }, probe) => (probe === 'decode' ? `kq-${layers[0]! + 1}` : `${name}-${layers[0]}`);
}

/** Eight hexadecimal digits of a page's English text (FNV-1a of its UTF-16 units): a translation of another text is out of date. */
export function textHash({ title, what }: Pick<Fault, 'title' | 'what'>): string {
  let hash = 0x811c9dc5;
  const text = `${title}\n${what}`;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
