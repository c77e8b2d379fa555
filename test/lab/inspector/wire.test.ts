/** Messages as bytes: what a view draws must be what the engine computed, bit by bit. */
import { expect, test } from 'vitest';
import { fromBytes, toBytes } from '../../../src/lab/inspector/wire.ts';

const across = (message: unknown): unknown => fromBytes(toBytes(message));

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 40 + 1, 0.1])(
  'the number %s arrives as it was',
  (x) => {
    expect(across({ x })).toEqual({ x });
  },
);

test('typed arrays arrive as what they were, at whatever offset they lie, with the bits of every NaN', () => {
  const bits = Uint32Array.of(0x7fc0dead, 0xffc00001, 0x80000000, 0x3f800000);
  const floats = new Float32Array(bits.buffer, 4, 3);
  const { values, bytes, ids, doubles } = across({
    ...{ text: 'odd', values: floats, bytes: Uint8Array.of(1, 2, 3) },
    ...{ ids: Int32Array.of(-1), doubles: Float64Array.of(Number.NaN, 1e300) },
  }) as { values: Float32Array; bytes: Uint8Array; ids: Int32Array; doubles: Float64Array };
  expect(values).toBeInstanceOf(Float32Array);
  expect([...new Uint32Array(values.buffer, values.byteOffset, 3)]).toEqual([...bits.slice(1)]);
  expect([bytes, ids, doubles]).toEqual([
    Uint8Array.of(1, 2, 3),
    Int32Array.of(-1),
    Float64Array.of(Number.NaN, 1e300),
  ]);
});

test('what is undefined is absent, and null is null', () => {
  expect(across({ a: undefined, b: null })).toEqual({ b: null });
});

test('half a message is an error, never another message', () => {
  const whole = toBytes({ type: 'ask', id: 1, request: 'open', params: { file: 'm.gguf' } });
  expect(() => fromBytes(whole.slice(0, whole.length - 3))).toThrow(RangeError);
});
