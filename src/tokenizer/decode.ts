/**
 * Tokens to bytes and bytes to text. A character may be spread over several tokens, so bytes are joined first and read as
 * UTF-8 once; what is no UTF-8 even then becomes U+FFFD.
 */

import { TokenizerError } from '../errors.ts';
import { BYTE_OF } from './bpe.ts';
import { byteText, SPM_SPACE } from './spm.ts';
import { TokenType, type Vocab } from './vocab.ts';

/** Reads tokens one at a time and gives text as soon as its characters are whole. */
export interface TextStream {
  /** The text that `id` completes; '' while a character waits for more bytes. */
  push(id: number): string;
  /** What is left at the end: U+FFFD where a character was never completed. */
  end(): string;
}

const utf8 = new TextEncoder();

/** The bytes that each token stands for. Throws TokenizerError for an id outside the vocabulary. */
export function tokenBytes(vocab: Vocab): (id: number) => Uint8Array {
  return (id) => {
    const text = vocab.texts[id];
    if (text === undefined) {
      throw new TokenizerError(
        `Cannot decode token ${id}: ${vocab.file} has ${vocab.texts.length} tokens, 0 to ${vocab.texts.length - 1}; ` +
          'give ids of this model',
        { file: vocab.file },
      );
    }
    switch (vocab.types[id]) {
      case TokenType.byte:
        return Uint8Array.of(parseInt(text.slice(3, 5), 16));
      case TokenType.control:
      case TokenType.unknown:
      case TokenType.userDefined:
        return utf8.encode(text);
      default:
        return vocab.kind === 'spm' ? utf8.encode(text.replaceAll(SPM_SPACE, ' ')) : bytesOfWord(text);
    }
  };
}

/** The bytes of a word written in the byte alphabet; a character outside it is itself. */
function bytesOfWord(word: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of word) {
    const byte = BYTE_OF.get(character);
    if (byte === undefined) bytes.push(...utf8.encode(character));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** Bytes as text in which every character is whole, and a byte that belongs to none shows as `<0xE3>`. */
export function shownBytes(bytes: Uint8Array): string {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let shown = '';
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] as number;
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    try {
      shown += strict.decode(bytes.subarray(at, at + length));
      at += length;
    } catch {
      shown += byteText(first);
      at++;
    }
  }
  return shown;
}

/** A stream over the bytes that `bytesOf` gives. */
export function textStream(bytesOf: (id: number) => Uint8Array): TextStream {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return {
    push: (id) => decoder.decode(bytesOf(id), { stream: true }),
    end: () => decoder.decode(),
  };
}
