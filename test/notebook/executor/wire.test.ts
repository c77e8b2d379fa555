/** Marks in a stream of text: found however the stream is cut, and nothing else taken for one. */
import { describe, expect, test } from 'vitest';
import { type Mark, MarkReader, markText } from '../../../src/notebook/executor/wire.ts';

const SESSION = 'a1b2c3';

/** What a reader makes of chunks, with text in one piece. */
function read(chunks: readonly string[]): (string | Mark)[] {
  const reader = new MarkReader(SESSION);
  const parts = [...chunks.flatMap((chunk) => reader.read(chunk)), reader.end()];
  const joined: (string | Mark)[] = [];
  for (const part of parts.filter((part) => part !== '')) {
    const last = joined.at(-1);
    if (typeof part === 'string' && typeof last === 'string') joined[joined.length - 1] = last + part;
    else joined.push(part);
  }
  return joined;
}

const marks: readonly Mark[] = [
  { type: 'cell', id: 12 },
  { type: 'cell', id: null },
  { type: 'meet', count: 3 },
  { type: 'message', count: 4 },
];
const whole: readonly (string | Mark)[] = [
  'one\n',
  ...marks.slice(0, 2),
  'zwei 日本',
  ...marks.slice(2),
  '\u001b[31mred',
];
const text = whole.map((part) => (typeof part === 'string' ? part : markText(SESSION, part))).join('');

test('a stream gives its text and marks in order', () => {
  expect(read([text])).toEqual(whole);
});

test('wherever it is cut in two', () => {
  for (let at = 0; at <= text.length; at++)
    expect(read([text.slice(0, at), text.slice(at)]), `at ${at}`).toEqual(whole);
});

test('and where each character comes alone', () => {
  expect(read([...text])).toEqual(whole);
});

describe('text stays text', () => {
  test.for([
    ['marks of another session', markText('other', { type: 'meet', count: 1 })],
    ['a mark that never ends', `\u001b_${SESSION}c12`],
    ['the beginning of one', `x\u001b_${SESSION.slice(0, 3)}`],
    ['colours and an escape alone', '\u001b[1mbold\u001b'],
  ] as const)('%s', ([, plain]) => {
    expect(read([plain])).toEqual([plain]);
    expect(read([...plain])).toEqual([plain]);
  });
});

test('what may begin a mark is held back, and nothing more', () => {
  const reader = new MarkReader(SESSION);
  expect(reader.read('ab\u001b')).toEqual(['ab']);
  expect(reader.read('[0m')).toEqual(['\u001b[0m']);
});
