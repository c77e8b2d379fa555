/** A text that is one token, as somebody writes it who has seen the token's piece. */
import { UsageError } from '../errors.ts';
import type { Tokenizer } from './tokenizer.ts';

/**
 * The id of a text that is one token; an id is given back as it is. Both ` Tom` and `Tom` find SPM's piece ` Tom`, which
 * stands for the bare word where a text begins. Throws UsageError where the text is several tokens.
 */
export function singleToken(token: number | string, vocabulary: Pick<Tokenizer, 'encode' | 'piece'>): number {
  if (typeof token === 'number') return token;
  const encode = (text: string) => vocabulary.encode(text, { bos: false });
  const ids = encode(token);
  if (ids.length === 1) return ids[0] as number;
  // SPM puts a space before every text, so a piece with a space is spelt without it.
  const [bare, ...more] = token.startsWith(' ') ? encode(token.slice(1)) : [];
  if (bare !== undefined && more.length === 0 && vocabulary.piece(bare) === token) return bare;
  const pieces = ids.map((id) => vocabulary.piece(id)).join('|') || 'none';
  throw new UsageError(
    `Cannot take ${JSON.stringify(token)} for a token: it is ${ids.length} tokens, ${pieces}; give a text that is one, or its id`,
  );
}
