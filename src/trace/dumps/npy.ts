/**
 * One array as numpy.save writes it. The header is ten lines of reading here: the package for it, npyjs, ignores byte order,
 * Fortran order and data that is cut off, and brings a polyfill of fetch.
 * Source: NEP 1, and numpy/lib/format.py's description of versions 1 to 3.
 */
import { TraceError } from '../../errors.ts';
import type { ByteSource } from '../../platform.ts';
import type { ForeignTensor } from './dump.ts';
import { floatsOf, type NumberTypeName, numberTypes } from './numbers.ts';
import { gathered, product, rowMajor } from './view.ts';

const MAGIC = '\x93NUMPY';
/** Magic, version, and a header length of four bytes. */
const LONGEST_PREFIX = 12;

const TYPES: Readonly<Record<string, NumberTypeName>> = {
  f2: 'f16',
  f4: 'f32',
  f8: 'f64',
  i1: 'i8',
  i2: 'i16',
  i4: 'i32',
  i8: 'i64',
  u1: 'u8',
  u4: 'u32',
  u8: 'u64',
  b1: 'bool',
};

interface Header {
  readonly type: NumberTypeName;
  readonly isLittleEndian: boolean;
  readonly isFortran: boolean;
  readonly shape: readonly number[];
  /** Where the numbers begin. */
  readonly start: number;
}

/** Whether bytes begin as such a file does. */
export function isNpy(head: Uint8Array): boolean {
  return String.fromCharCode(...head.subarray(0, MAGIC.length)) === MAGIC;
}

/** The array of a file, named `name`. Throws TraceError where the file is none, is cut off, or holds no numbers. */
export async function openNpy(source: ByteSource, name: string): Promise<ForeignTensor> {
  const { type, isLittleEndian, isFortran, shape, start } = await readHeader(source);
  const size = product(shape);
  const bytes = size * numberTypes[type].bytes;
  if (start + bytes !== source.size) {
    const found = source.size - start;
    throw broken(
      source,
      `it has ${found} bytes of numbers; its header says ${type} [${shape}], which takes ${bytes}`,
      found < bytes ? 'it is cut off: copy it again' : 'write one array into each file',
    );
  }
  const load = async () => {
    const data = numbers(source, await source.read(start, bytes), type, isLittleEndian);
    if (!isFortran) return data;
    const strides = rowMajor(shape.toReversed()).reverse();
    return gathered(data, { shape, strides }, name);
  };
  return { name, dtype: type, shape, size, pass: 0, load };
}

function numbers(source: ByteSource, bytes: Uint8Array, type: NumberTypeName, isLittleEndian: boolean): Float32Array {
  try {
    return floatsOf(bytes, type, isLittleEndian);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new TraceError(`Cannot read ${source.name}: ${cause.message}`, { file: source.name, cause });
  }
}

async function readHeader(source: ByteSource): Promise<Header> {
  const prefix = await source.read(0, Math.min(LONGEST_PREFIX, source.size));
  if (!isNpy(prefix)) throw broken(source, 'it does not begin with \\x93NUMPY', 'write it with numpy.save');
  if (prefix.length < LONGEST_PREFIX) throw cutOff(source);
  const view = new DataView(prefix.buffer, prefix.byteOffset);
  const major = view.getUint8(6);
  if (major < 1 || major > 3)
    throw broken(source, `its version is ${major}; known are 1 to 3`, 'write it with numpy.save');
  const at = major === 1 ? 10 : 12;
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (at + length > source.size) throw cutOff(source);
  return parsed(source, new TextDecoder('latin1').decode(await source.read(at, length)), at + length);
}

/** The header is a literal of Python: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`. */
function parsed(source: ByteSource, text: string, start: number): Header {
  const descr = /'descr':\s*'([<>|=]?)([a-zA-Z]\d*)'/.exec(text);
  const order = /'fortran_order':\s*(True|False)/.exec(text);
  const sizes = /'shape':\s*\(([\d,\s]*)\)/.exec(text);
  if (/'descr':\s*\[/.test(text)) {
    throw broken(source, 'its elements are records of several fields', 'save each field as an array of its own');
  }
  if (!descr || !order || !sizes) {
    throw broken(source, 'its header does not give descr, fortran_order and shape', 'write it with numpy.save');
  }
  const [, endian, code = ''] = descr;
  const type = TYPES[code];
  if (!type) throw broken(source, ...wrongType(code));
  const shape = (sizes[1] ?? '').split(',').flatMap((size) => (size.trim() === '' ? [] : [Number(size)]));
  return { type, isLittleEndian: endian !== '>', isFortran: order[1] === 'True', shape, start };
}

function wrongType(code: string): [found: string, cure: string] {
  if (code === 'u2' || code === 'V2') {
    const cure = "if they are bfloat16, save a.view(ml_dtypes.bfloat16).astype('f4'), or write them as a .bf16 file";
    return [
      `its elements are ${code === 'u2' ? 'uint16' : 'two bytes of no type'}, which may be the bits of bfloat16`,
      cure,
    ];
  }
  if (code.startsWith('O')) return ['its elements are Python objects', "save a.astype('f4')"];
  return [`its dtype is ${code}; read are ${Object.keys(TYPES).join(', ')}`, "save a.astype('f4')"];
}

function cutOff(source: ByteSource): TraceError {
  return broken(source, `it has ${source.size} bytes and ends within its header`, 'it is cut off: copy it again');
}

function broken({ name }: ByteSource, found: string, cure: string): TraceError {
  return new TraceError(`Cannot read ${name}: ${found}; ${cure}`, { file: name });
}
