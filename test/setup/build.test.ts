import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { orphans, sourceHash } from '../../src/setup/build.mjs';

let folder: string;
let root: URL;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'layerscope-build-'));
  root = pathToFileURL(`${folder}/`);
  await mkdir(join(folder, 'src/ops'), { recursive: true });
  for (const name of ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'src/ops/rope.ts', 'src/notes.md']) {
    writeFileSync(join(folder, name), name);
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

test('the hash changes with a source, its name or the lockfile, and with nothing else', async () => {
  const before = await sourceHash(root);
  writeFileSync(join(folder, 'src/notes.md'), 'changed');
  expect(await sourceHash(root)).toBe(before);

  writeFileSync(join(folder, 'src/ops/rope.ts'), 'changed');
  const edited = await sourceHash(root);
  writeFileSync(join(folder, 'src/added.ts'), '');
  const added = await sourceHash(root);
  writeFileSync(join(folder, 'package-lock.json'), 'changed');
  expect(new Set([before, edited, added, await sourceHash(root)]).size).toBe(4);
});

test("what the lab's page is bundled from is in the hash; styles of others are not", async () => {
  await mkdir(join(folder, 'src/lab/page'), { recursive: true });
  await mkdir(join(folder, 'kernels'));
  const hashes = new Set([await sourceHash(root)]);
  for (const name of ['src/lab/page/map.tsx', 'src/lab/page/map.css', 'src/lab/bundle.mjs', 'kernels/rope.wgsl']) {
    writeFileSync(join(folder, name), name);
    hashes.add(await sourceHash(root));
  }
  expect(hashes.size).toBe(5);
  writeFileSync(join(folder, 'src/ops/page.css'), '');
  hashes.add(await sourceHash(root));
  expect(hashes.size).toBe(5);
});

test('compiled files without a source are orphans; other files in dist are not', () => {
  const compiled = [
    '.tsbuildinfo',
    'lab/page/main.js',
    'gone.d.ts',
    'gone.js',
    'gone.js.map',
    'ops',
    'ops/rope.d.ts',
    'ops/rope.js',
  ];
  expect(orphans(compiled, ['ops', 'ops/rope.ts', 'setup/run.mjs'])).toEqual(['gone.d.ts', 'gone.js', 'gone.js.map']);
});
