/** Files on disk: ranges come back as they are, and each thing that is no readable file is one clear error. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LayerscopeError } from '../../src/errors.ts';
import { openFile } from '../../src/node/files.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'layerscope-files-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function put(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

test('a range is read as it is in the file', async () => {
  const source = await openFile(
    put(
      'ten',
      Uint8Array.from({ length: 10 }, (_, i) => i),
    ),
  );
  expect(source.size).toBe(10);
  expect([...(await source.read(3, 4))]).toEqual([3, 4, 5, 6]);
  expect([...(await source.read(10, 0))]).toEqual([]);
  await source.close();
});

test('a range that is not inside the file is refused', async () => {
  const path = put('short', 'abc');
  const source = await openFile(path);
  await expect(source.read(2, 2)).rejects.toThrow(`Cannot read ${path}: bytes 2 to 4 were asked for; it has 3`);
  await expect(source.read(-1, 2)).rejects.toThrow(LayerscopeError);
  await expect(source.read(Number.NaN, 2)).rejects.toThrow(LayerscopeError);
  await source.close();
});

test('a file that became shorter after it was opened is said, not padded', async () => {
  const path = put('shrinking', 'abcdef');
  const source = await openFile(path);
  truncateSync(path, 3);
  await expect(source.read(0, 6)).rejects.toThrow('it had 6 bytes when opened and now ends at 3');
  await source.close();
});

test('a file that was closed is said, and closing twice does nothing', async () => {
  const source = await openFile(put('closed', 'abc'));
  await source.close();
  await source.close();
  await expect(source.read(0, 1)).rejects.toThrow('it was closed; open it again');
});

test('what is no readable file is refused with its path, the reason and the cure', async () => {
  const inside = (name: string) => join(folder, name);
  mkdirSync(inside('directory'));
  put('empty', '');
  put('plain', 'x');
  symlinkSync('circle', inside('circle'));
  execFileSync('mkfifo', [inside('pipe')]);
  const cases = {
    directory: 'it is a directory; give the path of a file',
    empty: 'it is empty; copy or download it again',
    missing: 'there is no such file; check the path',
    'plain/below': 'a part of its path is a file, not a directory; check the path',
    circle: 'it is a link that leads back to itself; remove the link',
    pipe: 'it is a device or a pipe; give the path of a file',
  };
  for (const [name, reason] of Object.entries(cases)) {
    const error = await openFile(inside(name)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LayerscopeError);
    expect((error as LayerscopeError).file).toBe(inside(name));
    expect((error as LayerscopeError).message).toBe(`Cannot read ${inside(name)}: ${reason}`);
  }
});
