/** A compiler in which TypeScript itself has failed, in the middle of a program. */
import { afterAll, expect, test, vi } from 'vitest';
import { typescript } from '../../../src/notebook/compiler/typescript.ts';
import { CellsHere } from './cells_here.ts';

const { fileExists } = typescript.sys;
const seen = vi.spyOn(typescript.sys, 'fileExists').mockImplementation(fileExists);
const cells = new CellsHere();
afterAll(() => cells.compiler.close());

test('what failed is thrown, and the next cell compiles with all that was declared', async () => {
  await cells.run('const kept = 1;');
  for (const code of ["import './a-file-that-nobody-has.ts';", "import './nor-this.ts';"]) {
    seen.mockImplementation(() => {
      throw new Error('the disk is gone');
    });
    expect(() => cells.compiler.compile(code)).toThrow('the disk is gone');
  }
  seen.mockImplementation(fileExists);
  expect(await cells.run('kept + 1')).toBe(2);
});

test('a cell that is too deep for it is thrown at, and the next one compiles', async () => {
  expect(() => cells.compiler.compile(`${'['.repeat(20_000)}${']'.repeat(20_000)}`)).toThrow(/call stack/);
  expect(await cells.run('2 + 1')).toBe(3);
});
