import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cookieValue, isSame, keptSecret, newToken, stateFolder } from '../../../src/lab/server/secret.ts';
import { newFolder } from './lab.ts';

describe('the secret', () => {
  test('is kept in a file that only its user reads, and is the same the next time', async () => {
    const folder = join(newFolder(), 'state');
    const first = await keptSecret(folder);
    expect(first.notKept).toBeUndefined();
    expect((await keptSecret(folder)).key).toEqual(first.key);
    expect([statSync(folder).mode & 0o777, statSync(join(folder, 'lab-secret')).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(cookieValue(first)).not.toContain(first.key.toString('hex'));
  });

  test.each([
    ['others may read', (file: string) => chmodSync(file, 0o644)],
    ['is not whole', (file: string) => writeFileSync(file, 'abcd')],
    ['is empty', (file: string) => writeFileSync(file, '')],
  ])('is made anew where its file %s', async (_, spoil) => {
    const folder = newFolder();
    const before = await keptSecret(folder);
    spoil(join(folder, 'lab-secret'));
    const after = await keptSecret(folder);
    expect(after.key).not.toEqual(before.key);
    expect(statSync(join(folder, 'lab-secret')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'lab-secret'), 'utf8')).toBe(after.key.toString('hex'));
  });

  test('that cannot be kept is told of, and holds while the server runs', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'lab-secret'));
    const { key, notKept } = await keptSecret(folder);
    expect([key.length, notKept]).toEqual([32, expect.stringMatching(/lab-secret cannot be written/)]);
  });
});

test('the state lies where the system keeps such, or where LAYERSCOPE_STATE says', () => {
  expect(stateFolder({ LAYERSCOPE_STATE: '/x' }, 'linux')).toBe('/x');
  expect(stateFolder({ XDG_STATE_HOME: '/state' }, 'linux')).toBe(join('/state', 'layerscope'));
  expect(stateFolder({}, 'linux')).toMatch(/\.local.state.layerscope$/);
  expect(stateFolder({ LOCALAPPDATA: '/local' }, 'win32')).toBe(join('/local', 'layerscope'));
  expect(stateFolder({}, 'darwin')).toMatch(/Library.Application Support.layerscope$/);
});

test('tokens are 192 bits and never the same; texts are compared whole', () => {
  const tokens = Array.from({ length: 100 }, newToken);
  expect(new Set(tokens).size).toBe(100);
  expect(tokens.every((token) => Buffer.from(token, 'base64url').length === 24)).toBe(true);
  expect([isSame('a', 'a'), isSame('a', 'aa'), isSame('', 'a'), isSame(undefined, 'a')]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
