/**
 * Pre-tokenizers: how text is cut into words before byte-level BPE merges run inside each word.
 *
 * A pre-tokenizer is a list of regexes; each cuts the pieces that the one before left, and what it does not match stays a
 * piece too, as llama.cpp's unicode_regex_split does. The patterns are those of the models' own tokenizer.json: Llama 3's,
 * and GPT-2's (Radford et al. 2019, github.com/openai/gpt-2) with what SmolLM and llama.cpp's default put around it.
 */

import { TokenizerError } from '../errors.ts';
import { LETTER, NUMBER, PUNCTUATION, SPACE } from './unicode.ts';

/** A word that starts with a space keeps it; contractions are words; spaces before a word leave one to it. */
const GPT2 =
  `'s|'t|'re|'ve|'m|'ll|'d| ?${LETTER}+| ?${NUMBER}+| ?[^${SPACE}${LETTER}${NUMBER}]+` +
  `|${SPACE}+(?![^${SPACE}])|${SPACE}+`;

/** GPT-2's with contractions in any case, numbers in threes, and line ends as words of their own. */
const LLAMA3 =
  `'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\\r\\n${LETTER}${NUMBER}]?${LETTER}+|${NUMBER}{1,3}` +
  `| ?[^${SPACE}${LETTER}${NUMBER}]+[\\r\\n]*|${SPACE}*[\\r\\n]+|${SPACE}+(?![^${SPACE}])|${SPACE}+`;

export interface PreTokenizer {
  /** Cuts text into words; joined they are the text again. */
  readonly split: (text: string) => string[];
  /** A word that is a token as it stands is not merged up from bytes. */
  readonly ignoreMerges: boolean;
  /** Whether the model begins with BOS where its metadata does not say. */
  readonly addBos: boolean;
}

interface Spelling {
  readonly patterns: readonly string[];
  readonly ignoreMerges?: boolean;
  readonly addBos?: boolean;
}

/** By the value of `tokenizer.ggml.pre`. */
const SPELLINGS: ReadonlyMap<string, Spelling> = new Map([
  ['llama-bpe', { patterns: [LLAMA3], ignoreMerges: true, addBos: true }],
  ['smollm', { patterns: [NUMBER, GPT2] }],
  ['default', { patterns: [`[${PUNCTUATION}$+<=>\\^~\\|]+`, GPT2, `${NUMBER}+`, '[0-9][0-9][0-9]'] }],
]);

/** The names that `preTokenizer` knows. */
export const preTokenizerNames: readonly string[] = [...SPELLINGS.keys()];

/** Not matchAll: that makes the regex anew each time, and these are long. */
function cut(piece: string, pattern: RegExp): string[] {
  const pieces: string[] = [];
  let end = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(piece); match !== null; match = pattern.exec(piece)) {
    if (match.index > end) pieces.push(piece.slice(end, match.index));
    pieces.push(match[0]);
    end = pattern.lastIndex;
  }
  if (end < piece.length) pieces.push(piece.slice(end));
  return pieces;
}

/** The pre-tokenizer that metadata names; `default` where it names none. Throws TokenizerError for a name not known. */
export function preTokenizer(name: string | undefined, file: string): PreTokenizer {
  const spelling = SPELLINGS.get(name ?? 'default');
  if (spelling === undefined) {
    throw new TokenizerError(
      `Cannot tokenize text for ${file}: its tokenizer.ggml.pre is ${JSON.stringify(name)}; supported pre-tokenizers are ` +
        `${preTokenizerNames.join(', ')}; give token ids instead of text, or use a model with one of those`,
      { file },
    );
  }
  const patterns = spelling.patterns.map((pattern) => new RegExp(pattern, 'gv'));
  return {
    split: (text) => patterns.reduce((pieces, pattern) => pieces.flatMap((piece) => cut(piece, pattern)), [text]),
    ignoreMerges: spelling.ignoreMerges ?? false,
    addBos: spelling.addBos ?? false,
  };
}
