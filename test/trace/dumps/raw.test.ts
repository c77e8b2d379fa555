import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { halfAsFloat, halfBits } from '../../../src/gguf/half.ts';
import { readDump } from '../../../src/node/dump.ts';
import { expectSame, Folder, littleEndian, TOKENS, type Traced, traced } from './traced.ts';

let run: Traced;
let folder: Folder;
beforeAll(async () => {
  run = await traced();
});
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder.remove());

function writeAll(): void {
  for (const [name, tensor] of run.tensors) folder.file(`${name}.f32`, littleEndian(tensor));
}

test('a folder of numbers is the run it was written from, its shapes from the model and its tokens', async () => {
  writeAll();
  folder.file('manifest.json', JSON.stringify({ tokens: TOKENS }));
  await expectSame(await readDump(folder.path, { model: run.model }), run);
});

test('how many tokens were run is told by the size of embd, where nobody says', async () => {
  writeAll();
  const trace = await readDump(folder.path, { model: run.model });
  await expectSame(trace, run);
  expect(trace.manifest.tokens).toBeUndefined();
});

test('halves and bfloat16 are read as the numbers they are', async () => {
  const { data } = run.tensors.get('embd')!;
  folder.file('embd.f16', new Uint8Array(Uint16Array.from(data, halfBits).buffer));
  const upper = new Uint16Array(data.slice().buffer).filter((_, i) => i % 2 === 1);
  folder.file('l_out-0.bf16', new Uint8Array(upper.buffer));
  const trace = await readDump(folder.path, { model: run.model, tokens: TOKENS });
  expect(trace.entries.map(({ srcDtype }) => srcDtype)).toEqual(['f16', 'bf16']);
  expect((await trace.tensor('embd')).data).toEqual(data.map((x) => halfAsFloat[halfBits(x)]!));
  const cut = new Uint32Array(data.slice().buffer).map((bits) => bits & 0xffff0000);
  expect((await trace.tensor('l_out-0')).data).toEqual(new Float32Array(cut.buffer));
});

test('logits of the last token alone stand at the last position', async () => {
  const { shape, data } = run.tensors.get('result_output')!;
  const width = shape[1]!;
  folder.file('result_output.f32', new Uint8Array(data.slice(-width).buffer));
  const [row] = (await readDump(folder.path, { model: run.model, tokens: TOKENS })).entries;
  expect([row?.shape, row?.pos0]).toEqual([[1, width], 6]);
});

describe('bad input is named', () => {
  test('a size that cannot be, with what it would have to be', async () => {
    folder.file('kq-0.f32', new Uint8Array(4 * 100));
    await expect(readDump(folder.path, { model: run.model, tokens: TOKENS })).rejects.toThrow(
      'not one tensor in it can be used (kq-0: it has 100 numbers; [4,7,7] takes 196)',
    );
  });

  test('a size that is no whole number of floats', async () => {
    await expect(readDump(folder.file('embd.f32', new Uint8Array(7)), { model: run.model })).rejects.toThrow(
      /embd\.f32: it has 7 bytes; f32 takes 4 for each number/,
    );
  });

  test('numbers whose shape nobody knows', async () => {
    writeAll();
    await expect(readDump(folder.path)).rejects.toThrow('its shape is not known; give the model and the tokens');
  });

  test('a tensor of another model', async () => {
    folder.file('l_out-9.f32', new Uint8Array(4 * 7 * 64));
    await expect(readDump(folder.path, { model: run.model, tokens: TOKENS })).rejects.toThrow(
      'l_out-9: it is l_out-9, which this model does not have',
    );
  });

  test('tokens that contradict the manifest', async () => {
    writeAll();
    folder.file('manifest.json', JSON.stringify({ tokens: TOKENS }));
    await expect(readDump(folder.path, { model: run.model, tokens: [1, 2] })).rejects.toThrow(
      'it is a run of tokens 1,5,9,17,33,2,7, and 1,2 were given',
    );
  });

  test.for(['{', '[1]', '{"tokens": "1 2"}', '{"tokens": [1.5]}'])('a manifest.json of %s', async (text) => {
    writeAll();
    folder.file('manifest.json', text);
    await expect(readDump(folder.path, { model: run.model })).rejects.toThrow(
      /^Cannot read .*manifest\.json: .*wanted JSON such as/,
    );
  });
});
