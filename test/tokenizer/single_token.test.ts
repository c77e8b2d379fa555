import { expect, test } from 'vitest';
import { singleToken } from '../../src/tokenizer/single_token.ts';

/** SPM's way: a text gets a space in front, and ` Tom` is a piece where ` ` alone is one too. */
const PIECES = ['<unk>', ' ', ' Tom', ' ran'];
const spm = {
  piece: (id: number) => PIECES[id] as string,
  encode: (text: string) => {
    const words = ` ${text}`.match(/ \w+| /g) ?? [];
    return words.map((word) => PIECES.indexOf(word));
  },
};
/** BPE's way: a text is what it is. */
const BARE = ['Tom', ' Tom'];
const bpe = { piece: (id: number) => BARE[id] as string, encode: (text: string) => [BARE.indexOf(text)] };

test('a piece and the bare word are one token of SPM', () => {
  expect(spm.encode(' Tom')).toEqual([1, 2]);
  expect([singleToken(' Tom', spm), singleToken('Tom', spm)]).toEqual([2, 2]);
});

test('where a word with a space before it is another token, each is found', () => {
  expect([singleToken('Tom', bpe), singleToken(' Tom', bpe)]).toEqual([0, 1]);
});

test('an id is given back as it is', () => expect(singleToken(7, spm)).toBe(7));

test('a text of several tokens is refused, and they are named', () => {
  expect(() => singleToken('Tom ran', spm)).toThrow('Cannot take "Tom ran" for a token: it is 2 tokens,  Tom| ran');
  expect(() => singleToken('', { ...spm, encode: () => [] })).toThrow('it is 0 tokens, none');
});
