/**
 * A model's vocabulary, read from the `tokenizer.ggml.*` keys of its GGUF metadata and checked: what is broken is refused
 * here, by file and key, and nothing after needs to ask again. The rules (defaults of a kind, which tokens are special
 * though their type does not say so) are those of llama.cpp's llama_vocab::load.
 */

import { TokenizerError } from '../errors.ts';
import { type PreTokenizer, preTokenizer } from './pretokenizer.ts';

/** GGUF's `tokenizer.ggml.token_type`; llama_token_type in llama.h. */
export const TokenType = {
  undefined: 0,
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

/** Metadata of a GGUF file by key. */
export type Metadata = ReadonlyMap<string, unknown>;

export interface Vocab {
  readonly file: string;
  /** SentencePiece's byte-pair merges by score, or byte-level BPE by rank of merge. */
  readonly kind: 'spm' | 'bpe';
  /** The spelling of each token: U+2581 for a space in SPM, the byte alphabet in BPE. */
  readonly texts: readonly string[];
  /** Token by spelling. */
  readonly ids: ReadonlyMap<string, number>;
  /** One of `TokenType` each. */
  readonly types: ArrayLike<number>;
  /** SPM: the higher, the earlier a merge that gives this token. */
  readonly scores: ArrayLike<number>;
  /** BPE: rank of a merge by "left right", lower first. */
  readonly ranks: ReadonlyMap<string, number>;
  /** BPE only. */
  readonly pre: PreTokenizer | undefined;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  /** End of turn, in chat models. */
  readonly eot: number | undefined;
  /** Tokens after which a model has said all: EOS, end of turn, and others known by their spelling. */
  readonly ends: ReadonlySet<number>;
  readonly addBos: boolean;
  readonly addEos: boolean;
  /** SPM: a space is put before text that begins the input or follows a special token. */
  readonly addSpacePrefix: boolean;
  /** Special tokens that swallow the whitespace after them. */
  readonly stripsAfter: ReadonlySet<number>;
}

/** Spellings that llama.cpp takes as the end of an answer, whatever the metadata says; the first of them found is EOT. */
const END_TEXTS = [
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<EOT>',
  '_<EOT>',
  '[EOT]',
  '<｜end▁of▁sentence｜>',
  '<end_of_utterance>',
];

/** More of them, which are no end of turn. */
const OTHER_END_TEXTS = ['<|eom_id|>', '</s>', '[EOS]', '<eos>', '<|return|>', '<|call|>'];

/** Spellings that mark a gap to fill in, a file or a repository; control tokens too. */
const FILL_TEXTS = [
  ...['<|fim_prefix|>', '<fim-prefix>', '<fim_prefix>', '<｜fim▁begin｜>', '<PRE>', '▁<PRE>', '<|code_prefix|>'],
  ...['<|fim_suffix|>', '<fim-suffix>', '<fim_suffix>', '<｜fim▁hole｜>', '<SUF>', '▁<SUF>', '<|code_suffix|>'],
  ...['<|fim_middle|>', '<fim-middle>', '<fim_middle>', '<｜fim▁end｜>', '<MID>', '▁<MID>', '<|code_middle|>'],
  ...['<|fim_pad|>', '<fim-pad>', '<fim_pad>', '<PAD>', '[PAD]'],
  ...['<|fim_repo|>', '<|repo_name|>', '<fim-repo>', '<REPO>', '<reponame>', '<|file_sep|>'],
];

/** Reads typed values from metadata; each problem is an error that names file and key. */
class Keys {
  readonly #metadata: Metadata;
  readonly file: string;

  constructor(metadata: Metadata, file: string) {
    this.#metadata = metadata;
    this.file = file;
  }

  broken(key: string, found: string, cure = 'convert the model again with its tokenizer'): TokenizerError {
    return new TokenizerError(`Cannot make a tokenizer for ${this.file}: ${key} ${found}; ${cure}`, {
      file: this.file,
    });
  }

  string(key: string): string | undefined {
    const value = this.#metadata.get(key);
    if (value === undefined || typeof value === 'string') return value;
    throw this.broken(key, `is ${describe(value)}, not a string`);
  }

  boolean(key: string, otherwise: boolean): boolean {
    const value = this.#metadata.get(key) ?? otherwise;
    if (typeof value === 'boolean') return value;
    throw this.broken(key, `is ${describe(value)}, not true or false`);
  }

  /** A token's id, inside the vocabulary. */
  id(key: string, nTokens: number): number | undefined {
    const value = this.#metadata.get(key);
    if (value === undefined) return undefined;
    const id = Number(value);
    if (Number.isInteger(id) && id >= 0 && id < nTokens) return id;
    throw this.broken(key, `is ${describe(value)}, but token ids go from 0 to ${nTokens - 1}`);
  }

  strings(key: string): readonly string[] {
    const list = this.#metadata.get(key);
    if (list === undefined) throw this.broken(key, 'is missing');
    if (!Array.isArray(list)) throw this.broken(key, `is ${describe(list)}, not an array of strings`);
    const odd = list.findIndex((item) => typeof item !== 'string');
    if (odd >= 0) throw this.broken(key, `holds ${describe(list[odd])} at ${odd}, not a string`);
    return list;
  }

  /** An array of one number per token; undefined where the key is missing. */
  numbers(key: string, nTokens: number): ArrayLike<number> | undefined {
    const value = this.#metadata.get(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && 'length' in value)) {
      throw this.broken(key, `is ${describe(value)}, not an array of numbers`);
    }
    const list = value as ArrayLike<unknown>;
    if (list.length !== nTokens) {
      throw this.broken(key, `has ${list.length} entries, but tokenizer.ggml.tokens has ${nTokens}`);
    }
    for (let i = 0; i < nTokens; i++) {
      if (typeof list[i] !== 'number' || Number.isNaN(list[i])) {
        throw this.broken(key, `holds ${describe(list[i])} at ${i}, not a number`);
      }
    }
    return list as ArrayLike<number>;
  }
}

