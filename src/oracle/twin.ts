/**
 * The F32 twin of a model: the same weights, dequantised once by llama.cpp itself, so that no op rounds its input. Kept in
 * the cache by the model's sha256, with a note beside it that says what it was made of.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join, resolve, sep } from 'node:path';
import prettyBytes from 'pretty-bytes';
import type { Model } from '../engine/model.ts';
import { mustGoOn, type Watched, watchedBy } from '../engine/watched.ts';
import { LayerscopeError } from '../errors.ts';
import { fileLength, writeGguf } from '../gguf/writer.ts';
import { freeSpace } from '../node/arrow_file.ts';
import { makeFolderFor } from '../node/folder.ts';
import { nodePlatform } from '../node/index.ts';
import { writeWholeFile } from '../node/whole_file.ts';
import type { Watch } from '../platform.ts';
import { checkedLayers, contentOf } from './first_layers.ts';
import type { QuantizeOptions } from './ggml_blocks.ts';
import { quantizeWatched } from './quantize.ts';
import { Subject, weightTypes } from './subject.ts';

/** Where derived files are kept: LAYERSCOPE_CACHE, else `layerscope` in XDG_CACHE_HOME or ~/.cache. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env.LAYERSCOPE_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'layerscope');
}

const twinFolder = (): string => join(cacheFolder(), 'f32');

/** What a twin was made of. */
export interface TwinOrigin {
  /** sha256 of the model's file. */
  readonly twinOf: string;
  /** The types of its weights. */
  readonly quantisation: string;
  /** How many of its first layers the twin has; not given where it has all. */
  readonly layers?: number;
}

/** What `file` is the twin of; null where it is none of the cache's. */
export async function twinOrigin(file: string): Promise<TwinOrigin | null> {
  const path = resolve(file);
  if (!path.startsWith(resolve(twinFolder()) + sep)) return null;
  return existsSync(notePath(path)) ? JSON.parse(await readFile(notePath(path), 'utf8')) : null;
}

const notePath = (twin: string): string => twin.replace(/\.gguf$/, '.json');

export interface TwinOptions extends QuantizeOptions, Watch {
  /** A folder with llama.cpp's libraries, in place of the package's. */
  readonly bins?: string;
  /** Bytes that the twin may have; a larger one is refused. Default 8 GB. */
  readonly limit?: number;
  /** Makes the twin of the first layers alone: its tensors are the model's up to there, its logits are not. */
  readonly layers?: number;
}

const DEFAULT_LIMIT = 8e9;

/**
 * The path of a model's F32 twin, made on first use: about 4 bytes for each weight. Its size and the free space are said
 * to `onProgress` before it is written. Throws LayerscopeError where it is larger than `limit` or than what is free,
 * InterruptedError where it is stopped; there is no half file then.
 */
export async function f32Twin(model: string | Model, options: TwinOptions = {}): Promise<string> {
  const { limit = DEFAULT_LIMIT, layers, signal, onProgress, ...quantizeOptions } = options;
  const subject = new Subject(model);
  const gguf = await subject.header();
  const kept = layers === undefined ? null : checkedLayers(gguf, layers);
  const twinOf = await subject.sha256({ signal, onProgress });
  const twin = join(twinFolder(), `${twinOf}${kept === null ? '' : `-${kept}-layers`}.gguf`);
  if (existsSync(twin) && existsSync(notePath(twin))) return twin;

  const content = contentOf(gguf, kept);
  const bytes = fileLength({ ...content, tensors: content.tensors.map((tensor) => ({ ...tensor, type: 'F32' })) });
  const free = await freeSpace(twin);
  mustFit(subject.file, twin, { bytes, limit, free, extra: kept === null ? 0 : fileLength(content) });
  await makeFolderFor(twin);
  const note: TwinOrigin = { twinOf, quantisation: weightTypes(gguf), ...(kept === null ? {} : { layers: kept }) };
  await writeWholeFile(notePath(twin), (write) => write(new TextEncoder().encode(JSON.stringify(note))));
  if (existsSync(twin)) return twin;

  const watched = watchedBy(nodePlatform, { signal, onProgress });
  const task = `writing the F32 twin (${prettyBytes(bytes)}; ${prettyBytes(free)} are free)`;
  const onBytes = (done: number) => watched.onProgress?.({ task, item: twin, done, total: bytes, unit: 'bytes' });
  onBytes(0);
  const convert = (input: string) =>
    quantizeWatched(input, twin, 'F32', quantizeOptions, { stop: watched.stop, onBytes });
  if (kept === null) await convert(subject.file);
  else await withFirstLayers(subject, kept, twin, watched, convert);
  onBytes(bytes);
  return twin;
}

/** Calls `use` with a file of the first layers, beside the twin, which is gone afterwards. */
async function withFirstLayers(
  subject: Subject,
  kept: number,
  twin: string,
  { stop }: Watched,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const path = `${twin}.${randomUUID()}.part`;
  try {
    await subject.withGguf((gguf) =>
      writeWholeFile(path, (write) =>
        writeGguf(contentOf(gguf, kept), (piece) => {
          mustGoOn(stop, `write ${twin}`, 'ask for it again to have it');
          return write(piece);
        }),
      ),
    );
    await use(path);
  } finally {
    await rm(path, { force: true });
  }
}

interface Sizes {
  /** Of the twin. */
  readonly bytes: number;
  readonly limit: number;
  readonly free: number;
  /** Of what lies beside it while it is made. */
  readonly extra: number;
}

function mustFit(file: string, twin: string, { bytes, limit, free, extra }: Sizes): void {
  const cures =
    'imitate the rounding op by op instead (ggmlArithmetic), or make the twin of the first layers: f32Twin(model, { layers: 2 })';
  const begin = `Cannot make the F32 twin of ${file}: it takes ${prettyBytes(bytes)}`;
  if (bytes > limit) {
    throw new LayerscopeError(`${begin}, more than the limit of ${prettyBytes(limit)}; raise limit, or ${cures}`, {
      file,
    });
  }
  if (bytes + extra > free) {
    const where = `and ${prettyBytes(free)} are free where ${basename(twin)} would be`;
    throw new LayerscopeError(
      `${begin}, ${where}; make room, set LAYERSCOPE_CACHE to a folder with more, or ${cures}`,
      {
        file: twin,
      },
    );
  }
}
