/** llama.cpp's own quantiser: a model in another type. */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { access, constants, mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Stop, watchedBy } from '../engine/watched.ts';
import { LayerscopeError } from '../errors.ts';
import { openFile } from '../node/files.ts';
import { nodePlatform } from '../node/index.ts';
import type { Watch } from '../platform.ts';
import type { Ftype, QuantizeOptions } from './ggml_blocks.ts';
import { OracleProcess } from './process.ts';

/** A folder with llama.cpp's libraries, in place of the package's. */
type Bins = { readonly bins?: string };

/** Writes `output` as `input` in another type. Written beside it and renamed: there is never half a file. */
export function quantize(
  input: string,
  output: string,
  ftype: Ftype,
  { signal, ...options }: QuantizeOptions & Bins & Pick<Watch, 'signal'> = {},
): Promise<void> {
  return quantizeWatched(input, output, ftype, options, watchedBy(nodePlatform, { signal }));
}

/** How often it is looked how much was written. */
const LOOKED_EVERY_MS = 200;

/** The same; `onBytes` is told how many bytes were written. */
export async function quantizeWatched(
  input: string,
  output: string,
  ftype: Ftype,
  { bins, ...options }: QuantizeOptions & Bins,
  { stop, onBytes }: { readonly stop?: Stop | undefined; readonly onBytes?: (bytes: number) => void },
): Promise<void> {
  await readableFile(input);
  await writableFolder(output);
  const oracle = new OracleProcess({ bins: bins ?? null, session: { file: input, threads: 1, contextLength: null } });
  const partial = `${output}.${randomUUID()}.part`;
  const remove = () => rmSync(partial, { force: true });
  process.once('exit', remove);
  const looking =
    onBytes &&
    setInterval(
      () =>
        stat(partial).then(
          ({ size }) => onBytes(size),
          () => {},
        ),
      LOOKED_EVERY_MS,
    );
  try {
    const status = await oracle.watched({ stop }, 'quantizeModel', [input, partial], ftype, options);
    if (status !== 0) {
      throw new LayerscopeError(
        `Cannot quantise ${input} to ${ftype}: llama_model_quantize returned ${status}; ` +
          'wanted a whole GGUF model that llama.cpp reads, rows that the type can hold, and room on the disk',
        { file: input },
      );
    }
    await rename(partial, output);
  } finally {
    clearInterval(looking);
    oracle.close();
    await rm(partial, { force: true });
    process.removeListener('exit', remove);
  }
}

/** Makes the folder of `file`. Throws where it cannot be written to. */
async function writableFolder(file: string): Promise<void> {
  const folder = dirname(file);
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch (cause) {
    throw new LayerscopeError(
      `Cannot write ${file}: ${(cause as Error).message}; wanted a folder that may be written to`,
      { file, cause },
    );
  }
}

/** Throws where `file` cannot be read, with the cure. */
export async function readableFile(file: string): Promise<void> {
  await (await openFile(file)).close();
}
