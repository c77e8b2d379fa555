import { describe, expect, it } from 'vitest';
import { dequantizeRow, oracleAvailable, quantizeChunk } from '../../src/oracle/index.ts';
import { normals, seeded } from '../seeded.ts';

const missing = oracleAvailable();

/** Bytes of 256 numbers, from the formats' definition in ggml-common.h; the error at RMS 1, at most 1.4 times what was measured. */
const BLOCKS: Readonly<Record<string, readonly [bytes: number, error: number]>> = {
  F32: [1024, 0],
  F16: [512, 2.5e-4],
  BF16: [512, 2.2e-3],
  Q4_0: [8 * 18, 0.11],
  Q4_1: [8 * 20, 0.1],
  Q5_0: [8 * 22, 0.055],
  Q5_1: [8 * 24, 0.05],
  Q8_0: [8 * 34, 7e-3],
  Q2_K: [84, 0.36],
  Q3_K: [110, 0.2],
  Q4_K: [144, 0.092],
  Q5_K: [176, 0.046],
  Q6_K: [210, 0.023],
  IQ4_NL: [8 * 18, 0.1],
};

const rms = (numbers: Float32Array): number => Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length);

describe.skipIf(missing !== null)(`ggml's blocks${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  it.each(Object.entries(BLOCKS))(
    '%s has its size and error, and loses no more a second time',
    async (type, [size, error]) => {
      const numbers = normals(seeded(3), 512);
      const bytes = await quantizeChunk(type, numbers, 256);
      expect(bytes.length).toBe(2 * size);
      const decoded = await dequantizeRow(type, bytes, 512);
      expect(rms(decoded.map((x, i) => x - (numbers[i] ?? 0)))).toBeLessThanOrEqual(error);
      expect(await dequantizeRow(type, await quantizeChunk(type, decoded, 256), 512)).toEqual(decoded);
    },
  );

  it('Q8_0 keeps whole numbers whose largest is 127', async () => {
    const whole = Float32Array.from({ length: 32 }, (_, i) => (i === 5 ? 127 : i - 16));
    const bytes = await quantizeChunk('Q8_0', whole, 32);
    expect([...bytes.subarray(0, 3)]).toEqual([0x00, 0x3c, 256 - 16]);
    expect(await dequantizeRow('Q8_0', bytes, 32)).toEqual(whole);
  });

  it('names a type that ggml does not know, and bytes of the wrong length', async () => {
    await expect(quantizeChunk('Q9_9', new Float32Array(32), 32)).rejects.toThrow('Cannot use type Q9_9 in ggml');
    await expect(dequantizeRow('Q4_0', new Uint8Array(17), 32)).rejects.toThrow('got 17 bytes; wanted 18 bytes');
    await expect(quantizeChunk('Q4_K', new Float32Array(32), 32)).rejects.toThrow('no whole blocks of 256');
  });

  it('gives one error with the assert where ggml aborts, and goes on in a new process', async () => {
    // IQ2_XXS needs an importance matrix; ggml asserts that it has one.
    const aborted = quantizeChunk('IQ2_XXS', new Float32Array(256), 256);
    await expect(aborted).rejects.toThrow(
      /^Cannot finish quantizeChunk: the process of llama.cpp was ended by SIGABRT.*imatrix/,
    );
    expect(await dequantizeRow('F32', new Uint8Array(8), 2)).toEqual(new Float32Array(2));
  });
});
