/**
 * Byte-level BPE (Radford et al. 2019) as llama.cpp's llm_tokenizer_bpe has it: text is cut into words by the model's
 * pre-tokenizer, a word becomes its UTF-8 bytes written in an alphabet of 256 printable characters, and inside a word pairs
 * merge by rank. A byte whose character is no token is dropped, as llama.cpp does; models have all 256.
 */

import { mergePairs } from './merge.ts';
import type { PreTokenizer } from './pretokenizer.ts';
import type { Vocab } from './vocab.ts';

/** The alphabet: a byte that prints in Latin-1 stands for itself, the others take U+0100 upwards in order. */
export const BYTE_ALPHABET: readonly string[] = (() => {
  const prints = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(prints(byte) ? byte : next++));
})();

/** Byte by its character in the alphabet. */
export const BYTE_OF: ReadonlyMap<string, number> = new Map(BYTE_ALPHABET.map((character, byte) => [character, byte]));

/** Tokens of text that holds no special tokens. */
export function bpeEncoder(vocab: Vocab, pre: PreTokenizer): (text: string) => number[] {
  const utf8 = new TextEncoder();

  const encodeWord = (plain: string): number[] => {
    let word = '';
    for (const byte of utf8.encode(plain)) word += BYTE_ALPHABET[byte];
    const whole = pre.ignoreMerges ? vocab.ids.get(word) : undefined;
    if (whole !== undefined) return [whole];
    const starts = mergePairs(
      Array.from({ length: word.length + 1 }, (_, i) => i),
      (start, middle, end) => vocab.ranks.get(`${word.slice(start, middle)} ${word.slice(middle, end)}`),
    );
    const ids = starts.slice(1).map((end, i) => vocab.ids.get(word.slice(starts[i], end)));
    return ids.filter((id) => id !== undefined);
  };

  return (text) => {
    const known = new Map<string, number[]>();
    return pre.split(text).flatMap((word) => {
      const ids = known.get(word) ?? encodeWord(word);
      known.set(word, ids);
      return ids;
    });
  };
}
