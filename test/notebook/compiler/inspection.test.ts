/** What hover says of a name. */
import { afterAll, expect, test } from 'vitest';
import { CellsHere } from './cells_here.ts';

const { compiler } = new CellsHere();
afterAll(() => compiler.close());

test('an imported name is told by what it is, not by how it came', () => {
  const code = "import { basename } from 'node:path';\nbasename('a/b')";
  const { signature, documentation } = compiler.inspect(code, code.indexOf("('a")) ?? {
    signature: '',
    documentation: '',
  };
  expect(signature).toBe('basename(path: string, suffix?: string): string');
  expect(documentation).toMatch(/^Return the last portion of a path\./);
});

test('a name that nothing knows has no hover', () => {
  expect(compiler.inspect('nobody', 3)).toBe(null);
});
