/** Bytes of .npy files as numpy.save writes them, by its format's description, and zips of such files. */
import { type Zippable, zipSync } from 'fflate';

export interface NpyOptions {
  /** `<f4`, `>f2`, `|O`. */
  readonly descr?: string;
  readonly fortran?: boolean;
  readonly version?: 1 | 2 | 3;
}

/** The file of `shape` around the bytes of its numbers. */
export function npy(shape: readonly number[], numbers: Uint8Array, options: NpyOptions = {}): Uint8Array {
  const { descr = '<f4', fortran = false, version = 1 } = options;
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dictionary = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${sizes}), }`;
  const prefix = version === 1 ? 10 : 12;
  const length = 64 * Math.ceil((prefix + dictionary.length + 1) / 64) - prefix;
  const header = Buffer.from(`${dictionary.padEnd(length - 1)}\n`, 'latin1');
  const sizeBytes =
    version === 1 ? Uint8Array.from([length & 255, length >> 8]) : Buffer.from(Uint32Array.of(length).buffer);
  return Buffer.concat([Buffer.from('\x93NUMPY', 'latin1'), Uint8Array.from([version, 0]), sizeBytes, header, numbers]);
}

/** numpy.savez, or numpy.savez_compressed. */
export function npz(files: Readonly<Record<string, Uint8Array>>, compressed: boolean): Uint8Array {
  const entries: Zippable = {};
  for (const [name, bytes] of Object.entries(files)) entries[name] = [bytes, { level: compressed ? 6 : 0 }];
  return zipSync(entries);
}
