import { describe, expect, test } from 'vitest';
import { shown, tokenLabel } from '../../src/trace/token_label.ts';

describe('labels of tokens', () => {
  test('a repeated token has another label at each position', () => {
    const trace = { manifest: { pieces: [' Tom', ' Tom'] } };
    expect([0, 1].map((position) => tokenLabel(trace, position))).toEqual(['0 ␣Tom', '1 ␣Tom']);
  });

  test('without pieces a position is its own label', () => {
    expect(tokenLabel({ manifest: {} }, 0)).toBe('0');
  });

  test.each([
    [' Tom', '␣Tom'],
    ['日本', '日本'],
    ['<0xE3>', '<0xE3>'],
    ['\n\t', '\\n\\t'],
    ['\u200B', '\\u{200b}'],
    ['\u202E', '\\u{202e}'],
  ])('%j is shown as %s', (piece, label) => {
    expect(shown(piece)).toBe(label);
  });
});
