/** The linter and the type checker, over everything: what they find fails the tests. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

function output(script: string, ...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, ...args], { cwd: root, encoding: 'utf8' });
  return status === 0 ? '' : stdout + stderr;
}

test('the linter and formatter find nothing', () => {
  expect(output('node_modules/@biomejs/biome/bin/biome', 'check', '--colors=off', '.')).toBe('');
}, 60_000);

test('the type checker finds nothing', () => {
  expect(output('node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json')).toBe('');
}, 120_000);