function describe(value: unknown): string {
  if (typeof value === 'object') return value === null ? 'null' : 'an array';
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/**
 * Spellings in order of id, and ids by spelling. llama.cpp reads them as C strings, which end at U+0000, and gives an empty
 * one a stand-in; so no token spells U+0000 but the byte.
 */
function readTexts(keys: Keys): { texts: string[]; ids: Map<string, number> } {
  const key = 'tokenizer.ggml.tokens';
  const texts = keys.strings(key).map((given, id) => {
    const end = given.indexOf('\0');
    const text = end < 0 ? given : given.slice(0, end);
    return text === '' ? `[EMPTY_${id}]` : text;
  });
  if (texts.length === 0) throw keys.broken(key, 'is empty');
  const ids = new Map<string, number>();
  for (const [id, text] of texts.entries()) ids.set(text, id);
  if (ids.size < texts.length) {
    const first = texts.findIndex((text, id) => ids.get(text) !== id);
    const text = texts[first] as string;
    throw keys.broken(key, `spells tokens ${first} and ${ids.get(text)} both ${JSON.stringify(text)}`);
  }
  return { texts, ids };
}

/**
 * Rank by merge. What a merge makes must be a token; so every symbol is one, but for bytes that the vocabulary lacks. From
 * the last to the first, so that a repeated merge keeps its first rank.
 */
function readRanks(keys: Keys, ids: ReadonlyMap<string, number>): Map<string, number> {
  const key = 'tokenizer.ggml.merges';
  const merges = keys.strings(key);
  const ranks = new Map<string, number>();
  for (let rank = merges.length - 1; rank >= 0; rank--) {
    const merge = merges[rank] as string;
    const space = merge.indexOf(' ', 1);
    if (space < 0)
      throw keys.broken(key, `holds ${JSON.stringify(merge)} at ${rank}, which is not two tokens and a space`);
    const made = merge.slice(0, space) + merge.slice(space + 1);
    if (!ids.has(made)) {
      throw keys.broken(key, `holds ${JSON.stringify(merge)} at ${rank}, but ${JSON.stringify(made)} is no token`);
    }
    ranks.set(merge, rank);
  }
  return ranks;
}

/** Types with what llama.cpp makes control tokens by their spelling. */
function readTypes(keys: Keys, ids: ReadonlyMap<string, number>): Uint8Array {
  const given = keys.numbers('tokenizer.ggml.token_type', ids.size);
  const types = Uint8Array.from({ length: ids.size }, (_, id) => {
    const type = given?.[id] ?? TokenType.normal;
    return type >= TokenType.normal && type <= TokenType.byte ? type : TokenType.undefined;
  });
  for (const [text, id] of ids) {
    if (types[id] === TokenType.byte && !/^<0x[0-9A-Fa-f]{2}>$/.test(text)) {
      throw keys.broken(
        'tokenizer.ggml.token_type',
        `makes token ${id} a byte, but it is spelled ${JSON.stringify(text)}`,
      );
    }
  }
  for (const text of [...END_TEXTS, ...OTHER_END_TEXTS, ...FILL_TEXTS]) {
    const id = ids.get(text);
    if (id !== undefined) types[id] = TokenType.control;
  }
  return types;
}

/** llama.cpp's rule for Phi-3: its special tokens, but for three, swallow the whitespace after them. */
function readStrips(keys: Keys, texts: readonly string[]): ReadonlySet<number> {
  if (!/phi-?3/i.test(keys.string('general.name') ?? '')) return new Set();
  const keep = new Set(['<unk>', '<s>', '<|endoftext|>']);
  return new Set(texts.flatMap((text, id) => (keep.has(text) ? [] : [id])));
}

function readKind(keys: Keys): 'spm' | 'bpe' {
  const key = 'tokenizer.ggml.model';
  const model = keys.string(key);
  switch (model) {
    case 'llama':
      return 'spm';
    case 'gpt2':
      return 'bpe';
    case undefined:
      throw keys.broken(key, 'is missing', 'give token ids instead of text, or convert the model with its tokenizer');
    default:
      throw keys.broken(
        key,
        `is ${JSON.stringify(model)}; supported are "llama" (SentencePiece) and "gpt2" (byte-level BPE)`,
        'give token ids instead of text, or use a model of those kinds',
      );
  }
}

/** BOS and EOS where the metadata names none, if the vocabulary reaches that far. */
const DEFAULT_SPECIALS = { spm: { bos: 1, eos: 2 }, bpe: { bos: 11, eos: 11 } } as const;

function readSpecial(keys: Keys, kind: 'spm' | 'bpe', name: 'bos' | 'eos', nTokens: number): number | undefined {
  const usual = DEFAULT_SPECIALS[kind][name];
  return keys.id(`tokenizer.ggml.${name}_token_id`, nTokens) ?? (usual < nTokens ? usual : undefined);
}

/** How BOS and EOS are spelled; '' where there is none. */
export function readBosEosTexts(metadata: Metadata, file: string): { readonly bos: string; readonly eos: string } {
  const keys = new Keys(metadata, file);
  const kind = readKind(keys);
  const texts = keys.strings('tokenizer.ggml.tokens');
  const text = (name: 'bos' | 'eos') => texts[readSpecial(keys, kind, name, texts.length) ?? -1] ?? '';
  return { bos: text('bos'), eos: text('eos') };
}

/** The vocabulary of a GGUF file. Throws TokenizerError, naming file and key, where it is missing or broken. */
export function readVocab(metadata: Metadata, file: string): Vocab {
  const keys = new Keys(metadata, file);
  const kind = readKind(keys);
  const pre = kind === 'bpe' ? preTokenizer(keys.string('tokenizer.ggml.pre') || undefined, file) : undefined;
  const { texts, ids } = readTexts(keys);
  const types = readTypes(keys, ids);
  const scores = keys.numbers('tokenizer.ggml.scores', texts.length);
  if (kind === 'spm' && scores === undefined) throw keys.broken('tokenizer.ggml.scores', 'is missing');

  const bos = readSpecial(keys, kind, 'bos', texts.length);
  const eos = readSpecial(keys, kind, 'eos', texts.length);
  const eot =
    keys.id('tokenizer.ggml.eot_token_id', texts.length) ??
    END_TEXTS.map((text) => ids.get(text)).find((id) => id !== undefined);
  const ends = [eos, eot, ...[...END_TEXTS, ...OTHER_END_TEXTS].map((text) => ids.get(text))];

  const addBos = keys.boolean('tokenizer.ggml.add_bos_token', pre?.addBos ?? true);
  const addEos = keys.boolean('tokenizer.ggml.add_eos_token', false);
  if (addBos && bos === undefined)
    throw keys.broken('tokenizer.ggml.bos_token_id', 'is missing, but BOS is to be added');
  if (addEos && eos === undefined)
    throw keys.broken('tokenizer.ggml.eos_token_id', 'is missing, but EOS is to be added');

  return {
    ...{ file, kind, texts, ids, types, pre, bos, eos, eot, addBos, addEos },
    scores: scores ?? new Float32Array(texts.length),
    ranks: kind === 'bpe' ? readRanks(keys, ids) : new Map(),
    ends: new Set(ends.filter((id) => id !== undefined)),
    addSpacePrefix: keys.boolean('tokenizer.ggml.add_space_prefix', kind === 'spm'),
    stripsAfter: readStrips(keys, texts),
  };
}
