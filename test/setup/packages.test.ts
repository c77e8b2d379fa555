import { expect, test } from 'vitest';
import { differingPackages } from '../../src/setup/packages.mjs';

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
