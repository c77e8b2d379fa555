/** The writer: what it promises about lengths holds, and it refuses what no reader could read. */
import { expect, test } from 'vitest';
import { blockTypeNames, blockTypes } from '../../src/gguf/blocks/index.ts';
import { fileLength, type GgufContent, ggufPieces, writeGguf } from '../../src/gguf/writer.ts';

function content(tensors: GgufContent['tensors']): GgufContent {
  return { metadata: { 'general.architecture': ['string', 'llama'] }, tensors };
}

test('the length of the file is known before it is written', async () => {
  const tensors = blockTypeNames.map((type) => ({
    name: type,
    type,
    shape: [3, 256],
    data: () => [new Uint8Array(3 * (256 / blockTypes[type].size) * blockTypes[type].bytes)],
  }));
  let written = 0;
  await writeGguf(content(tensors), async (bytes) => {
    written += bytes.length;
  });
  expect(written).toBe(fileLength(content(tensors)));
});

test('data are asked for one tensor at a time, after what comes before them was taken', async () => {
  const asked: string[] = [];
  const tensor = (name: string) => ({
    name,
    type: 'F32' as const,
    shape: [8],
    data: () => {
      asked.push(name);
      return [new Uint8Array(32)];
    },
  });
  const pieces = ggufPieces(content([tensor('a'), tensor('b')]));
  await pieces.next(); // header
  await pieces.next(); // padding
  expect(asked).toEqual([]);
  await pieces.next();
  expect(asked).toEqual(['a']);
});

test('data that are shorter or longer than the shape are refused', async () => {
  const tensor = { name: 'a', type: 'F32' as const, shape: [8], data: () => [new Uint8Array(31)] };
  await expect(writeGguf(content([tensor]), async () => {})).rejects.toThrow(
    'Cannot write a: its data are 31 bytes; [8] as F32 takes 32',
  );
});

test('a row that is no multiple of the block is refused before anything is written', async () => {
  const tensor = { name: 'a', type: 'Q4_0' as const, shape: [2, 33], data: () => [] };
  let written = 0;
  const writing = writeGguf(content([tensor]), async (bytes) => {
    written += bytes.length;
  });
  await expect(writing).rejects.toThrow('its rows have 33 numbers; Q4_0 stores them in blocks of 32');
  expect(written).toBe(0);
});
