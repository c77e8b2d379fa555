import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { readDump } from '../../src/node/dump.ts';
import { npy, npz } from '../trace/dumps/npy_bytes.ts';
import { expectSame, Folder, littleEndian, TOKENS, type Traced, traced } from '../trace/dumps/traced.ts';

let run: Traced;
let folder: Folder;
beforeAll(async () => {
  run = await traced();
});
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder.remove());

test.for<[what: string, content: Uint8Array | string, message: string]>([
  ['a model', 'GGUF\x03\x00\x00\x00', 'it is a model, not a dump of its run; give the dump, and this as its model'],
  ['bytes of nothing known', Uint8Array.from([0, 1, 2, 255, 9, 9, 9, 9, 9]), 'it begins with bytes 00 01 02 ff'],
  ['a text of nothing known', 'hello\n', 'it begins with "hello\\n"'],
])('%s is refused with what was found and what is known', async ([, content, message]) => {
  const path = folder.file('x.bin', content);
  await expect(readDump(path)).rejects.toThrow(message);
  await expect(readDump(path)).rejects.toThrow(/known are logs of llama-eval-callback.*and tables of sums/);
});

test('a path that is not there says so', async () => {
  await expect(readDump(join(folder.path, 'no.npz'))).rejects.toThrow('there is no such file; check the path');
});

test('an empty folder holds no tensors, and folders and empty files in one are listed', async () => {
  await expect(readDump(folder.path)).rejects.toThrow(
    /^Cannot read .*: it holds no tensors; give its model and tokens/,
  );
  mkdirSync(join(folder.path, 'more'));
  folder.file('empty.f32', '');
  const embd = run.tensors.get('embd')!;
  folder.file('embd.npy', npy(embd.shape, littleEndian(embd)));
  const trace = await readDump(folder.path, { model: run.model, tokens: TOKENS });
  await expectSame(trace, run, ['embd']);
  expect(trace.manifest.notRead).toEqual([
    { name: 'empty.f32', why: 'it is empty; copy or download it again' },
    { name: 'more', why: 'it is a folder' },
  ]);
});

test('formats may be mixed in a folder', async () => {
  const [embd, norm, up] = ['embd', 'attn_norm-0', 'ffn_up-0'].map((name) => run.tensors.get(name)!);
  folder.file('embd.f32', littleEndian(embd!));
  folder.file('attn_norm-0.npy', npy(norm!.shape, littleEndian(norm!)));
  folder.file('more.npz', npz({ 'ffn_up-0.npy': npy(up!.shape, littleEndian(up!)) }, true));
  const trace = await readDump(folder.path, { model: run.model, tokens: TOKENS });
  await expectSame(trace, run, ['embd', 'attn_norm-0', 'ffn_up-0']);
});

test('names are given by their owner, or kept as they are', async () => {
  const embd = run.tensors.get('embd')!;
  folder.file('first.npy', npy(embd.shape, littleEndian(embd)));
  const named = await readDump(folder.path, { model: run.model, tokens: TOKENS, names: { first: 'hook_embed' } });
  await expectSame(named, run, ['embd']);
  const theirs = await readDump(folder.path, { names: 'theirs' });
  expect(theirs.entries).toMatchObject([{ name: 'first', shape: [7, 64], dims: ['axis0', 'axis1'] }]);
  await expect(readDump(folder.path, { model: run.model, tokens: TOKENS })).rejects.toThrow(
    'first: its name is not known; give names, or let "layerscope map" propose one',
  );
});

test('tokens are said with their text and BOS where the model is known', async () => {
  folder.file('embd.f32', littleEndian(run.tensors.get('embd')!));
  const { manifest } = await readDump(folder.path, { model: run.model, tokens: TOKENS });
  const { pieces, bos } = run.trace.manifest;
  expect(manifest).toMatchObject({ tokens: TOKENS, pieces, bos });
});
