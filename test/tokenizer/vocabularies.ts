/**
 * Small vocabularies trained here on seeded texts, as the metadata of a GGUF file: an SPM one, and a byte-level BPE one for
 * each pre-tokenizer. They hold what real ones do and what is easily got wrong: tied scores, user-defined and unused tokens,
 * special tokens that begin alike, a special token typed as a normal one, words that no merge can reach.
 */

import type { GgufValue, ValueType } from '../../src/gguf/value_types.ts';
import { BYTE_ALPHABET } from '../../src/tokenizer/bpe.ts';
import { preTokenizer } from '../../src/tokenizer/pretokenizer.ts';
import { TokenType } from '../../src/tokenizer/vocab.ts';
import { randomTexts } from './texts.ts';

export type MetadataEntries = Record<string, readonly [type: ValueType, value: GgufValue]>;

interface Token {
  readonly text: string;
  readonly type: number;
  readonly score?: number;
}

const { normal, unknown, control, userDefined, unused, byte } = TokenType;

/** What special tokens of both vocabularies are spelled, user-defined ones among them. */
export const SPECIALS: readonly Token[] = [
  { text: '<|im_start|>', type: control },
  { text: '<|im_end|>', type: control },
  { text: '<|im_end|>user', type: control },
  { text: '[INST]', type: control },
  { text: '日本<|x|>', type: control },
  { text: '<|eot_id|>', type: normal },
  { text: '<|endoftext|>', type: normal },
  { text: '<tool>', type: userDefined },
  { text: '<tool>!', type: userDefined },
  { text: '\n\n\n', type: userDefined },
  { text: 'unused<0>', type: unused },
];

export const specialTexts: readonly string[] = [...SPECIALS.map(({ text }) => text), '<s>', '</s>', '<unk>', '<0x0A>'];

/** The first `n` byte-pair merges over words, each a list of symbols; of equally frequent pairs the first seen. */
function trainMerges(words: readonly string[], n: number): [left: string, right: string][] {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  let split = [...counts].map(([word, count]) => ({ symbols: [...word], count }));
  const merges: [string, string][] = [];
  while (merges.length < n) {
    const pairs = new Map<string, { left: string; right: string; count: number }>();
    for (const { symbols, count } of split) {
      for (let i = 1; i < symbols.length; i++) {
        const [left, right] = [symbols[i - 1] as string, symbols[i] as string];
        const pair = pairs.get(`${left} ${right}`) ?? { left, right, count: 0 };
        pair.count += count;
        pairs.set(`${left} ${right}`, pair);
      }
    }
    const best = [...pairs.values()].reduce((a, b) => (b.count > a.count ? b : a), { left: '', right: '', count: 1 });
    if (best.left === '') break;
    merges.push([best.left, best.right]);
    split = split
      .map(({ symbols, count }) => ({ symbols: merged(symbols, best), count }))
      .filter((w) => w.symbols.length > 1);
  }
  return merges;
}

function merged(symbols: readonly string[], { left, right }: { left: string; right: string }): string[] {
  const out: string[] = [];
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === left && symbols[i + 1] === right) out.push(left + symbols[++i]);
    else out.push(symbols[i] as string);
  }
  return out;
}

/** The first of each spelling. */
function distinct(tokens: readonly Token[]): Token[] {
  const first = new Map<string, Token>();
  for (const token of tokens) if (!first.has(token.text)) first.set(token.text, token);
  return [...first.values()];
}

const trainingTexts = () => randomTexts(200, 2024, []);

function entries(model: string, tokens: readonly Token[], more: MetadataEntries): MetadataEntries {
  return {
    'general.architecture': ['string', 'llama'],
    'tokenizer.ggml.model': ['string', model],
    'tokenizer.ggml.tokens': ['string[]', tokens.map(({ text }) => text)],
    'tokenizer.ggml.token_type': ['i32[]', tokens.map(({ type }) => type)],
    ...more,
  };
}

