import { expect, test } from 'vitest';
import { blobSource } from '../../src/browser/blob.ts';

const blob = Object.assign(new Blob([Uint8Array.of(10, 11, 12, 13)]), { name: 'm.gguf' });

test('a range of a File is exactly its bytes, under its name', async () => {
  const source = blobSource(blob);
  expect([source.name, source.size]).toEqual(['m.gguf', 4]);
  expect(await source.read(1, 2)).toEqual(Uint8Array.of(11, 12));
  expect(await source.read(4, 0)).toEqual(new Uint8Array());
});

test('a range outside the File, or an empty File, is an error with its name', async () => {
  await expect(blobSource(blob).read(3, 2)).rejects.toThrow(
    'Cannot read m.gguf: bytes 3 to 5 were asked for; it has 4',
  );
  await expect(blobSource(blob).read(-1, 2)).rejects.toThrow('Cannot read m.gguf');
  expect(() => blobSource(new Blob([]))).toThrow('Cannot read blob: it is empty');
});
