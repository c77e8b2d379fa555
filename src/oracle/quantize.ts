/** llama.cpp's own quantiser, and the F32 twin of a model: the same weights, dequantised once, so that no op rounds its input. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { access, constants, mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LayerscopeError } from '../errors.ts';
import { openFile } from '../node/files.ts';
import type { Ftype, QuantizeOptions } from './ggml_blocks.ts';
import { OracleProcess } from './process.ts';

/** Writes `output` as `input` in another type. Written beside it and renamed: there is never half a file. */
export async function quantize(
  input: string,
  output: string,
  ftype: Ftype,
  options: QuantizeOptions & { readonly bins?: string } = {},
): Promise<void> {
  await readableFile(input);
  await writableFolder(output);
  const { bins, ...quantizeOptions } = options;
  const oracle = new OracleProcess({ bins: bins ?? null, session: { file: input, threads: 1, contextLength: null } });
  const partial = `${output}.${randomUUID()}.part`;
  try {
    const status = await oracle.call('quantizeModel', [input, partial], ftype, quantizeOptions);
    if (status !== 0) {
      throw new LayerscopeError(
        `Cannot quantise ${input} to ${ftype}: llama_model_quantize returned ${status}; ` +
          'wanted a whole GGUF model that llama.cpp reads, rows that the type can hold, and room on the disk',
        { file: input },
      );
    }
    await rename(partial, output);
  } finally {
    await rm(partial, { force: true });
    oracle.close();
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

/** Where derived files are kept: LAYERSCOPE_CACHE, else `layerscope` in XDG_CACHE_HOME or ~/.cache. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env.LAYERSCOPE_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'layerscope');
}

/** The path of `file`'s F32 twin, made on first use and kept by the file's sha256. About 4 bytes per weight. */
export async function f32Twin(
  file: string,
  options: QuantizeOptions & { readonly bins?: string } = {},
): Promise<string> {
  await readableFile(file);
  const twin = join(cacheFolder(), 'f32', `${await sha256(file)}.gguf`);
  if (!existsSync(twin)) await quantize(file, twin, 'F32', options);
  return twin;
}

/** Of a file, 64 hexadecimal digits. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Throws where `file` cannot be read, with the cure. */
export async function readableFile(file: string): Promise<void> {
  await (await openFile(file)).close();
}
