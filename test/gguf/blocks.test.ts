/** Each block type: a case computed by hand, and ggml's own decoder as witness, bit for bit. */
import { describe, expect, test } from 'vitest';
import { type BlockTypeName, blockTypeById, blockTypeNames, blockTypes } from '../../src/gguf/blocks/index.ts';
import { dequantizeRow, oracleAvailable, quantizeChunk } from '../../src/oracle/index.ts';
import { normals, seeded } from '../seeded.ts';

const HALF_ONE = [0x00, 0x3c];
const HALF_TWO = [0x00, 0x40];
const HALF_HALF = [0x00, 0x38];
const HALF_QUARTER = [0x00, 0x34];
const HALF_MINUS_ONE = [0x00, 0xbc];

interface HandCase {
  /** Bytes of the block by offset; zero elsewhere. */
  readonly bytes: Readonly<Record<number, readonly number[]>>;
  /** [from, to (exclusive), value]; zero elsewhere. Later ones win. */
  readonly numbers: readonly (readonly [from: number, to: number, value: number])[];
}

const byHand: Record<BlockTypeName, HandCase> = {
  F32: { bytes: { 0: [0x00, 0x00, 0xc0, 0x3f] }, numbers: [[0, 1, 1.5]] },
  F16: { bytes: { 0: [0x00, 0x3e] }, numbers: [[0, 1, 1.5]] },
  BF16: { bytes: { 0: [0xc0, 0x3f] }, numbers: [[0, 1, 1.5]] },
  // d = 1/2; nibbles 15 and 1 in byte 0, 8 (which stands for 0) in the others
  Q4_0: {
    bytes: { 0: HALF_HALF, 2: [0x1f, ...Array(15).fill(0x88)] },
    numbers: [
      [0, 1, 3.5],
      [16, 17, -3.5],
    ],
  },
  // d = 1/2, m = -1; nibbles 15 and 2 in byte 0
  Q4_1: {
    bytes: { 0: [...HALF_HALF, ...HALF_MINUS_ONE], 4: [0x2f] },
    numbers: [
      [0, 32, -1],
      [0, 1, 6.5],
      [16, 17, 0],
    ],
  },
  // d = 2; number 3 is 1 + 16 - 16, number 19 is 2 + 16 - 16
  Q5_0: {
    bytes: { 0: HALF_TWO, 2: [0x08, 0x00, 0x08, 0x00], 9: [0x21] },
    numbers: [
      [0, 32, -32],
      [3, 4, 2],
      [19, 20, 4],
    ],
  },
  // d = 1, m = 2; number 3 is 1, number 19 is 2 + 16
  Q5_1: {
    bytes: { 0: [...HALF_ONE, ...HALF_TWO], 4: [0x00, 0x00, 0x08, 0x00], 11: [0x21] },
    numbers: [
      [0, 32, 2],
      [3, 4, 3],
      [19, 20, 20],
    ],
  },
  Q8_0: {
    bytes: { 0: HALF_QUARTER, 7: [0xff], 33: [0x80] },
    numbers: [
      [5, 6, -0.25],
      [31, 32, -32],
    ],
  },
  // d = 1, dmin = 1/2; group 1 has s = 3, m = 2; group 10 has s = 1, m = 0 and its quants at bits 2 and 3 of bytes 32..47
  Q2_K: {
    bytes: { 1: [0x23], 10: [0x01], 32: [0x03], 48: [0x08], 80: [...HALF_ONE, ...HALF_HALF] },
    numbers: [
      [16, 32, -1],
      [16, 17, 8],
      [160, 161, 2],
    ],
  },
  // d = 1; every s is 32 but group 5's, 33, and group 13's, 34
  Q3_K: {
    bytes: { 16: [0x04], 48: [0x30], 101: [0x21], 104: [0xaa, 0xaa, 0xaa, 0xaa], 108: HALF_ONE },
    numbers: [
      [80, 96, -4],
      [80, 81, 3],
      [208, 224, -8],
    ],
  },
  // d = dmin = 1; group 0 has s = 2, m = 1; group 5 has s = 1 + 16, m = 3 + 32
  Q4_K: {
    bytes: {
      0: [...HALF_ONE, ...HALF_ONE],
      4: [0x02, 0x40, 0, 0, 0x01, 0x80, 0, 0, 0, 0x31],
      16: [0x0f],
      80: [0xf0],
    },
    numbers: [
      [0, 32, -1],
      [0, 1, 29],
      [160, 192, -35],
      [160, 161, 220],
    ],
  },
  // as Q4_K, and number 0 of groups 0 and 5 has its fifth bit
  Q5_K: {
    bytes: {
      0: [...HALF_ONE, ...HALF_ONE],
      4: [0x02, 0x40, 0, 0, 0x01, 0x80, 0, 0, 0, 0x31],
      16: [0x21],
      48: [0x0f],
      112: [0xf0],
    },
    numbers: [
      [0, 32, -1],
      [0, 1, 61],
      [160, 192, -35],
      [160, 161, 492],
    ],
  },
  // d = 1; group 0 has s = 1, group 15 has s = -1; 5 + 48 - 32 = 21; -(10 + 16 - 32) = 6
  Q6_K: {
    bytes: { 0: [0x05], 112: [0xa0], 128: [0x03], 176: [0x40], 192: [0x01], 207: [0xff], 208: HALF_ONE },
    numbers: [
      [0, 16, -32],
      [0, 1, 21],
      [240, 256, 32],
      [240, 241, 6],
    ],
  },
  IQ4_NL: {
    bytes: { 0: HALF_TWO, 2: [0xf8] },
    numbers: [
      [0, 32, -254],
      [0, 1, 2],
      [16, 17, 226],
    ],
  },
};

