/**
 * Mutated files: bits flipped, bytes cut, fields overwritten with awkward numbers, pieces of one file spliced into
 * another. Each either reads, tensors and all, or throws a GgufError with the file's name. 1,000 files in a normal run,
 * 20,000 with LAYERSCOPE_FULL=1; the number in a failure is the file's seed.
 */
import { beforeAll, expect, test } from 'vitest';
import { GgufError } from '../../src/errors.ts';
import { bytesSource, joinBytes } from '../../src/gguf/bytes.ts';
import { randomModelContent } from '../../src/gguf/random_model.ts';
import { readGguf } from '../../src/gguf/reader.ts';
import { type GgufContent, ggufPieces } from '../../src/gguf/writer.ts';
import type { ByteSource } from '../../src/platform.ts';
import { seeded } from '../seeded.ts';

const FILES = process.env.LAYERSCOPE_FULL === '1' ? 20_000 : 1_000;
const BATCH = 250;

/** Of the issue: no allocation over 256 MB, no hang over 5 s. */
const MAX_BYTES = 256e6;
const MAX_MS = 5000;

interface Base {
  readonly bytes: Uint8Array;
  /** Where tensor data begin; most mutations go before it. */
  readonly headerLength: number;
}

let bases: readonly Base[] = [];

beforeAll(async () => {
  const shape = { nLayer: 2, nEmbd: 32, nHead: 4, nHeadKv: 2, nFf: 64, nVocab: 300 };
  const quantised = randomModelContent({ ...shape, type: 'Q4_0', seed: 1 });
  const halves = randomModelContent({ ...shape, type: 'F16', seed: 2, ropeFactor: 2, ropeFreqs: true, tied: true });
  const large = randomModelContent({ ...shape, nEmbd: 256, nFf: 256, nLayer: 1, type: 'Q4_K', seed: 3 });
  const contents: GgufContent[] = [
    quantised,
    { ...halves, version: 2 },
    { ...large, alignment: 64 },
    { ...quantised, metadata: everyType, tensors: quantised.tensors.slice(0, 3) },
    { metadata: everyType, tensors: [], version: 2 },
  ];
  bases = await Promise.all(
    contents.map(async (content) => {
      const bytes = await joinBytes(ggufPieces(content));
      const { tensors } = await readGguf(bytesSource('base.gguf', bytes));
      const offsets = [...tensors.values()].map((info) => info.offset);
      return { bytes, headerLength: Math.min(bytes.length, ...offsets) };
    }),
  );
});

const everyType: GgufContent['metadata'] = {
  u8: ['u8', 255],
  i16: ['i16', -1],
  u64: ['u64', 2n ** 63n],
  f64: ['f64', 0.5],
  bool: ['bool', true],
  text: ['string', 'Grüße 日本'],
  'general.alignment': ['u32', 32],
  numbers: ['f32[]', Float32Array.of(1, 2, 3)],
  flags: ['bool[]', [true, false, true]],
  wide: ['u64[]', [1, 2n ** 60n]],
  texts: ['string[]', ['a', '', 'ccc']],
};

type Random = () => number;

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

function flipBits({ bytes, headerLength }: Base, random: Random): Uint8Array {
  const mutated = bytes.slice();
  for (let n = 1 + below(random, 8); n > 0; n--) {
    const at = below(random, headerLength);
    mutated[at] = mutated[at]! ^ (1 << below(random, 8));
  }
  return mutated;
}

function truncate({ bytes, headerLength }: Base, random: Random): Uint8Array {
  return bytes.slice(0, below(random, random() < 0.5 ? headerLength : bytes.length));
}

const awkward = [0n, 1n, 2n, 9n, 255n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

/** Puts an awkward number of 1, 2, 4 or 8 bytes somewhere in the header; half the time in its first 200 bytes. */
function overwriteField({ bytes, headerLength }: Base, random: Random): Uint8Array {
  const mutated = bytes.slice();
  const view = new DataView(mutated.buffer);
  for (let n = 1 + below(random, 3); n > 0; n--) {
    const length = 2 ** below(random, 4);
    const at = below(random, (random() < 0.5 ? Math.min(200, headerLength) : headerLength) - length);
    const value = awkward[below(random, awkward.length)]! + BigInt(below(random, 3));
    for (let i = 0; i < length; i++) view.setUint8(at + i, Number((value >> BigInt(8 * i)) & 255n));
  }
  return mutated;
}

/** Inserts, or puts in place of as many bytes, a piece of another file's header. */
function splice({ bytes, headerLength }: Base, random: Random): Uint8Array {
  const other = bases[below(random, bases.length)]!;
  const from = below(random, other.headerLength);
  const piece = other.bytes.subarray(from, from + 1 + below(random, 64));
  const at = below(random, headerLength);
  const resume = at + (random() < 0.5 ? piece.length : below(random, 64));
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(resume)]);
}

const mutations = [flipBits, truncate, overwriteField, splice];

interface Counted {
  readonly source: ByteSource;
  largest: number;
}

/** A source that remembers its largest read and fails on one outside the file. */
function countedSource(name: string, bytes: Uint8Array): Counted {
  const inner = bytesSource(name, bytes);
  const counted: Counted = {
    largest: 0,
    source: {
      ...inner,
      read(offset, length) {
        if (offset + length > bytes.length) throw new Error(`read of ${length} bytes at ${offset} in ${bytes.length}`);
        counted.largest = Math.max(counted.largest, length);
        return inner.read(offset, length);
      },
    },
  };
  return counted;
}

async function readWhole(source: ByteSource): Promise<number> {
  const file = await readGguf(source);
  for (const info of file.tensors.values()) await file.dequantize(info);
  return file.tensors.size;
}

let refused = 0;
let accepted = 0;

for (let first = 0; first < FILES; first += BATCH) {
  test(`files ${first} to ${first + BATCH - 1} read or throw GgufError with their name`, async () => {
    for (let seed = first; seed < first + BATCH; seed++) {
      const random = seeded(seed);
      const mutate = mutations[seed % mutations.length]!;
      const name = `mutated-${seed}.gguf`;
      const counted = countedSource(name, mutate(bases[below(random, bases.length)]!, random));
      const memory = process.memoryUsage().arrayBuffers;
      const start = performance.now();
      try {
        await readWhole(counted.source);
        accepted++;
      } catch (error) {
        if (!(error instanceof GgufError)) throw new Error(`${name}: ${mutate.name} gave ${error}`, { cause: error });
        expect(error.file).toBe(name);
        expect(error.message).toMatch(/^Cannot read /);
        expect(error.message).toContain(name);
        refused++;
      }
      expect(performance.now() - start, name).toBeLessThan(MAX_MS);
      expect(process.memoryUsage().arrayBuffers - memory, name).toBeLessThan(MAX_BYTES);
      expect(counted.largest, name).toBeLessThanOrEqual(counted.source.size);
    }
  });
}

test('the mutations are neither all harmless nor all fatal', () => {
  expect(refused).toBeGreaterThan(FILES / 4);
  expect(accepted).toBeGreaterThan(FILES / 20);
});
