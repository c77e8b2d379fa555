/**
 * SentencePiece's BPE (Kudo and Richardson 2018, arXiv:1808.06226) as llama.cpp's llm_tokenizer_spm has it: symbols are
 * characters, the pair that makes the piece of highest score is merged, leftmost first, and a character that no piece
 * covers falls back to its UTF-8 bytes. Runs of spaces stay as they are: llama.cpp reads `remove_extra_whitespaces` but
 * does not act on it for this kind.
 */

import { TokenizerError } from '../errors.ts';
import { mergePairs } from './merge.ts';
import type { Vocab } from './vocab.ts';

/** U+2581, which stands for a space in pieces. */
export const SPM_SPACE = '\u2581';

const hex = (byte: number) => byte.toString(16).toUpperCase().padStart(2, '0');

/** How SPM spells a byte: `<0xE3>`. */
export const byteText = (byte: number) => `<0x${hex(byte)}>`;

/** Where each character of a text begins, and its end. */
function characterStarts(text: string): number[] {
  const starts: number[] = [];
  let at = 0;
  for (const character of text) {
    starts.push(at);
    at += character.length;
  }
  return [...starts, at];
}

/** Tokens of text that holds no special tokens; the space that may go before it is the caller's. */
export function spmEncoder(vocab: Vocab): (text: string) => number[] {
  const utf8 = new TextEncoder();
  const longest = vocab.texts.reduce((most, text) => Math.max(most, text.length), 0);

  const byteId = (byte: number): number => {
    const id = vocab.ids.get(byteText(byte)) ?? (byte < 0x80 ? vocab.ids.get(String.fromCharCode(byte)) : undefined);
    if (id !== undefined) return id;
    throw new TokenizerError(
      `Cannot tokenize the byte ${byteText(byte)} with ${vocab.file}: no piece covers it and the vocabulary has no token ` +
        `${byteText(byte)}; leave out that character, or convert the model with its byte tokens`,
      { file: vocab.file },
    );
  };

  return (plain) => {
    const text = plain.replaceAll(' ', SPM_SPACE);
    const piece = (start: number, end: number) =>
      end - start > longest ? undefined : vocab.ids.get(text.slice(start, end));
    const starts = mergePairs(characterStarts(text), (start, _middle, end) => {
      const id = piece(start, end);
      return id === undefined ? undefined : -(vocab.scores[id] as number);
    });
    const ids: number[] = [];
    for (let i = 0; i + 1 < starts.length; i++) {
      const [start, end] = [starts[i] as number, starts[i + 1] as number];
      const id = piece(start, end);
      if (id !== undefined) ids.push(id);
      else for (const byte of utf8.encode(text.slice(start, end))) ids.push(byteId(byte));
    }
    return ids;
  };
}
