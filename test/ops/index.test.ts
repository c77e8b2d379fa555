import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { opNamed, ops } from '../../src/ops/index.ts';

test('every op has its file, its kernel and its test under one stem', () => {
  for (const name of ops.keys()) {
    for (const path of [`src/ops/${name}.ts`, `kernels/${name}.wgsl`, `test/ops/${name}.test.ts`]) {
      expect(existsSync(new URL(`../../${path}`, import.meta.url)), path).toBe(true);
    }
  }
});

test('an op that is not in the table is refused with the names of those that are', () => {
  expect(() => opNamed('conv2d')).toThrow(/^Cannot find op conv2d; the ops are .*rms_norm/);
});
