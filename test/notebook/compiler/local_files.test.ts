/** Local files that cells import: TypeScript and JavaScript, as they are now. */
import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { CellsHere } from './cells_here.ts';
import { temporaryFolder } from './temporary_folder.ts';

const root = temporaryFolder();
const folder = join(root, 'notebook');
mkdirSync(folder);
const cells = new CellsHere({ cwd: folder });
afterAll(() => cells.compiler.close());

let seconds = 1_000_000_000;

/** Writes a file, relative to the notebook's folder, that is newer than any before, however fast the test. */
function write(path: string, text: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  utimesSync(file, ++seconds, seconds);
}

beforeEach(() => {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  cells.reset();
});

test.for(["'./a'", "'./a.ts'", "'./a.js'"])('import from %s finds a.ts', async (from) => {
  write('a.ts', 'export const a: number = 1;');
  expect(await cells.run(`import { a } from ${from}; a`)).toBe(1);
  expect(await cells.run(`(await import(${from})).a`)).toBe(1);
});

test('a file is what was saved last, also through another and after it was wrong', async () => {
  write('inner.ts', 'export const inner = 1;');
  write('outer.ts', "import { inner } from './inner.ts'; export const outer = inner + 1;");
  const code = "import { outer } from './outer.ts'; outer";
  expect(await cells.run(code)).toBe(2);
  write('inner.ts', 'export const inner = 10;');
  expect(await cells.run(code)).toBe(11);
  write('inner.ts', "export const inner: number = 'ten';");
  expect(cells.diagnostics(code)).toMatchObject([
    {
      file: expect.stringMatching(/inner\.ts$/),
      line: 1,
      column: 14,
      code: 2322,
      text: "export const inner: number = 'ten';",
    },
  ]);
  write('inner.ts', 'export const inner = 20;');
  expect(await cells.run(code)).toBe(21);
});

test('a file that was not changed runs once', async () => {
  write(
    'counted.ts',
    'declare global { var timesRun: number } globalThis.timesRun = (globalThis.timesRun ?? 0) + 1; export {};',
  );
  await cells.run("import './counted.ts';", "import './counted.ts'; 1", "await import('./counted.ts')");
  expect(await cells.run('globalThis.timesRun')).toBe(1);
});

test('files import each other in a circle', async () => {
  write(
    'even.ts',
    "import { odd } from './odd.ts'; export const even = (n: number): boolean => n === 0 || odd(n - 1);",
  );
  write(
    'odd.ts',
    "import { even } from './even.ts'; export const odd = (n: number): boolean => n !== 0 && even(n - 1);",
  );
  expect(await cells.run("import { even } from './even.ts'; [even(4), even(5)]")).toEqual([true, false]);
});

test('a file may await at its top, and is waited for', async () => {
  write('slow.ts', 'export const slow = await new Promise<number>((resolve) => setTimeout(() => resolve(3), 5));');
  write('user.ts', "import { slow } from './slow.ts'; export const twice = 2 * slow;");
  expect(await cells.run("import { twice } from './user.ts'; twice")).toBe(6);
});

test('a file of a folder above, or deep below, is found', async () => {
  write('../above.ts', 'export const above = 1;');
  write('a/b/index.ts', "import { above } from '../../../above.ts'; export const deep = above + 1;");
  expect(await cells.run("import { above } from '../above.ts'; import { deep } from './a/b'; above + deep")).toBe(3);
});

test('each way to export comes through', async () => {
  write('other.ts', 'export const one = 1; export const two = 2;');
  write(
    'ways.ts',
    "export * from './other.ts'; export { two as zwei } from './other.ts'; export * as other from './other.ts'; export default class Way { at = 3; } export enum Kind { A = 4 } export let counter = 5; export const bump = () => counter++;",
  );
  expect(
    await cells.run(
      "import Way, { one, zwei, other, Kind, counter, bump } from './ways.ts'; import * as ways from './ways.ts'; bump(); [one, zwei, other.two, new Way().at, Kind.A, ways.counter]",
    ),
  ).toEqual([1, 2, 2, 3, 4, 6]);
});

