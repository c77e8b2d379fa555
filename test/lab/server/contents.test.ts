/** Files and notebooks as `@jupyterlab/services` asks for them, and what goes wrong with them on a disk. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Contents, ServerConnection } from '@jupyterlab/services';
import { describe, expect, onTestFinished, test } from 'vitest';
import { asOther } from '../../file_modes.ts';
import { newFolder, newLab, notebookText, type TestLab } from './lab.ts';

const isRoot = process.getuid?.() === 0;

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

const put = (lab: TestLab, path: string, body: object) =>
  lab.ask(`/api/contents/${path}`, { method: 'PUT', body: JSON.stringify(body) });

const text = (content: string, more: object = {}) => ({ type: 'file', format: 'text', content, ...more });

/** The refusal that a promise of the services ends with. */
async function refused(promise: Promise<unknown>): Promise<{ status: number; message: string }> {
  const error = (await promise.then(
    () => undefined,
    (error: unknown) => error,
  )) as ServerConnection.ResponseError;
  return { status: error.response.status, message: error.message };
}

describe('a list', () => {
  test('shows folders, notebooks and files with their types, and no hidden ones', async () => {
    const files = {
      'b.ipynb': notebookText(),
      'a.txt': 'x',
      'sub/c.md': '',
      '.hidden': '',
      'x.arrow.0a1b2c3d.partial': '',
    };
    const lab = await newLab(newFolder(files));
    const { content, format, type } = await lab.contents.get('');
    const shown = (content as Contents.IModel[]).map(({ name, path, type, size }) => [name, path, type, size]);
    expect([type, format]).toEqual(['directory', 'json']);
    expect(shown).toEqual([
      ['a.txt', 'a.txt', 'file', 1],
      ['b.ipynb', 'b.ipynb', 'notebook', notebookText().length],
      ['sub', 'sub', 'directory', null],
    ]);
    expect((await lab.contents.get('sub')).content).toMatchObject([{ path: 'sub/c.md', mimetype: 'text/markdown' }]);
  });

  test('takes names that need care in an address', async () => {
    const names = ['a b.txt', 'ä#1.txt', '50%.txt', 'what?.txt', "it's & co.txt", '日本.txt'];
    const lab = await newLab(newFolder(Object.fromEntries(names.map((name) => [`ö #/${name}`, name]))));
    for (const name of names) expect((await lab.contents.get(`ö #/${name}`)).content).toBe(name);
  });
});

describe('a notebook', () => {
  const source = 'const a = 1;\na + 1';

  test('comes with whole texts, and is saved as Jupyter saves it: what nobody changed stays to the byte', async () => {
    for (const name of ['01_first_look.ipynb', '13_one_layer_sums.ja.ipynb']) {
      const original = readFileSync(fileURLToPath(new URL(`../../../notebooks/${name}`, import.meta.url)), 'utf8');
      const lab = await newLab(newFolder({ [name]: original }));
      const { content, format, hash } = await lab.contents.get(name, { content: true, hash: true });
      expect([format, hash]).toEqual(['json', sha256(original)]);
      const { cells } = content as { cells: { source: unknown; outputs?: { text?: unknown }[] }[] };
      expect(cells.every(({ source }) => typeof source === 'string')).toBe(true);
      await lab.contents.save(name, { type: 'notebook', format: 'json', content });
      expect(readFileSync(join(lab.folder, name), 'utf8')).toBe(original);
    }
  });

  test('keeps what we do not know: other kernels, other metadata, widgets; what a file says of trust is dropped', async () => {
    const cell = { cell_type: 'code', id: 'a', source, outputs: [], execution_count: 3 };
    const other = {
      nbformat: 4,
      nbformat_minor: 4,
      unknown: 1,
      metadata: { kernelspec: { name: 'python3' }, widgets: { x: 1 } },
    };
    const lab = await newLab();
    const cells = [{ ...cell, metadata: { trusted: true, tags: ['t'] } }];
    await lab.contents.save('o.ipynb', { type: 'notebook', format: 'json', content: { ...other, cells } });
    const onDisk = JSON.parse(readFileSync(join(lab.folder, 'o.ipynb'), 'utf8'));
    expect(onDisk).toEqual({
      ...other,
      cells: [{ ...cell, metadata: { tags: ['t'] }, source: ['const a = 1;\n', 'a + 1'] }],
    });
    writeFileSync(join(lab.folder, 'o.ipynb'), JSON.stringify({ ...other, cells }));
    expect((await lab.contents.get('o.ipynb')).content).toEqual({
      ...other,
      cells: [{ ...cell, metadata: { tags: ['t'] } }],
    });
  });

  test.each([
    ['is not JSON', '{"cells": [', /is not JSON/],
    ['holds a merge conflict', '{\n<<<<<<< HEAD\n', /merge conflict/],
    ['is of an old format', '{"nbformat": 3, "worksheets": []}', /nbformat 3.*jupyter nbconvert/],
    ['is another JSON', '{"a": 1}', /no notebook/],
  ])('that %s is refused, by name and with the cure; as text it opens', async (_, content, message) => {
    const lab = await newLab(newFolder({ 'broken.ipynb': content }));
    const { status, message: told } = await refused(lab.contents.get('broken.ipynb'));
    expect([status, told]).toEqual([400, expect.stringMatching(message)]);
    expect(told).toMatch(/^Cannot read broken\.ipynb: /);
    expect((await lab.contents.get('broken.ipynb', { type: 'file', format: 'text', content: true })).content).toBe(
      content,
    );
  });

  test('that is none is not saved over one', async () => {
    const lab = await newLab(newFolder({ 'a.ipynb': notebookText(source) }));
    for (const content of [null, 'text', {}, { nbformat: 4, cells: {} }, { nbformat: 4, cells: [1] }]) {
      expect((await put(lab, 'a.ipynb', { type: 'notebook', format: 'json', content })).status).toBe(400);
    }
    expect(readFileSync(join(lab.folder, 'a.ipynb'), 'utf8')).toBe(notebookText(source));
  });
});

