/** Completion and inspection: what they offer, and what a match replaces. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CellsHere } from './cells_here.ts';
import { temporaryFolder } from './temporary_folder.ts';

const folder = temporaryFolder();
mkdirSync(join(folder, 'lib'));
writeFileSync(join(folder, 'lib/shapes.ts'), 'export const square = 4;');
writeFileSync(join(folder, 'near.ts'), 'export const near = 1;');

const cells = new CellsHere({ cwd: folder });
afterAll(() => cells.compiler.close());
beforeAll(async () => {
  await cells.run(
    "const shape = { width: 1, height: 2, 'odd key': 3, 日本: 4 }; enum Colour { Red, Blue }",
    '/** Doubles a length, in metres. */\nfunction doubled(length: number): number { return 2 * length; }',
    "function open(options: { backend: 'fast' | 'exact' }): typeof shape | null { return options ? shape : null; }",
  );
});

/** Completes at the `|`: what stands there would become each of `matches`. */
function complete(marked: string): { readonly replaced: string; readonly matches: string[] } {
  const offset = marked.indexOf('|');
  const code = marked.replace('|', '');
  const { start, end, matches } = cells.compiler.complete(code, offset);
  return { replaced: code.slice(start, end), matches: matches.map(({ text }) => text) };
}

describe('completion offers', () => {
  test.for([
    ['members', 'shape.wi|', 'wi', ['width']],
    ['members after a question mark', 'open({ backend: "fast" })?.he|', 'he', ['height']],
    ['members of any script', 'shape.日|', '日', ['日本']],
    ['members of an enum', 'Colour.|', '', ['Blue', 'Red']],
    ['what earlier cells declare', 'doub|', 'doub', ['doubled']],
    ['what this cell declares', "const 変数 = '🧠'; 変数.toUpper|", 'toUpper', ['toUpperCase']],
    ['properties of an argument', 'open({ b|', 'b', ['backend']],
    ['values of an argument', "open({ backend: 'f|' })", 'f', ['fast']],
    ['keys in brackets', "shape['|']", '', ['height', 'odd key', 'width', '日本']],
    ['keys that begin so', "shape['od|']", 'od', ['odd key']],
    ['what can be destructured', 'const { hei| } = shape', 'hei', ['height']],
    ['what a module exports', "import { existsS| } from 'node:fs'", 'existsS', ['existsSync']],
    ['what a local file exports', "import { squ| } from './lib/shapes.ts'", 'squ', ['square']],
    ['modules', "import fs from 'node:fs/|'", '', ['promises']],
    ['modules of import()', "await import('node:fs/|')", '', ['promises']],
    ['what is exported too', 'export const z = doub|', 'doub', ['doubled']],
    ['nothing in text', "'doub|'", '', []],
    ['nothing in a comment', '// doub|', '', []],
    ['nothing that compiled cells use', 'tsLastE|', 'tsLastE', []],
  ] as const)('%s', ([, marked, replaced, matches]) => {
    expect(complete(marked)).toEqual({ replaced, matches });
  });

  test('local files and folders', () => {
    const { matches } = complete("import { near } from './|'");
    expect(matches).toEqual(expect.arrayContaining(['lib', expect.stringMatching(/^near/)]));
  });
});

describe('inspection tells', () => {
  const inspect = (marked: string) => cells.compiler.inspect(marked.replace('|', ''), marked.indexOf('|'));

  test('a function, in its name and its brackets, with its docstring', () => {
    for (const marked of ['dou|bled(1)', 'doubled(|', 'doubled(|)', 'console.log(doubled(|))']) {
      expect(inspect(marked), marked).toMatchObject({
        signature: expect.stringContaining('doubled(length: number): number'),
        documentation: 'Doubles a length, in metres.',
      });
    }
  });

  test('a variable past characters of two units', () => {
    expect(inspect("const s = '🧠🧠'; sha|pe")?.signature).toContain('const shape: {');
  });

  test('nothing where nothing is', () => {
    for (const marked of ['|', '  |  ', '"te|xt"', '12|34', 'i|f']) expect(inspect(marked), marked).toBeNull();
  });
});