describe('JavaScript', () => {
  test('of ES modules', async () => {
    write('es.js', 'export const name = import.meta.url.split("/").at(-1); export default 7;');
    expect(await cells.run("import seven, { name } from './es.js'; [seven, name]")).toEqual([7, 'es.js']);
  });

  test('of CommonJS, with its own names', async () => {
    write(
      'common.js',
      "const { sep } = require('node:path'); module.exports = { sep, here: __dirname, file: __filename };",
    );
    expect(await cells.run("import common from './common.js'; [common.sep, common.here, common.file]")).toEqual([
      '/',
      folder,
      join(folder, 'common.js'),
    ]);
  });

  test('of the extension .mjs', async () => {
    write('module.mjs', 'export const m = 8;');
    expect(await cells.run("import { m } from './module.mjs'; m", "(await import('./module.mjs')).m")).toBe(8);
  });
});

test('JSON is read again when it has changed', async () => {
  write('data.json', '{ "a": 1 }');
  const code =
    "import data from './data.json'; const { default: again, a } = await import('./data.json'); [data.a, again.a, a]";
  expect(await cells.run(code)).toEqual([1, 1, 1]);
  write('data.json', '{ "a": 2 }');
  expect(await cells.run(code)).toEqual([2, 2, 2]);
});

test('import.meta and __dirname name the folder', async () => {
  write('where.ts', 'export const where = [import.meta.dirname, import.meta.filename, __dirname];');
  expect(await cells.run("import { where } from './where.ts'; where")).toEqual([
    folder,
    join(folder, 'where.ts'),
    folder,
  ]);
  expect(await cells.run('[import.meta.dirname, __dirname, new URL(".", import.meta.url).pathname]')).toEqual([
    folder,
    folder,
    `${folder}/`,
  ]);
  expect(await cells.run("[import.meta.resolve('fs'), import.meta.resolve('./x.ts')]")).toEqual([
    'node:fs',
    `file://${folder}/x.ts`,
  ]);
});

test('a module that appears after its import failed is found', async () => {
  const code = "import { late } from './late.ts'; late";
  expect(cells.diagnostics(code)).toMatchObject([{ line: 1, column: 22, code: 2307 }]);
  write('late.ts', 'export const late = 1;');
  expect(await cells.run(code)).toBe(1);
  rmSync(join(folder, 'late.ts'));
  expect(cells.diagnostics(code)).toMatchObject([{ code: 2307 }]);
});

test('a package that is installed after its import failed is found', async () => {
  const code = "import { p } from 'late-package'; p";
  expect(cells.diagnostics(code)).toMatchObject([{ code: 2307 }]);
  write(
    'node_modules/late-package/package.json',
    '{ "name": "late-package", "type": "module", "main": "index.js", "types": "index.d.ts" }',
  );
  write('node_modules/late-package/index.d.ts', 'export declare const p: number;');
  write('node_modules/late-package/index.js', 'export const p = 9;');
  expect(await cells.run(code)).toBe(9);
});

test('what a file throws is thrown again until it is mended', async () => {
  write('bad.ts', "throw new Error('bad file'); export const x = 1;");
  const code = "import { x } from './bad.ts'; x";
  await expect(cells.run(code)).rejects.toThrow('bad file');
  await expect(cells.run(code)).rejects.toThrow('bad file');
  write('bad.ts', 'export const x = 1;');
  expect(await cells.run(code)).toBe(1);
});

test('a file that becomes one that nobody can open is told, and harms no other cell', async () => {
  write('looped.ts', 'export const looped = 1;');
  const code = "import { looped } from './looped.ts'; looped";
  expect(await cells.run(code)).toBe(1);
  rmSync(join(folder, 'looped.ts'));
  symlinkSync('looped.ts', join(folder, 'looped.ts'));
  expect(cells.diagnostics(code)).toMatchObject([{ code: 2307 }]);
  expect(await cells.run('1 + 1')).toBe(2);
});