describe('a save', () => {
  test('over a file that changed on disk is refused with 409 where the page says what it read', async () => {
    const lab = await newLab(newFolder({ 'a.txt': 'first' }));
    const { hash } = await lab.contents.get('a.txt', { content: true, hash: true });
    writeFileSync(join(lab.folder, 'a.txt'), 'by another program');
    const late = await put(lab, 'a.txt', text('mine', { hash }));
    expect([late.status, late.json()]).toEqual([
      409,
      {
        reason: 'changed',
        message: expect.stringMatching(/^Cannot save a\.txt: it was changed by another .*; reload it, or save under/),
      },
    ]);
    expect(readFileSync(join(lab.folder, 'a.txt'), 'utf8')).toBe('by another program');
    const again = await put(lab, 'a.txt', text('mine', { hash: sha256('by another program') }));
    expect([again.status, again.json().hash]).toEqual([200, sha256('mine')]);
  });

  test('from two tabs at once: one is written, the other is told', async () => {
    const lab = await newLab(newFolder({ 'a.txt': 'first' }));
    const hash = sha256('first');
    const statuses = await Promise.all(['one', 'two'].map((content) => put(lab, 'a.txt', text(content, { hash }))));
    expect(statuses.map(({ status }) => status).sort()).toEqual([200, 409]);
  });

  test('of bytes in base64 writes those bytes; what is no base64 is refused', async () => {
    const lab = await newLab();
    const bytes = Buffer.from([0, 255, 1, 254]);
    const saved = await put(lab, 'a.bin', { type: 'file', format: 'base64', content: bytes.toString('base64') });
    expect([saved.status, readFileSync(join(lab.folder, 'a.bin'))]).toEqual([201, bytes]);
    expect(await lab.contents.get('a.bin')).toMatchObject({ format: 'base64', content: 'AP8B/g==' });
    expect((await put(lab, 'a.bin', { type: 'file', format: 'base64', content: '<not base64>' })).status).toBe(400);
    expect((await refused(lab.contents.get('a.bin', { type: 'file', format: 'text', content: true }))).message).toMatch(
      /not UTF-8; download/,
    );
  });

  test('keeps the permissions of the file', async () => {
    const lab = await newLab(newFolder({ 'a.sh': '' }));
    chmodSync(join(lab.folder, 'a.sh'), 0o750);
    await lab.contents.save('a.sh', text('#!/bin/sh') as Partial<Contents.IModel>);
    expect(statSync(join(lab.folder, 'a.sh')).mode & 0o777).toBe(0o750);
  });

  test('to a file that vanished makes it again; into a folder that vanished says so', async () => {
    const lab = await newLab(newFolder({ 'sub/a.txt': 'x' }));
    rmSync(join(lab.folder, 'sub/a.txt'));
    expect((await put(lab, 'sub/a.txt', text('mine', { hash: sha256('x') }))).status).toBe(201);
    rmSync(join(lab.folder, 'sub'), { recursive: true });
    const { status, message } = await refused(lab.contents.save('sub/a.txt', text('mine') as Partial<Contents.IModel>));
    expect([status, message]).toEqual([
      404,
      expect.stringMatching(/^Cannot save sub\/a\.txt: there is no such file or folder; /),
    ]);
  });

  test('into a read-only folder is refused with 403 and the cure, and the file stays', async () => {
    const lab = await newLab(newFolder({ 'sub/a.txt': 'x' }));
    const sub = join(lab.folder, 'sub');
    chmodSync(lab.folder, 0o755);
    chmodSync(sub, 0o555);
    onTestFinished(() => chmodSync(sub, 0o755));
    const { status, message } = await asOther(() =>
      refused(lab.contents.save('sub/a.txt', text('y') as Partial<Contents.IModel>)),
    );
    expect([status, message]).toEqual([
      403,
      expect.stringMatching(/^Cannot save sub\/a\.txt: this user may not; change/),
    ]);
    expect(readFileSync(join(sub, 'a.txt'), 'utf8')).toBe('x');
  });

  test('onto a full or a read-only disk is refused, and the file stays', async (context) => {
    if (!isRoot) context.skip('skipped: only root may mount a small disk');
    const folder = newFolder();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    } catch {
      context.skip('skipped: this container may not mount a file system');
    }
    onTestFinished(() => void execFileSync('umount', ['-l', folder]));
    writeFileSync(join(folder, 'a.txt'), 'x');
    const lab = await newLab(folder);
    const { status, message } = await refused(
      lab.contents.save('a.txt', text('y'.repeat(1e6)) as Partial<Contents.IModel>),
    );
    expect([status, message]).toEqual([507, 'Cannot save a.txt: the disk is full; make room, then try again']);
    expect([readFileSync(join(folder, 'a.txt'), 'utf8'), readdirSync(folder)]).toEqual(['x', ['a.txt']]);
    execFileSync('mount', ['-o', 'remount,ro', folder]);
    const readOnly = await refused(lab.contents.save('a.txt', text('y') as Partial<Contents.IModel>));
    expect(readOnly).toEqual({
      status: 403,
      message: 'Cannot save a.txt: that disk is read-only; use another folder',
    });
  });
});

