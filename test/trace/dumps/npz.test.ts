import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDump } from '../../../src/node/dump.ts';
import { seeded } from '../../seeded.ts';
import { npy, npz } from './npy_bytes.ts';
import { expectSame, Folder, littleEndian, neverCrashes, TOKENS, type Traced, traced } from './traced.ts';

let run: Traced;
let files: Record<string, Uint8Array>;
const folder = new Folder();
beforeAll(async () => {
  run = await traced();
  const arrays = [...run.tensors].map(([name, tensor]) => [`${name}.npy`, npy(tensor.shape, littleEndian(tensor))]);
  files = Object.fromEntries(arrays);
});
afterAll(() => folder.remove());

test.for([false, true])(
  'an archive is the run it was written from, in every bit; compressed: %s',
  async (compressed) => {
    const path = folder.file('x.npz', npz(files, compressed));
    await expectSame(await readDump(path, { model: run.model, tokens: TOKENS }), run);
  },
);

test('ids among the arrays say what was run', async () => {
  const ids = npy([1, TOKENS.length], new Uint8Array(BigInt64Array.from(TOKENS, BigInt).buffer), { descr: '<i8' });
  const path = folder.file('x.npz', npz({ ...files, 'input_ids.npy': ids }, true));
  const trace = await readDump(path, { model: run.model });
  expect(trace.manifest.tokens).toEqual(TOKENS);
  await expectSame(trace, run);
});

describe('bad input is named', () => {
  test('an archive that is cut off has no list of files', async () => {
    const bytes = npz(files, false);
    await expect(readDump(folder.file('x.npz', bytes.subarray(0, bytes.length - 30)))).rejects.toThrow(
      /its list of files (is missing: it is cut off|lies outside of it)/,
    );
  });

  test('a byte that changed since is found by the CRC, and the array is left out by name', async () => {
    const bytes = npz(files, false);
    const at = Buffer.from(bytes).indexOf('embd.npy') + 400;
    bytes[at]! ^= 4;
    const trace = await readDump(folder.file('x.npz', bytes), { model: run.model, tokens: TOKENS });
    expect(trace.names).toEqual(run.trace.names.filter((name) => name !== 'embd'));
    expect(trace.manifest.notRead).toEqual([
      { name: 'embd.npy', why: 'embd.npy is not what was packed: its CRC is another; write or copy it again' },
    ]);
  });

  test('a PyTorch file says how to write it instead', async () => {
    const path = folder.file('x.pt', npz({ 'archive/data.pkl': new Uint8Array(9) }, false));
    await expect(readDump(path)).rejects.toThrow('it is a PyTorch file, which holds Python code');
  });

  test('whatever byte is lost or wrong, a value that is given is the one that was packed', async () => {
    const random = seeded(6);
    const whole = npz({ 'embd.npy': files['embd.npy']!, 'attn_norm-0.npy': files['attn_norm-0.npy']! }, true);
    for (let i = 0; i < 200; i++) {
      const at = Math.floor(random() * whole.length);
      const bytes = Uint8Array.from(whole);
      bytes[at]! ^= 1 << Math.floor(random() * 8);
      const content = i % 4 === 0 ? whole.subarray(0, at) : bytes;
      const trace = await neverCrashes(() =>
        readDump(folder.file('y.npz', content), { model: run.model, tokens: TOKENS, format: 'npz' }),
      );
      if (trace) await expectSame(trace, run, trace.names);
    }
  });
});
