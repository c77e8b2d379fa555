import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ops } from '../../src/ops/index.ts';

test('every op has its file, its kernel and its test under one stem', () => {
  for (const name of Object.keys(ops)) {
    for (const path of [`src/ops/${name}.ts`, `kernels/${name}.wgsl`, `test/ops/${name}.test.ts`]) {
      expect(existsSync(new URL(`../../${path}`, import.meta.url)), path).toBe(true);
    }
  }
});

test('no name but an op is found in the table', () => {
  expect(ops.rms_norm?.name).toBe('rms_norm');
  expect(ops.toString).toBeUndefined();
  expect(ops.conv2d).toBeUndefined();
});