/** What `make` gives for a key, made once: training takes a second. */
function once<T>(make: (key: string | undefined) => T): (key?: string) => T {
  const made = new Map<string | undefined, T>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

const trainedSpm = once(() => {
  const words = trainingTexts().flatMap((text) => `▁${text.replaceAll(' ', '▁')}`.match(/▁*[^▁]+|▁+/gu) ?? []);
  return { words, merges: trainMerges(words, 300) };
});

const trainedBpe = once((pre) => {
  const utf8 = new TextEncoder();
  const words = trainingTexts()
    .flatMap((text) => preTokenizer(pre, 'a test').split(text))
    .map((word) => Array.from(utf8.encode(word), (b) => BYTE_ALPHABET[b]).join(''));
  return { words, merges: trainMerges(words, 300) };
});

/** An SPM vocabulary with byte fallback. Scores are tied in threes, so that the leftmost rule decides. */
export function spmMetadata(more: MetadataEntries = {}): MetadataEntries {
  const { words, merges } = trainedSpm();
  const characters = [...new Set(words.join('').slice(0, 4000))].filter((c) => c !== '\n');
  const tokens = distinct([
    { text: '<unk>', type: unknown },
    { text: '<s>', type: control },
    { text: '</s>', type: control },
    ...Array.from({ length: 256 }, (_, b) => ({
      text: `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`,
      type: byte,
    })),
    ...merges.map(([left, right], i) => ({ text: left + right, type: normal, score: -Math.floor(i / 3) })),
    ...characters.map((text) => ({ text, type: normal, score: -1000 })),
    ...SPECIALS,
  ]);
  return entries('llama', tokens, {
    'tokenizer.ggml.scores': ['f32[]', tokens.map(({ score = 0 }) => score)],
    ...more,
  });
}

/** A byte-level BPE vocabulary with a pre-tokenizer; undefined names none. */
export function bpeMetadata(pre: string | undefined, more: MetadataEntries = {}): MetadataEntries {
  const { words, merges } = trainedBpe(pre);
  const whole = [...new Set(words)].slice(0, 300);
  const tokens = distinct([
    ...BYTE_ALPHABET.map((text) => ({ text, type: normal })),
    ...merges.map(([left, right]) => ({ text: left + right, type: normal })),
    ...SPECIALS,
    { text: '<s>', type: control },
    { text: '</s>', type: control },
    ...whole.map((text) => ({ text, type: normal })),
  ]);
  const id = (text: string) => tokens.findIndex((token) => token.text === text);
  return entries('gpt2', tokens, {
    ...(pre === undefined ? {} : { 'tokenizer.ggml.pre': ['string', pre] }),
    'tokenizer.ggml.merges': ['string[]', merges.map((pair) => pair.join(' '))],
    'tokenizer.ggml.bos_token_id': ['u32', id('<s>')],
    'tokenizer.ggml.eos_token_id': ['u32', id('</s>')],
    ...more,
  });
}

/** The characters that `boundaryMetadata` glues to: a letter, a digit, a punctuation mark and a space. */
export const GLUES = ['x', '1', '!', '\t'] as const;

/**
 * A BPE vocabulary in which each of `GLUES` merges with any byte before or after it. So the ids of "x?x" say whether the
 * pre-tokenizer takes "?" for a letter, and "1?1", "!?!", "\t?\t" for a digit, punctuation and a space.
 */
export function boundaryMetadata(pre: string): MetadataEntries {
  const glues = GLUES.map((character) => BYTE_ALPHABET[character.charCodeAt(0)] as string);
  const pairs = glues.flatMap((glue) =>
    BYTE_ALPHABET.flatMap((byteText) => [`${glue} ${byteText}`, `${byteText} ${glue}`]),
  );
  const merges = [...new Set(pairs)];
  const texts = [...BYTE_ALPHABET, ...new Set(merges.map((pair) => pair.replace(' ', '')))];
  const tokens = texts.map((text) => ({ text, type: normal }));
  return entries('gpt2', tokens, {
    'tokenizer.ggml.pre': ['string', pre],
    'tokenizer.ggml.merges': ['string[]', merges],
  });
}

/** As a reader gives it: key → value. */
export const metadataOf = (content: MetadataEntries): Map<string, unknown> =>
  new Map(Object.entries(content).map(([key, [, value]]) => [key, value]));
