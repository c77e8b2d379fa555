import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { differingPackages, ensurePackages } from '../../src/setup/packages.mjs';

const locked = {
  '': { version: '0.1.0' },
  'node_modules/a': { version: '1.0.0' },
  'node_modules/b-darwin': { version: '2.0.0', optional: true },
};

test('an installation as locked differs in nothing, and needs no package meant for another system', () => {
  expect(differingPackages(locked, { 'node_modules/a': { version: '1.0.0' } })).toEqual([]);
});

test('a missing, another or a left-over package makes the installation differ', () => {
  expect(differingPackages(locked, {})).toEqual(['node_modules/a']);
  expect(differingPackages(locked, { 'node_modules/a': { version: '1.0.1' } })).toEqual(['node_modules/a']);
  const leftOver = { 'node_modules/a': { version: '1.0.0' }, 'node_modules/c': { version: '1.0.0' } };
  expect(differingPackages(locked, leftOver)).toEqual(['node_modules/c']);
});

test('packages that are linked in from elsewhere are left alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-linked-'));
  try {
    const [root, shared] = [join(folder, 'root'), join(folder, 'shared')];
    mkdirSync(root);
    mkdirSync(join(shared, 'a'), { recursive: true });
    symlinkSync(shared, join(root, 'node_modules'));
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: locked }));
    await expect(ensurePackages(pathToFileURL(`${root}/`), () => {})).rejects.toThrow('node_modules is a link');
    expect(existsSync(join(shared, 'a'))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
