import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { halfBits } from '../../../src/gguf/half.ts';
import { readDump } from '../../../src/node/dump.ts';
import type { Trace } from '../../../src/trace/trace.ts';
import { seeded } from '../../seeded.ts';
import { type NpyOptions, npy } from './npy_bytes.ts';
import { expectSame, Folder, littleEndian, neverCrashes, TOKENS, type Traced, traced } from './traced.ts';

let run: Traced;
const folder = new Folder();
beforeAll(async () => {
  run = await traced();
});
afterAll(() => folder.remove());

test('a folder of arrays is the run it was written from, in every bit', async () => {
  const dump = new Folder();
  try {
    for (const [name, tensor] of run.tensors) dump.file(`${name}.npy`, npy(tensor.shape, littleEndian(tensor)));
    dump.file('manifest.json', JSON.stringify({ tokens: TOKENS, prompt: 'seven tokens' }));
    const trace = await readDump(dump.path, { model: run.model });
    await expectSame(trace, run);
    expect(trace.manifest).toMatchObject({ tokens: TOKENS, prompt: 'seven tokens', notRead: [] });
  } finally {
    dump.remove();
  }
});

/** 2 rows of 3; as numbers that every type has. */
const VALUES = [1, -2, 3, 0, 5, -6];

function bytesOf(
  write: (view: DataView, at: number, value: number) => void,
  width: number,
  values = VALUES,
): Uint8Array {
  const view = new DataView(new ArrayBuffer(width * values.length));
  values.forEach((value, i) => {
    write(view, width * i, value);
  });
  return new Uint8Array(view.buffer);
}

const read = async (bytes: Uint8Array): Promise<Trace> =>
  readDump(folder.file('x.npy', bytes), { names: { x: 'embd' } });
const valuesOf = async (bytes: Uint8Array) => [...(await (await read(bytes)).tensor('embd')).data];

test.for<[string, (view: DataView, at: number, value: number) => void, number]>([
  ['<f2', (view, at, value) => view.setUint16(at, halfBits(value), true), 2],
  ['>f2', (view, at, value) => view.setUint16(at, halfBits(value)), 2],
  ['<f4', (view, at, value) => view.setFloat32(at, value, true), 4],
  ['>f4', (view, at, value) => view.setFloat32(at, value), 4],
  ['<f8', (view, at, value) => view.setFloat64(at, value, true), 8],
  ['>f8', (view, at, value) => view.setFloat64(at, value), 8],
  ['|i1', (view, at, value) => view.setInt8(at, value), 1],
  ['<i2', (view, at, value) => view.setInt16(at, value, true), 2],
  ['>i4', (view, at, value) => view.setInt32(at, value), 4],
  ['<i8', (view, at, value) => view.setBigInt64(at, BigInt(value), true), 8],
])('%s is read', async ([descr, write, width]) => {
  expect(await valuesOf(npy([2, 3], bytesOf(write, width), { descr }))).toEqual(VALUES);
});

test.for([1, 2, 3] as const)('version %i of the format is read', async (version) => {
  const bytes = bytesOf((view, at, value) => view.setFloat32(at, value, true), 4);
  expect(await valuesOf(npy([2, 3], bytes, { version }))).toEqual(VALUES);
});

test('Fortran order is put into row-major order', async () => {
  const columnwise = [1, 0, -2, 5, 3, -6];
  const bytes = bytesOf((view, at, value) => view.setFloat32(at, value, true), 4, columnwise);
  const trace = await read(npy([2, 3], bytes, { fortran: true }));
  expect((await trace.tensor('embd')).toArray()).toEqual([
    [1, -2, 3],
    [0, 5, -6],
  ]);
});

describe('bad input is named', () => {
  const floats = bytesOf((view, at, value) => view.setFloat32(at, value, true), 4);
  const file = (options: NpyOptions, numbers: Uint8Array = floats) => npy([2, 3], numbers, options);

  test.for<[what: string, bytes: Uint8Array, message: string]>([
    ['Python objects', file({ descr: '|O' }), 'its elements are Python objects'],
    ['bits that may be bfloat16', file({ descr: '<u2' }), 'its elements are uint16, which may be the bits of bfloat16'],
    ['bfloat16 of ml_dtypes', file({ descr: '|V2' }), 'its elements are two bytes of no type'],
    ['complex numbers', file({ descr: '<c8' }), 'its dtype is c8; read are f2, f4, f8'],
    ['text', file({ descr: '<U8' }), 'its dtype is U8'],
    [
      'a file that is cut off',
      file({}).subarray(0, -3),
      'it has 21 bytes of numbers; its header says f32 [2,3], which takes 24',
    ],
    ['bytes behind it', Buffer.concat([file({}), floats]), 'it has 48 bytes of numbers'],
    ['a header that is cut off', file({}).subarray(0, 40), 'it has 40 bytes and ends within its header'],
    ['a later version', Buffer.from(file({}).map((byte, i) => (i === 6 ? 9 : byte))), 'its version is 9'],
    ['records', npy([2], floats, { descr: "', 'x': ['" }), 'does not give descr'],
    [
      'a number beyond f32',
      npy([1], new Uint8Array(Float64Array.of(1e300).buffer), { descr: '<f8' }),
      'it holds 1e+300, which f32 cannot',
    ],
    [
      'an integer beyond f32',
      npy([1], new Uint8Array(Int32Array.of(2 ** 24 + 1).buffer), { descr: '<i4' }),
      'it holds 16777217, which f32 cannot',
    ],
  ])('%s', async ([, bytes, message]) => {
    await expect(read(bytes)).rejects.toThrow(message);
  });

  test('in a folder the others are read, and the broken one is listed', async () => {
    const dump = new Folder();
    try {
      const [embd, norm] = ['embd', 'attn_norm-0'].map((name) => run.tensors.get(name)!);
      dump.file('embd.npy', npy(embd!.shape, littleEndian(embd!)));
      dump.file('attn_norm-0.npy', npy(norm!.shape, littleEndian(norm!)).subarray(0, 200));
      dump.file('l_out-0.npy', npy([3, 3], new Uint8Array(36)));
      dump.file('notes.txt', 'what I tried');
      const trace = await readDump(dump.path, { model: run.model, tokens: TOKENS });
      await expectSame(trace, run, ['embd']);
      const notRead = trace.manifest.notRead as { name: string; why: string }[];
      expect(notRead.map(({ name }) => name)).toEqual(['attn_norm-0.npy', 'notes.txt', 'l_out-0']);
      expect(notRead.at(-1)?.why).toBe('its shape is [3,3]; in this model and for these tokens it is [7,64]');
    } finally {
      dump.remove();
    }
  });

  test('whatever byte is lost or wrong, nothing but our errors comes of it', async () => {
    const random = seeded(5);
    const whole = file({});
    for (let i = 0; i < 200; i++) {
      const at = Math.floor(random() * whole.length);
      const bytes = Uint8Array.from(whole);
      bytes[at]! ^= 1 << Math.floor(random() * 8);
      const cut = i % 4 === 0;
      const trace = await neverCrashes(() => read(cut ? whole.subarray(0, at) : bytes));
      if (cut) expect(trace).toBeNull();
    }
  });
});
