/** The reader: what is written is read again, and whatever cannot be right is refused by name before it costs memory. */
import { describe, expect, test } from 'vitest';
import { GgufError } from '../../src/errors.ts';
import { bytesSource, joinBytes } from '../../src/gguf/bytes.ts';
import { columnsOf, optional, readGguf, required, rowsOf } from '../../src/gguf/reader.ts';
import { fileLength, type GgufContent, ggufPieces, type TensorContent } from '../../src/gguf/writer.ts';

function tensor(name: string, shape: readonly number[], numbers: readonly number[]): TensorContent {
  return { name, type: 'F32', shape, data: () => [new Uint8Array(Float32Array.from(numbers).buffer)] };
}

const small: GgufContent = {
  metadata: { 'general.architecture': ['string', 'llama'], 'llama.block_count': ['u32', 2] },
  tensors: [tensor('a', [2, 3], [1, 2, 3, 4, 5, 6]), tensor('b', [4], [7, 8, 9, 10])],
};

async function bytesOf(content: GgufContent): Promise<Uint8Array> {
  return joinBytes(ggufPieces(content));
}

async function read(bytes: Uint8Array) {
  return readGguf(bytesSource('m.gguf', bytes));
}

describe.each([2, 3] as const)('a file of version %d', (version) => {
  test('gives back every metadata type, value and tensor that was written', async () => {
    const metadata: GgufContent['metadata'] = {
      u8: ['u8', 255],
      i8: ['i8', -128],
      u16: ['u16', 65_535],
      i16: ['i16', -32_768],
      u32: ['u32', 2 ** 32 - 1],
      i32: ['i32', -(2 ** 31)],
      f32: ['f32', 0.5],
      f64: ['f64', 0.1],
      bool: ['bool', true],
      u64: ['u64', 7],
      'u64 beyond 2^53': ['u64', 2n ** 63n + 1n],
      i64: ['i64', -7],
      string: ['string', 'Grüße 日本 😀'],
      'byte order mark': ['string[]', ['\uFEFF', '', 'a']],
      'f32[]': ['f32[]', Float32Array.of(1, -2)],
      'u16[]': ['u16[]', Uint16Array.of(1, 65_535)],
      'bool[]': ['bool[]', [true, false]],
      'i64[]': ['i64[]', [-1, 2n ** 62n]],
    };
    const file = await read(await bytesOf({ ...small, version, metadata }));
    expect(file.version).toBe(version);
    expect(Object.fromEntries(file.metadata)).toEqual(
      Object.fromEntries(Object.entries(metadata).map(([key, [, value]]) => [key, value])),
    );
    const types = Object.fromEntries(Object.entries(metadata).map(([key, [type]]) => [key, type]));
    expect(Object.fromEntries(file.metadataTypes)).toEqual(types);
    expect([...file.tensors.keys()]).toEqual(['a', 'b']);
  });
});

test('shapes are outermost first, and rows are read by range', async () => {
  const file = await read(await bytesOf(small));
  const a = file.tensors.get('a')!;
  expect(a).toMatchObject({ type: 'F32', shape: [2, 3], byteLength: 24 });
  expect([rowsOf(a), columnsOf(a)]).toEqual([2, 3]);
  expect(a.offset % file.alignment).toBe(0);
  expect([...(await file.dequantize(a))]).toEqual([1, 2, 3, 4, 5, 6]);
  expect([...(await file.dequantize(a, 1, 1))]).toEqual([4, 5, 6]);
  expect((await file.readTensor(a, { rowStart: 1 })).length).toBe(12);
  await expect(file.dequantize(a, 1, 2)).rejects.toThrow(
    'Cannot read a in m.gguf: rows 1 to 3 were asked for; it has 2',
  );
});

test('a tensor beyond 4 GiB is read from where it lies', async () => {
  const fourGiB = { name: 'large', type: 'F32', shape: [2 ** 20, 1024], data: () => [] } as const;
  const content = { ...small, tensors: [fourGiB, tensor('a', [2], [1, 2])] };
  const { value: header } = await ggufPieces(content).next(); // the rest is never made
  const dataStart = Math.ceil(header!.length / 32) * 32;
  const reads: [number, number][] = [];
  const source = {
    name: 'm.gguf',
    size: fileLength(content),
    async read(offset: number, length: number) {
      reads.push([offset, length]);
      const bytes = new Uint8Array(length);
      bytes.set(header!.subarray(offset, offset + length));
      return bytes;
    },
    async close() {},
  };
  const file = await readGguf(source);
  await file.readTensor(file.tensors.get('a')!, { rowStart: 0, rowCount: 1 });
  await file.readTensor(file.tensors.get('large')!, { rowStart: 2 ** 20 - 1 });
  expect(reads.slice(1)).toEqual([
    [dataStart + 2 ** 32, 8],
    [dataStart + 2 ** 32 - 4096, 4096],
  ]);
});

