/** Errors as a notebook shows them: the heading, the line with a mark under its place, the frames. */
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { CellDiagnostic } from '../../../src/notebook/compiler/diagnostic.ts';
import { diagnosticsError, errorOf } from '../../../src/notebook/supervisor/traceback.ts';

const plain = ({ traceback }: { readonly traceback: readonly string[] }) =>
  traceback.join('\n').split('\n').map(stripVTControlCharacters);

const thrown = (message: string, ...frames: readonly string[]) => ({
  name: 'Error',
  message,
  stack: [`Error: ${message}`, ...frames.map((frame) => `    at ${frame}`)].join('\n'),
});

describe('what a cell threw', () => {
  const sources = new Map([
    [1, 'first();'],
    [3, "\tconst 変数 = '🧠'; fail();\nlast"],
  ]);

  test('is shown with the line of the innermost place in a cell', () => {
    const error = errorOf(thrown('no', 'inside (file:///lib.js:9:9)', 'cell 3:2:1', 'cell 1:1:1'), sources);
    expect(plain(error)).toEqual([
      'Error: no',
      '',
      'cell 3, line 2',
      '  last',
      '  ^',
      '',
      '    at inside (file:///lib.js:9:9)',
      '    at cell 3:2:1',
      '    at cell 1:1:1',
    ]);
    expect(error).toMatchObject({ type: 'error', ename: 'Error', evalue: 'no' });
  });

  test('has its mark under the place, past tabs and wide characters', () => {
    const code = sources.get(3) ?? '';
    const [, , , line = '', mark = ''] = plain(errorOf(thrown('no', `cell 3:1:${code.indexOf('fail') + 1}`), sources));
    expect(line).toBe("  \tconst 変数 = '🧠'; fail();");
    // Each of 変, 数 and 🧠 takes two columns.
    expect(mark).toBe(`  \t${' '.repeat("const wide = 'br'; ".length)}^`);
  });

  test('keeps a message that looks like a stack apart from the stack', () => {
    const error = errorOf(thrown('one\n    at fake (cell 1:1:1)\ntwo', 'cell 3:2:2'), sources);
    expect(plain(error).slice(0, 5)).toEqual(['Error: one', '    at fake (cell 1:1:1)', 'two', '', 'cell 3, line 2']);
  });

  test('needs no place, and no cell that is still known', () => {
    expect(plain(errorOf(thrown('alone'), sources))).toEqual(['Error: alone']);
    expect(plain(errorOf(thrown('old', 'cell 2:1:1'), sources))).toEqual(['Error: old', '    at cell 2:1:1']);
  });

  test('shows a part of a line that is long', () => {
    const code = `${'x'.repeat(5000)} fail() ${'y'.repeat(5000)}`;
    const lines = plain(errorOf(thrown('no', 'cell 4:1:5002'), new Map([[4, code]])));
    expect(lines[3]?.length).toBeLessThan(200);
    expect(lines[3]?.slice(lines[4]?.indexOf('^'))).toMatch(/^fail\(\)/);
  });
});

describe('what TypeScript has against a cell', () => {
  const diagnostic: CellDiagnostic = {
    ...{ file: null, line: 2, column: 7, length: 1, text: 'const n: number = "x";', code: 2322 },
    message: 'Type mismatch.\n  More.',
  };

  test('is shown with its place, code and a mark', () => {
    const error = diagnosticsError([diagnostic, { ...diagnostic, file: '/a/b.ts', length: 3, line: 5 }], 8);
    expect(plain(error)).toEqual([
      'cell 8:2:7 - error TS2322: Type mismatch.',
      '  More.',
      '  const n: number = "x";',
      '        ^',
      '',
      '/a/b.ts:5:7 - error TS2322: Type mismatch.',
      '  More.',
      '  const n: number = "x";',
      '        ~~~',
    ]);
    expect(error).toMatchObject({ ename: 'TypeError', evalue: 'TS2322: Type mismatch. (line 2)' });
  });

  test('is a SyntaxError where it is of syntax, or our own refusal, which has no code', () => {
    expect(diagnosticsError([{ ...diagnostic, code: 1005 }], 1).ename).toBe('SyntaxError');
    const refused = diagnosticsError([{ ...diagnostic, code: null }], 1);
    expect(refused).toMatchObject({ ename: 'SyntaxError', evalue: 'Type mismatch. (line 2)' });
    expect(plain(refused)[0]).toBe('cell 1:2:7 - error: Type mismatch.');
  });

  test('is counted beyond the first ten', () => {
    const lines = plain(
      diagnosticsError(
        Array.from({ length: 35 }, () => diagnostic),
        1,
      ),
    );
    expect(lines.filter((line) => line.includes('TS2322'))).toHaveLength(10);
    expect(lines.at(-1)).toBe('… and 25 more');
  });
});
