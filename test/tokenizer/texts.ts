/**
 * Seeded random texts to tokenize: runs of words, digits, punctuation, spaces, line ends, control characters, CJK, emoji,
 * combining marks, any code point at all, and special tokens, in any mixture.
 */

import { seeded } from '../seeded.ts';

const WORDS =
  "Lily gave the ball to Tom thanked her for it and went home don't DON'T we'll they've I'm he'd 's 'RE naïve straße İstanbul ŒUVRE x² ½ ①"
    .split(' ')
    .concat([
      '日本語',
      '東京',
      'ひらがな',
      'カタカナ',
      '漢字かな交じり文',
      '你好',
      '世界',
      '안녕하세요',
      'Привет',
      'γειά',
      'שלום',
      'مرحبا',
      'สวัสดี',
      'हिन्दी',
    ]);
const EMOJI = ['😀', '👩‍👩‍👧', '🇯🇵', '👍🏽', '❤️', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '🤖', '☃'];
const SPACES = [
  ' ',
  '  ',
  '    ',
  '\n',
  '\n\n',
  '\r\n',
  '\t',
  '\t\t',
  '\u00a0',
  '\u3000',
  '\u2028',
  '\u0085',
  '\ufeff',
  '\u200b',
  '\v',
  '\f',
];
const PUNCTUATION = [...'.,!?;:\'"`´’“”«»—-_()[]{}<>/\\|@#$%^&*+=~。、！？「」…¿§©™'];
const MARKS = ['e\u0301', 'o\u0308', '\u0300', 'ก็', 'n\u0303\u0323'];

type Random = () => number;

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
const upTo = (random: Random, n: number) => Math.floor(random() * n);

/** Any code point that is no surrogate. */
const codePoint = (random: Random): string => {
  const limit = pick(random, [0x80, 0x250, 0x3000, 0x10000, 0x20000, 0x110000]);
  const c = upTo(random, limit);
  return c >= 0xd800 && c < 0xe000 ? '\ufffd' : String.fromCodePoint(c);
};

const repeat = (random: Random, most: number, part: () => string) =>
  Array.from({ length: upTo(random, most) }, part).join('');

/** One part of a text, by the roll of a die. */
function part(random: Random, special: readonly string[]): string {
  const kinds = [
    () => pick(random, WORDS),
    () => ` ${pick(random, WORDS)}`,
    () => ` ${pick(random, WORDS)}`,
    () => pick(random, SPACES),
    () => pick(random, SPACES).repeat(upTo(random, 40)),
    () => pick(random, PUNCTUATION),
    () => repeat(random, 6, () => pick(random, PUNCTUATION)),
    () => repeat(random, 9, () => String(upTo(random, 10))),
    () => pick(random, EMOJI),
    () => pick(random, MARKS),
    () => String.fromCharCode(upTo(random, 32)),
    () => codePoint(random),
    () => repeat(random, 8, () => codePoint(random)),
    () => repeat(random, 8, () => String.fromCharCode(0x20 + upTo(random, 0x5f))),
    () => repeat(random, 8, () => pick(random, [...'abcdefghijklmnopqrstuvwxyz'])),
    () => repeat(random, 10, () => String.fromCodePoint(0x4e00 + upTo(random, 0x5200))),
    () => pick(random, [...special, '']),
    () => pick(random, [...special, '']).slice(upTo(random, 3)),
  ];
  return pick(random, kinds)();
}

/** `n` texts of up to 24 parts each; `special` is what the vocabulary's special tokens are spelled. */
export function randomTexts(n: number, seed: number, special: readonly string[]): string[] {
  const random = seeded(seed);
  return Array.from({ length: n }, () => repeat(random, 25, () => part(random, special)));
}