test('another alignment is honoured', async () => {
  const file = await read(await bytesOf({ ...small, alignment: 4096 }));
  expect(file.alignment).toBe(4096);
  expect([...file.tensors.values()].map((info) => info.offset)).toEqual([4096, 8192]);
  expect([...(await file.dequantize(file.tensors.get('b')!))]).toEqual([7, 8, 9, 10]);
});

test('a header of 128k tokens and 280k merges is fetched a MiB at a time, and next to nothing twice', async () => {
  const tokens = Array.from({ length: 128_256 }, (_, id) => (id % 9 === 0 ? `日本${id}` : `Ġpiece${id}`));
  const merges = Array.from({ length: 280_147 }, (_, id) => `Ġpie ce${id}`);
  const bytes = await bytesOf({
    metadata: { tokens: ['string[]', tokens], merges: ['string[]', merges] },
    tensors: [],
  });
  const lengths: number[] = [];
  const source = bytesSource('m.gguf', bytes);
  const counted = {
    ...source,
    read(offset: number, length: number) {
      lengths.push(length);
      return source.read(offset, length);
    },
  };
  const file = await readGguf(counted);
  expect(file.metadata.get('tokens')).toEqual(tokens);
  expect(file.metadata.get('merges')).toEqual(merges);
  expect(Math.max(...lengths)).toBe(1 << 20);
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThan(bytes.length + 1000);
});

test('getters give the value, or say which key is missing or of the wrong type', async () => {
  const file = await read(await bytesOf(small));
  expect(required(file, 'llama.block_count', 'u32')).toBe(2);
  expect(optional(file, 'llama.vocab_size', 'u32')).toBeUndefined();
  expect(() => required(file, 'llama.vocab_size', 'u32')).toThrow('m.gguf: its metadata lacks llama.vocab_size');
  expect(() => required(file, 'general.architecture', 'u32')).toThrow(
    'general.architecture is string llama; wanted u32',
  );
});