describe('a new file', () => {
  test('takes the first name that is free; a new notebook is ours', async () => {
    const lab = await newLab();
    const made = [];
    for (const options of [
      { type: 'notebook' },
      { type: 'notebook' },
      { type: 'file', ext: '.md' },
      { type: 'directory' },
      { type: 'directory' },
    ]) {
      made.push((await lab.contents.newUntitled(options as Contents.ICreateOptions)).path);
    }
    expect(made).toEqual(['Untitled.ipynb', 'Untitled1.ipynb', 'untitled.md', 'Untitled Folder', 'Untitled Folder 1']);
    expect((await lab.contents.get('Untitled.ipynb')).content).toMatchObject({
      ...{ nbformat: 4, nbformat_minor: 5, cells: [] },
      metadata: { kernelspec: { name: 'layerscope', language: 'typescript' } },
    });
  });

  test('is copied, renamed and deleted, its checkpoint with it; nothing is replaced on the way', async () => {
    const lab = await newLab(newFolder({ 'a.txt': 'a', 'b.txt': 'b' }));
    const { contents } = lab;
    expect((await contents.copy('a.txt', '')).path).toBe('a-Copy1.txt');
    expect((await contents.copy('a.txt', '')).path).toBe('a-Copy2.txt');
    await contents.createCheckpoint('a.txt');
    expect(await refused(contents.rename('a.txt', 'b.txt'))).toMatchObject({ status: 409 });
    expect((await contents.rename('a.txt', 'c.txt')).path).toBe('c.txt');
    expect(await contents.listCheckpoints('c.txt')).toHaveLength(1);
    await contents.delete('c.txt');
    expect(readdirSync(lab.folder).sort()).toEqual(['.ipynb_checkpoints', 'a-Copy1.txt', 'a-Copy2.txt', 'b.txt']);
    expect(readdirSync(join(lab.folder, '.ipynb_checkpoints'))).toEqual([]);
    expect((await refused(contents.delete('c.txt'))).status).toBe(404);
  });

  test('in a folder goes with it only when it was deleted before', async () => {
    const lab = await newLab(newFolder({ 'sub/a.txt': 'a' }));
    await lab.contents.createCheckpoint('sub/a.txt');
    expect(await refused(lab.contents.delete('sub'))).toEqual({
      status: 409,
      message: 'Cannot delete sub: the folder is not empty; delete what is in it first',
    });
    await lab.contents.delete('sub/a.txt');
    await lab.contents.delete('sub');
    expect(existsSync(join(lab.folder, 'sub'))).toBe(false);
    expect((await lab.ask('/api/contents', { method: 'DELETE' })).status).toBe(400);
  });
});

