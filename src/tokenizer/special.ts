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

/** What C's isspace takes for whitespace. */
const LEADING_SPACE = /^[ \t-\r]+/;

/** Splits text at every place where `text` stands, from the left; what is stripped after one hides none that begins in it. */
function splitAt(fragment: string, text: string, id: number, stripsAfter: boolean): Fragment[] {
  const fragments: Fragment[] = [];
  let rest = fragment;
  for (let at = rest.indexOf(text); at >= 0; at = rest.indexOf(text)) {
    if (at > 0) fragments.push(rest.slice(0, at));
    fragments.push(id);
    rest = rest.slice(at + text.length);
    if (stripsAfter) rest = rest.replace(LEADING_SPACE, '');
  }
  if (rest !== '') fragments.push(rest);
  return fragments;
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