describe('a file that cannot be right is refused', () => {
  const header = (...parts: (number | bigint | string)[]) => {
    const bytes: number[] = [];
    for (const part of parts) {
      if (typeof part === 'string') bytes.push(...new TextEncoder().encode(part));
      else if (typeof part === 'number') bytes.push(...new Uint8Array(Uint32Array.of(part).buffer));
      else bytes.push(...new Uint8Array(BigUint64Array.of(part).buffer));
    }
    return Uint8Array.from(bytes);
  };
  const u32 = 4;
  const [stringType, arrayType] = [8, 9];
  const huge = 2n ** 63n;
  const padded = (bytes: Uint8Array, length: number) => {
    const whole = new Uint8Array(length);
    whole.set(bytes);
    return whole;
  };
  /** One tensor "t" with this `ne`, type and offset, with `data` bytes after the header, which is padded to 32. */
  const oneTensor = (ne: readonly bigint[], type: number, offset: bigint, data = 64) => {
    const bytes = header('GGUF', 3, 1n, 0n, 1n, 't', ne.length, ...ne, type, offset);
    return padded(bytes, Math.ceil(bytes.length / 32) * 32 + data);
  };
  /** One key "k" whose value is `value`, and 1,000 zero bytes. */
  const oneKey = (...value: (number | bigint | string)[]) => {
    const bytes = header('GGUF', 3, 0n, 1n, 1n, 'k', ...value);
    return padded(bytes, bytes.length + 1000);
  };
  const two = (first: string, second: string, offset: bigint) => {
    const entry = (name: string, at: bigint) => [BigInt(name.length), name, 1, 8n, 0, at] as const;
    return padded(header('GGUF', 3, 2n, 0n, ...entry(first, 0n), ...entry(second, offset)), 320);
  };

  const cases: Record<string, [bytes: Uint8Array, message: RegExp]> = {
    'an empty file': [new Uint8Array(0), /it is empty/],
    'a few bytes': [header('GGUF', 3), /it has only 8 bytes/],
    'another format': [padded(header('PK\x03\x04'), 100), /it begins with bytes 50 4b 03 04; wanted "GGUF"/],
    'the old format': [padded(header('tjgg'), 100), /it begins with "tjgg"/],
    'big endian': [padded(header('GGUF', 0x03000000), 100), /big-endian/],
    'version 1': [padded(header('GGUF', 1), 100), /version 1; supported are 2 and 3/],
    'version 4': [padded(header('GGUF', 4), 100), /version 4/],
    '2^63 keys': [
      padded(header('GGUF', 3, 0n, huge), 100),
      /claims 9223372036854775000 metadata keys|claims 9223372036854776000/,
    ],
    '2^63 tensors': [padded(header('GGUF', 3, huge, 0n), 100), /claims .* tensors/],
    'more tensors than fit': [padded(header('GGUF', 3, 5n, 0n), 100), /claims 5 tensors/],
    'a key of 2^63 bytes': [padded(header('GGUF', 3, 0n, 1n, huge), 100), /metadata key 1 of 1 is .* bytes long/],
    'a string of 2^63 bytes': [oneKey(stringType, huge), /ends within the value of "k"/],
    'an array of 2^63 strings': [oneKey(arrayType, stringType, huge), /the value of "k" claims/],
    'an array of 2^63 numbers': [oneKey(arrayType, u32, huge), /ends within the value of "k"/],
    'an array of 2^63 bools': [oneKey(arrayType, 7, huge), /ends within the value of "k"/],
    'arrays of arrays': [oneKey(arrayType, ...Array(50).fill([arrayType, 1n]).flat()), /"k" is an array of arrays/],
    'an unknown value type': [oneKey(13), /"k" has type 13/],
    'an unknown element type': [oneKey(arrayType, 99, 1n), /array of type 99/],
    'a bool of 2': [oneKey(7, 2), /a bool of value 2/],
    'text that is not UTF-8': [oneKey(stringType, 4n, 0xffffffff), /the value of "k" is not UTF-8/],
    'the same key twice': [
      padded(header('GGUF', 3, 0n, 2n, 1n, 'k', u32, 1, 1n, 'k', u32, 2), 200),
      /metadata key "k" is there twice/,
    ],
    'an empty key': [padded(header('GGUF', 3, 0n, 1n, 0n, u32, 1), 200), /metadata key 1 of 1 is empty/],
    'the same tensor twice': [two('a', 'a', 32n), /tensor a is there twice/],
    'overlapping tensors': [two('first', 'second', 0n), /Cannot read second in m.gguf: .* within first/],
    'no dimensions': [oneTensor([], 0, 0n), /tensor t has 0 dimensions/],
    'five dimensions': [oneTensor([1n, 1n, 1n, 1n, 1n], 0, 0n), /tensor t has 5 dimensions/],
    'a zero dimension': [oneTensor([8n, 0n], 0, 0n), /its shape is \[0, 8\]; no dimension may be 0/],
    'dimensions whose product overflows': [oneTensor([huge, huge, huge, huge], 0, 0n), /the file has/],
    'data outside the file': [oneTensor([8n], 0, 64n), /takes bytes 128 to 160; the file has 128/],
    'an offset of 2^63': [oneTensor([8n], 0, huge), /Cannot read t in m.gguf: .* the file has/],
    'an offset off the alignment': [oneTensor([8n], 0, 4n), /no multiple of the file's alignment, 32/],
    'a row that is no multiple of the block': [oneTensor([33n], 2, 0n), /rows have 33 numbers; Q4_0 .* blocks of 32/],
    'a type Layerscope does not read': [
      oneTensor([256n], 22, 0n),
      /Cannot read t in m.gguf: its type is IQ2_S; supported types are F32, F16/,
    ],
    'a type nobody knows': [oneTensor([256n], 77, 0n), /its type is ggml's number 77; supported types/],
    'a name that would move the cursor': [two('\x1b[2J', 'a', 0n), /within "\\u001b\[2J"/],
  };

  test.each(Object.entries(cases))('%s', async (_, [bytes, message]) => {
    const error = await read(bytes).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(GgufError);
    expect((error as GgufError).file).toBe('m.gguf');
    expect((error as GgufError).message).toMatch(/^Cannot read .*m\.gguf/);
    expect((error as GgufError).message).toMatch(message);
  });

  test.each([
    [0, 'is 0'],
    [3, 'is 3'],
    [2 ** 31 + 1, 'is 2147483649'],
  ])('an alignment of %d', async (alignment, message) => {
    const metadata = { 'general.alignment': ['u32', alignment] } as const;
    await expect(read(await bytesOf({ metadata, tensors: [] }))).rejects.toThrow(`general.alignment ${message}`);
  });

  test('one part of a model that was split', async () => {
    const metadata = { 'split.count': ['u16', 3] } as const;
    await expect(read(await bytesOf({ metadata, tensors: [] }))).rejects.toThrow(
      /one of 3 parts.*llama-gguf-split --merge/,
    );
  });

  test('a header that is long enough to hold its claims, in a file of a terabyte', async () => {
    const start = oneKey(arrayType, 0, 2n ** 39n);
    const reads: number[] = [];
    const source = {
      name: 'm.gguf',
      size: 2 ** 40,
      async read(_: number, length: number) {
        reads.push(length);
        return padded(start, length);
      },
      async close() {},
    };
    await expect(readGguf(source)).rejects.toThrow(/header is longer than 64 MiB, at the value of "k"/);
    expect(reads).toEqual([1 << 20]);
  });

  test('a file cut short anywhere', async () => {
    const bytes = await bytesOf(small);
    const end = (await read(bytes)).tensors.get('b')!;
    for (let length = 0; length < end.offset + end.byteLength; length++) {
      await expect(read(bytes.subarray(0, length)), `cut to ${length} bytes`).rejects.toThrow(GgufError);
    }
  });
});
