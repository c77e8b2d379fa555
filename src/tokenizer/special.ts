/**
 * Special tokens in text: `<s>Hello` is BOS and "Hello", if special tokens are parsed. Longer tokens are looked for first,
 * in all of the text, as llama.cpp's tokenizer_st_partition does; so a token never hides in what a longer one has taken.
 * (Of two that are as long, llama.cpp's unstable sort decides; here the one with the lower id comes first. It matters only
 * where they overlap.)
 */

import { TokenType, type Vocab } from './vocab.ts';

/** A piece of text still to be tokenized, or a token. */
export type Fragment = string | number;

const byteLength = (text: string) => new TextEncoder().encode(text).length;

/** C's isspace. */
const LEADING_SPACE = /^[ \t-\r]+/;

/** Splits text at every place where `text` stands. */
function splitAt(fragment: string, text: string, id: number, stripsAfter: boolean): Fragment[] {
  const parts = fragment.split(text);
  return parts.flatMap((part, i) => {
    const rest = i > 0 && stripsAfter ? part.replace(LEADING_SPACE, '') : part;
    const kept = rest === '' ? [] : [rest];
    return i > 0 ? [id, ...kept] : kept;
  });
}

/** Cuts a text into fragments. User-defined tokens are always found; control and unknown ones where `special` is set. */
export function specialPartition(vocab: Vocab): (text: string, special: boolean) => Fragment[] {
  const found = vocab.texts
    .flatMap((text, id) => {
      const type = vocab.types[id];
      const isControl = type === TokenType.control || type === TokenType.unknown;
      if (!isControl && type !== TokenType.userDefined) return [];
      return [{ id, text, isControl, length: byteLength(text) }];
    })
    .sort((a, b) => b.length - a.length);

  return (text, special) => {
    let fragments: Fragment[] = text === '' ? [] : [text];
    for (const token of found) {
      if ((token.isControl && !special) || !text.includes(token.text)) continue;
      const strips = vocab.stripsAfter.has(token.id);
      fragments = fragments.flatMap((fragment) =>
        typeof fragment === 'number' ? [fragment] : splitAt(fragment, token.text, token.id, strips),
      );
    }
    return fragments;
  };
}
