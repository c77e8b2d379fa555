/** Numbers and nothing else: a file `<name>.f32`, `<name>.f16` or `<name>.bf16`, little endian. Its shape is the model's. */
import { TraceError } from '../../errors.ts';
import type { ByteSource } from '../../platform.ts';
import type { ForeignTensor } from './dump.ts';
import { floatsOf, numberTypes } from './numbers.ts';

const RAW_TYPES = ['f32', 'f16', 'bf16'] as const;

/** The number type that a file's name ends in; undefined for other names. */
export function rawType(path: string): (typeof RAW_TYPES)[number] | undefined {
  return RAW_TYPES.find((type) => path.endsWith(`.${type}`));
}

/** The file's numbers as the tensor `name`. Throws TraceError where its size is no whole number of them. */
export function openRaw(source: ByteSource, name: string, type: (typeof RAW_TYPES)[number]): ForeignTensor {
  const { bytes } = numberTypes[type];
  if (source.size % bytes !== 0) {
    throw new TraceError(
      `Cannot read ${source.name}: it has ${source.size} bytes; ${type} takes ${bytes} for each number; write or copy it again`,
      { file: source.name },
    );
  }
  const load = async () => floatsOf(await source.read(0, source.size), type);
  return { name, dtype: type, shape: null, size: source.size / bytes, pass: 0, load };
}
