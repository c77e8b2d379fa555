import { describe, expect, it } from 'vitest';
import { TokenizerError } from '../../src/errors.ts';
import { createTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { TokenType } from '../../src/tokenizer/vocab.ts';
import { seeded } from '../seeded.ts';
import { randomTexts } from './texts.ts';
import { bpeMetadata, type MetadataEntries, metadataOf, specialTexts, spmMetadata } from './vocabularies.ts';

const { normal, unknown, control, userDefined, byte } = TokenType;

const tokenizerOf = (content: MetadataEntries) => createTokenizer(metadataOf(content), 'm.gguf');

/** Few enough pieces that the merges can be followed by hand. */
const SMALL: readonly [text: string, type: number, score: number][] = [
  ['<unk>', unknown, 0],
  ['<s>', control, 0],
  ['</s>', control, 0],
  ['▁', normal, -10],
  ['a', normal, -11],
  ['b', normal, -12],
  ['ab', normal, -2],
  ['ba', normal, -2],
  ['▁a', normal, -1],
  ['aba', normal, -3],
  ['<go>', userDefined, 0],
  ['<0xE3>', byte, 0],
  ['<0x81>', byte, 0],
  ['<0x82>', byte, 0],
];

const small = (more: Record<string, unknown> = {}) =>
  createTokenizer(
    new Map<string, unknown>([
      ['tokenizer.ggml.model', 'llama'],
      ['tokenizer.ggml.tokens', SMALL.map(([text]) => text)],
      ['tokenizer.ggml.token_type', SMALL.map(([, type]) => type)],
      ['tokenizer.ggml.scores', SMALL.map(([, , score]) => score)],
      ...Object.entries(more),
    ]),
    'm.gguf',
  );

const pieces = (tokenizer: ReturnType<typeof small>, text: string) =>
  tokenizer.encode(text, { bos: false }).map((id) => tokenizer.piece(id));

describe('SPM by hand', () => {
  it('merges the pair of highest score first: ▁a before ab', () => {
    expect(pieces(small(), 'ab')).toEqual([' a', 'b']);
  });

  it('merges the leftmost of equal scores: ab before ba', () => {
    expect(pieces(small({ 'tokenizer.ggml.add_space_prefix': false }), 'bab')).toEqual(['ba', 'b']);
    expect(pieces(small({ 'tokenizer.ggml.add_space_prefix': false }), 'aba')).toEqual(['aba']);
  });

  it('falls back to UTF-8 bytes, which show as <0xE3>', () => {
    expect(pieces(small(), 'bあ')).toEqual([' ', 'b', '<0xE3>', '<0x81>', '<0x82>']);
  });

  it('names a byte that no token covers', () => {
    expect(() => small().encode('é')).toThrow(
      'Cannot tokenize the byte <0xC3> with m.gguf: no piece covers it and the vocabulary has no token <0xC3>; ' +
        'leave out that character, or convert the model with its byte tokens',
    );
  });

  it('puts a space before text at the start and after each special token', () => {
    expect(pieces(small(), 'a<s>a<go>ba')).toEqual([' a', '<s>', ' a', '<go>', ' ', 'ba']);
    expect(pieces(small({ 'tokenizer.ggml.add_space_prefix': false }), 'a<s>a')).toEqual(['a', '<s>', 'a']);
  });

  it('adds BOS by default, EOS where the metadata says so, neither where bos is false', () => {
    expect(small().encode('a')).toEqual([1, 8]);
    const both = small({ 'tokenizer.ggml.add_eos_token': true });
    expect(both.encode('a')).toEqual([1, 8, 2]);
    expect(both.encode('a', { bos: false })).toEqual([8]);
    expect(both.encode('a', { bos: false, eos: true })).toEqual([8, 2]);
    expect(small({ 'tokenizer.ggml.add_bos_token': false }).encode('a')).toEqual([8]);
  });

  it('gives BOS alone, or nothing, for empty text', () => {
    expect(small().encode('')).toEqual([1]);
    expect(small().encode('', { bos: false })).toEqual([]);
    expect(small().decode([])).toBe('');
  });

  it('finds user-defined tokens always, control tokens only where special tokens are read', () => {
    expect(small().encode('<go>', { bos: false, special: false })).toEqual([10]);
    expect(small().encode('<s>', { bos: false })).toEqual([1]);
    expect(() => small().encode('<s>', { bos: false, special: false })).toThrow('the byte <0x3C>');
  });
});

describe('decoding', () => {
  it('joins bytes before it reads UTF-8, and replaces only what is none at the end', () => {
    expect(small().decode([11, 12, 13])).toBe('あ');
    expect(small().decode([11, 12])).toBe('\ufffd');
    expect(small().decode([11, 4])).toBe('\ufffda');
  });

  it('leaves special tokens out unless asked', () => {
    expect(small().decode([1, 8, 2])).toBe('a');
    expect(small().decode([1, 8, 2], { special: true })).toBe('<s>a</s>');
    expect(small().decode([1, 8, 2], { prefix: true })).toBe(' a');
  });

  it('streams a character once its last byte is there', () => {
    const stream = small().stream();
    expect([1, 8, 11, 12, 13, 11].map((id) => stream.push(id))).toEqual(['', ' a', '', '', 'あ', '']);
    expect(stream.end()).toBe('\ufffd');
  });

  it('refuses an id outside the vocabulary', () => {
    for (const id of [-1, 14, 1.5, Number.NaN]) {
      expect(() => small().decode([id])).toThrow(TokenizerError);
      expect(() => small().piece(id)).toThrow(`Cannot decode token ${id}: m.gguf has 14 tokens, 0 to 13`);
    }
  });

  it.each([
    ['SPM', () => spmMetadata()],
    ['llama-bpe', () => bpeMetadata('llama-bpe')],
    ['smollm', () => bpeMetadata('smollm')],
    ['default', () => bpeMetadata('default')],
  ])('gives back any text that was encoded: %s', (_, content) => {
    const tokenizer = tokenizerOf(content());
    for (const text of randomTexts(500, 31, specialTexts)) {
      expect(tokenizer.decode(tokenizer.encode(text, { bos: false }), { special: true })).toBe(text);
      expect(tokenizer.decode(tokenizer.encode(text, { special: false }))).toBe(text);
    }
  });

  it('streams what decode gives with the prefix kept, for any ids', () => {
    const random = seeded(8);
    for (const content of [spmMetadata(), bpeMetadata('smollm')]) {
      const tokenizer = tokenizerOf(content);
      for (let i = 0; i < 200; i++) {
        const ids = Array.from({ length: 12 }, () => Math.floor(random() * tokenizer.vocabSize));
        const stream = tokenizer.stream();
        const streamed = ids.map((id) => stream.push(id)).join('') + stream.end();
        expect(streamed).toBe(tokenizer.decode(ids, { prefix: true }));
      }
    }
  });
});

describe('BPE', () => {
  const tokenizer = tokenizerOf(bpeMetadata('llama-bpe'));

  it('shows bytes that are no whole character as <0xE3>, and characters as themselves', () => {
    const shown = Array.from({ length: 256 }, (_, id) => tokenizer.piece(id));
    expect(shown[0x41]).toBe('A');
    expect(shown[0x20]).toBe(' ');
    expect(shown[0x0a]).toBe('\n');
    expect(shown[0xe3]).toBe('<0xE3>');
  });

  it('takes a word that is a token whole, though no merge leads to it, where the pre-tokenizer says so', () => {
    const more = (pre: string): MetadataEntries => {
      const content = bpeMetadata(pre);
      const grown = (name: string, item: unknown) => [...((content[name]?.[1] ?? []) as unknown[]), item];
      return {
        ...content,
        'tokenizer.ggml.tokens': ['string[]', grown('tokenizer.ggml.tokens', 'qzxqzx') as string[]],
        'tokenizer.ggml.token_type': ['i32[]', grown('tokenizer.ggml.token_type', normal) as number[]],
      };
    };
    expect(tokenizerOf(more('llama-bpe')).encode('qzxqzx', { bos: false })).toHaveLength(1);
    expect(tokenizerOf(more('smollm')).encode('qzxqzx', { bos: false }).length).toBeGreaterThan(1);
  });

  it('begins with BOS by default for llama-bpe alone', () => {
    expect(tokenizer.addBos).toBe(true);
    expect(tokenizerOf(bpeMetadata('smollm')).addBos).toBe(false);
    expect(tokenizerOf(bpeMetadata(undefined)).addBos).toBe(false);
  });
});

describe('any tokenizer', () => {
  it('reads a lone surrogate as U+FFFD', () => {
    for (const content of [spmMetadata(), bpeMetadata('llama-bpe')]) {
      const tokenizer = tokenizerOf(content);
      expect(tokenizer.encode('a\ud800b\udc00')).toEqual(tokenizer.encode('a\ufffdb\ufffd'));
    }
  });

  it('knows what ends an answer, whatever its type says', () => {
    const tokenizer = tokenizerOf(spmMetadata());
    const [eot] = tokenizer.encode('<|eot_id|>', { bos: false });
    expect(tokenizer.eot).toBe(eot);
    expect(tokenizer.isSpecial(eot as number)).toBe(true);
    expect(tokenizer.ends.has(eot as number)).toBe(true);
    expect(tokenizer.ends.has(2)).toBe(true);
    expect(tokenizer.ends.has(300)).toBe(false);
  });

  it('takes 100,000 characters of one kind, in one word or none', () => {
    const texts = ['a', ' ', '\n', '!', '1', ' \n', '😀', '日本語', '<|im_end|>', ' '].map((text) =>
      text.repeat(100_000 / text.length),
    );
    for (const content of [spmMetadata(), bpeMetadata('llama-bpe'), bpeMetadata('default')]) {
      const tokenizer = tokenizerOf(content);
      for (const text of texts) {
        const whole = `${text}x`;
        expect(tokenizer.decode(tokenizer.encode(whole, { bos: false }), { special: true }) === whole).toBe(true);
      }
    }
  });
});

describe('broken metadata', () => {
  const key = (name: string) => `tokenizer.ggml.${name}`;
  const types = (value: number) => SMALL.map(() => value);
  const cases: readonly [claim: string, more: Record<string, unknown>, message: string][] = [
    ['no model', { [key('model')]: undefined }, 'tokenizer.ggml.model is missing; give token ids instead of text'],
    [
      'another model',
      { [key('model')]: 'bert' },
      'tokenizer.ggml.model is "bert"; supported are "llama" (SentencePiece)',
    ],
    ['a model that is no text', { [key('model')]: 3 }, 'tokenizer.ggml.model is 3, not a string'],
    ['no tokens', { [key('tokens')]: undefined }, 'tokenizer.ggml.tokens is missing; convert the model again'],
    ['tokens that are no list', { [key('tokens')]: 'a' }, 'tokenizer.ggml.tokens is "a", not an array of strings'],
    ['no token at all', { [key('tokens')]: [] }, 'tokenizer.ggml.tokens is empty'],
    ['a token that is a number', { [key('tokens')]: ['a', 7] }, 'tokenizer.ggml.tokens holds 7 at 1, not a string'],
    ['a token twice', { [key('tokens')]: ['a', 'b', 'a'] }, 'tokenizer.ggml.tokens spells tokens 0 and 2 both "a"'],
    ['no scores', { [key('scores')]: undefined }, 'tokenizer.ggml.scores is missing'],
    [
      'too few scores',
      { [key('scores')]: [0, 1] },
      'tokenizer.ggml.scores has 2 entries, but tokenizer.ggml.tokens has 14',
    ],
    [
      'a score that is NaN',
      { [key('scores')]: types(Number.NaN) },
      'tokenizer.ggml.scores holds NaN at 0, not a number',
    ],
    ['too few types', { [key('token_type')]: [1] }, 'tokenizer.ggml.token_type has 1 entries'],
    [
      'types that are one text',
      { [key('token_type')]: 'x' },
      'tokenizer.ggml.token_type is "x", not an array of numbers',
    ],
    [
      'bytes that are spelled otherwise',
      { [key('token_type')]: types(6) },
      'makes token 0 a byte, but it is spelled "<unk>"',
    ],
    ['BOS outside', { [key('bos_token_id')]: 14 }, 'bos_token_id is 14, but token ids go from 0 to 13'],
    ['EOS below zero', { [key('eos_token_id')]: -1 }, 'eos_token_id is -1, but token ids go from 0 to 13'],
    ['EOT of 2^63', { [key('eot_token_id')]: 2n ** 63n }, 'eot_token_id is 9223372036854775808, but'],
    ['a rule that is no boolean', { [key('add_bos_token')]: 1 }, 'add_bos_token is 1, not true or false'],
    ['no merges', { [key('model')]: 'gpt2' }, 'tokenizer.ggml.merges is missing'],
    [
      'a merge of one',
      { [key('model')]: 'gpt2', [key('merges')]: ['ab'] },
      'holds "ab" at 0, which is not two tokens and a',
    ],
    [
      'a merge into no token',
      { [key('model')]: 'gpt2', [key('merges')]: ['b b'] },
      'holds "b b" at 0, but "bb" is no token',
    ],
  ];

  it.each(cases)('is refused by file and key: %s', (_, more, message) => {
    expect(() => small(more)).toThrow(TokenizerError);
    expect(() => small(more)).toThrow(message);
    expect(() => small(more)).toThrow('m.gguf');
  });

  it('is refused by the name of the pre-tokenizer, with those that are known', () => {
    const content: MetadataEntries = { ...bpeMetadata('smollm'), 'tokenizer.ggml.pre': ['string', 'qwen2'] };
    expect(() => tokenizerOf(content)).toThrow(
      'Cannot tokenize text for m.gguf: its tokenizer.ggml.pre is "qwen2"; supported pre-tokenizers are llama-bpe, smollm, ' +
        'default; give token ids instead of text, or use a model with one of those',
    );
  });

  it('is no empty token: it gets a name of its own', () => {
    const tokens = SMALL.map(([text]) => (text === 'b' ? '' : text));
    expect(small({ [key('tokens')]: tokens }).piece(5)).toBe('[EMPTY_5]');
  });
});