function decode(type: BlockTypeName, bytes: Uint8Array, count: number): Float32Array {
  const out = new Float32Array(count);
  blockTypes[type].dequantize(bytes, 0, out);
  return out;
}

describe.each(blockTypeNames)('%s', (type) => {
  const block = blockTypes[type];

  test('decodes a block computed by hand, wherever it starts', () => {
    const offset = 3;
    const bytes = new Uint8Array(offset + block.bytes);
    for (const [at, values] of Object.entries(byHand[type].bytes)) bytes.set(values, offset + Number(at));
    const wanted = new Array(block.size).fill(0);
    for (const [from, to, value] of byHand[type].numbers) wanted.fill(value, from, to);
    const out = new Float32Array(block.size);
    block.dequantize(bytes, offset, out);
    expect(Array.from(out, (x) => x + 0)).toEqual(wanted); // + 0 turns -0 into 0
  });

  test('has planes that cover each byte of the block once', () => {
    const owners = new Array(block.bytes).fill(0);
    for (const { offset, bytes } of block.planes) for (let i = offset; i < offset + bytes; i++) owners[i]++;
    expect(owners).toEqual(new Array(block.bytes).fill(1));
  });

  test('is found by its number', () => {
    expect(blockTypeById(block.id)).toBe(block);
  });
});

const missing = oracleAvailable();

describe.skipIf(missing)(missing ? `skipped: ${missing}` : 'ggml decodes the same', () => {
  test.each(blockTypeNames)('%s: any bytes, to the last bit', async (type) => {
    const random = seeded(blockTypes[type].id + 1);
    const nBlocks = 300;
    const bytes = Uint8Array.from({ length: nBlocks * blockTypes[type].bytes }, () => random() * 256);
    const count = nBlocks * blockTypes[type].size;
    expectSameBits(decode(type, bytes, count), await dequantizeRow(type, bytes, count));
  });

  test.each(['F16', 'BF16'] as const)('%s: each of the 65,536 values', async (type) => {
    const bytes = new Uint8Array(Uint16Array.from({ length: 1 << 16 }, (_, i) => i).buffer);
    expectSameBits(decode(type, bytes, 1 << 16), await dequantizeRow(type, bytes, 1 << 16));
  });

  test.each(blockTypeNames)('%s: blocks that ggml quantised, to the last bit', async (type) => {
    const numbers = normals(seeded(7), 16 * 256, 0.02);
    const bytes = await quantizeChunk(type, numbers, 256);
    const ours = decode(type, bytes, numbers.length);
    expectSameBits(ours, await dequantizeRow(type, bytes, numbers.length));
    const error = ours.map((x, i) => x - numbers[i]!);
    expect(rms(error) / rms(numbers)).toBeLessThan(0.35); // Q2_K, the coarsest, is off by 0.29
  });
});

function rms(numbers: Float32Array): number {
  return Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length);
}

/** Equal bits; a NaN may carry any payload, because JavaScript does not keep it. */
function expectSameBits(ours: Float32Array, theirs: Float32Array): void {
  expect(ours.length).toBe(theirs.length);
  const ourBits = new Uint32Array(ours.buffer, ours.byteOffset, ours.length);
  const theirBits = new Uint32Array(theirs.slice().buffer);
  const differs = ourBits.findIndex(
    (bits, i) => bits !== theirBits[i] && !(Number.isNaN(ours[i]) && Number.isNaN(theirs[i])),
  );
  expect(differs, differs < 0 ? '' : `number ${differs}: ours ${ours[differs]}, ggml's ${theirs[differs]}`).toBe(-1);
}
