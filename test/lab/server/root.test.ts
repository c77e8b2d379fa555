/** Paths taken apart: the forms of every system, whichever runs the test. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LayerscopeError } from '../../../src/errors.ts';
import { namesIn, Root } from '../../../src/lab/server/root.ts';
import { newFolder } from './lab.ts';

const reasonOf = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return (error as { reason?: string }).reason;
  }
};

describe.each(['linux', 'win32'] as const)('on %s', (platform) => {
  test.each([
    ['', []],
    ['/', []],
    ['a.ipynb', ['a.ipynb']],
    ['/sub/a b.ipynb/', ['sub', 'a b.ipynb']],
    ['a..b/c', ['a..b', 'c']],
    ['日本.txt', ['日本.txt']],
  ])('%j is %j', (path, names) => {
    expect(namesIn(path, platform)).toEqual(names);
  });

  test.each([
    '..',
    '../a',
    'a/..',
    'a/../b',
    '.',
    './a',
    'a//b',
    'a\\b',
    '..\\a',
    '\\\\server\\share',
    'C:\\a',
    'a\0.png',
  ])('%j is refused', (path) => {
    expect(reasonOf(() => namesIn(path, platform))).toBe('path');
  });

  test.each(['.git', 'a/.ssh/id', '.env', '..a', 'x.arrow.0123abcd.partial'])('%j is hidden', (path) => {
    expect(reasonOf(() => namesIn(path, platform))).toBe('missing');
  });
});

test.each([
  ...['C:', 'C:/Windows', 'a.txt:stream', 'a.txt::$DATA', 'CON', 'con.txt', 'sub/NUL', 'aux.ipynb', 'COM1', 'lpt9.log'],
  ...['COM¹', 'conin$', 'a.', 'a ', 'a/b. ', 'a?b', 'a*b', 'a|b', '"a"', '<a>'],
])('%j is no name on Windows; elsewhere it may be one', (path) => {
  expect(reasonOf(() => namesIn(path, 'win32'))).toBe('path');
  expect(namesIn(path, 'linux').join('/')).toBe(path);
});

test('a root that is no folder is told', async () => {
  const folder = newFolder({ 'a.txt': '' });
  await expect(Root.open(join(folder, 'gone'))).rejects.toThrow(
    /^Cannot open the lab on .*gone: there is no such folder/,
  );
  await expect(Root.open(join(folder, 'a.txt'))).rejects.toThrow(LayerscopeError);
});

test('links are followed within the folder, and not out of it, wherever in the path they stand', async () => {
  const outer = newFolder({ 'lab/real/a.txt': '', 'secret.txt': '' });
  const lab = join(outer, 'lab');
  symlinkSync('real', join(lab, 'inside'));
  symlinkSync('../..', join(lab, 'real/up'));
  symlinkSync(outer, join(lab, 'out'));
  symlinkSync('loop', join(lab, 'loop'));
  mkdirSync(join(lab, 'sub'));
  symlinkSync(`${lab}/real`, join(outer, 'door'));
  const root = await Root.open(join(outer, 'door', '..', 'lab'));
  expect(await root.locate('inside/a.txt')).toMatchObject({ path: 'inside/a.txt', name: 'a.txt' });
  expect(relative(root.folder, (await root.locate('sub/new/file.txt')).file)).toBe(join('sub', 'new', 'file.txt'));
  for (const path of [
    'real/up/secret.txt',
    'out/secret.txt',
    'out',
    'out/new.txt',
    'inside/up/secret.txt',
    'loop',
    'loop/a',
  ]) {
    await expect(root.locate(path), path).rejects.toMatchObject({ status: 403, reason: 'path' });
  }
});