test('a checkpoint brings a file back as it was', async () => {
  const lab = await newLab(newFolder({ 'a.ipynb': notebookText('1') }));
  const { id } = await lab.contents.createCheckpoint('a.ipynb');
  writeFileSync(join(lab.folder, 'a.ipynb'), notebookText('2'));
  expect(await lab.contents.listCheckpoints('a.ipynb')).toMatchObject([{ id }]);
  await lab.contents.restoreCheckpoint('a.ipynb', id);
  expect(readFileSync(join(lab.folder, 'a.ipynb'), 'utf8')).toBe(notebookText('1'));
  await lab.contents.deleteCheckpoint('a.ipynb', id);
  expect(await lab.contents.listCheckpoints('a.ipynb')).toEqual([]);
  expect((await refused(lab.contents.restoreCheckpoint('a.ipynb', 'other'))).status).toBe(404);
});

describe('an upload in pieces', () => {
  const piece = (chunk: number, content: string) => text(content, { chunk });

  test('appears whole after its last piece, and not before', async () => {
    const lab = await newLab();
    expect((await put(lab, 'm.gguf', piece(1, 'GG'))).status).toBe(201);
    expect((await put(lab, 'm.gguf', piece(2, 'UF'))).status).toBe(201);
    expect((await lab.contents.get('')).content).toEqual([]);
    expect((await put(lab, 'm.gguf', piece(-1, '!'))).json()).toMatchObject({ path: 'm.gguf', size: 5 });
    expect(readFileSync(join(lab.folder, 'm.gguf'), 'utf8')).toBe('GGUF!');
  });

  test('whose pieces come out of turn, or beside another upload, is refused', async () => {
    const lab = await newLab();
    const reason = async (chunk: number) => (await put(lab, 'm', piece(chunk, 'x'))).json().reason;
    expect(await reason(2)).toBe('changed');
    expect(await reason(-1)).toBe('changed');
    expect(await reason(1)).toBeUndefined();
    expect(await reason(3)).toBe('changed');
    expect(await reason(1)).toBe('changed');
    await lab.lab.close();
    expect(readdirSync(lab.folder)).toEqual([]);
  });
});

test('a file of 4 GB is not read whole, and its list costs nothing', async () => {
  const lab = await newLab(newFolder({ 'large.gguf': '' }));
  truncateSync(join(lab.folder, 'large.gguf'), 4e9);
  expect(await lab.contents.get('large.gguf', { content: false, hash: true })).toMatchObject({ size: 4e9, hash: null });
  const { status, message } = await refused(lab.contents.get('large.gguf'));
  expect([status, message]).toEqual([
    413,
    expect.stringMatching(/^Cannot open large\.gguf: it has 4000 MB, .*inspector/),
  ]);
});

test('a pipe in the folder is no file', async () => {
  const lab = await newLab();
  mkdirSync(join(lab.folder, 'sub'));
  execFileSync('mkfifo', [join(lab.folder, 'pipe')]);
  expect((await refused(lab.contents.get('pipe'))).message).toMatch(/it is a device or a pipe/);
  expect((await put(lab, 'pipe', text('x'))).json().message).toMatch(
    /^Cannot (save|write) .*pipe.*: it is a device or a pipe/,
  );
  expect((await lab.ask('/files/pipe')).status).toBe(400);
});
