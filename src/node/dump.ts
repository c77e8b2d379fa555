/** A dump of another program, whatever its format, opened as a trace: the format is told from the content. */
import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { Model } from '../engine/model.ts';
import { outputShapes } from '../engine/shapes.ts';
import { LayerscopeError, TraceError } from '../errors.ts';
import { type DumpedModel, foreignNames } from '../llama/foreign_names.ts';
import type { ByteSource } from '../platform.ts';
import { openArrowTrace } from '../trace/arrow_reader.ts';
import { isArrowFile, isArrowStream, isArrowTrace, openForeignArrow } from '../trace/dumps/arrow.ts';
import {
  asTheyAre,
  type Dump,
  type ForeignTensor,
  type NameMap,
  type NotRead,
  placedTrace,
  reasonOf,
} from '../trace/dumps/dump.ts';
import { isLlamaCppLog, readLlamaCppLog } from '../trace/dumps/llama_cpp_log.ts';
import { isNpy, openNpy } from '../trace/dumps/npy.ts';
import { openNpz } from '../trace/dumps/npz.ts';
import { openRaw, rawType } from '../trace/dumps/raw.ts';
import { isSafetensors, openSafetensors } from '../trace/dumps/safetensors.ts';
import { hasTable, readSumsTable, type SumsTableOptions } from '../trace/dumps/sums_table.ts';
import type { Manifest, Trace } from '../trace/trace.ts';
import { openFile } from './files.ts';

export const dumpFormats = ['llama.cpp log', 'npy', 'npz', 'raw', 'safetensors', 'arrow', 'table'] as const;
export type DumpFormat = (typeof dumpFormats)[number];

export interface ReadDumpOptions extends SumsTableOptions {
  /** The model that was run: it says which tensors there are, of what shape, and how long a head is. */
  readonly model?: Model;
  /** The ids that were run, where the dump does not say. */
  readonly tokens?: readonly number[];
  /** Where the content does not tell, or tells wrongly. */
  readonly format?: DumpFormat;
  /**
   * Which of our tensors theirs are: their name → ours, before all we know; or a map of one's own, in place of it. 'theirs'
   * keeps their names and shapes, as `proposeMap` and `mapped` take a dump.
   */
  readonly names?: Readonly<Record<string, string>> | NameMap | 'theirs';
}

/** A file that stands beside the tensors and says what was run. */
const SIDECAR = 'manifest.json';

const KNOWN =
  'known are logs of llama-eval-callback and llama-debug, .npy files and .npz, headerless .f32, .f16 and .bf16 files, ' +
  'safetensors, Arrow, and tables of sums in CSV or Markdown';

/**
 * Opens a dump: a file, or a folder of .npy, .f32, .f16, .bf16, .npz and safetensors files with a manifest.json beside them
 * that holds `tokens` and whatever else is known of the run (bos, model, template, prompt). `path#2` and `path#heading` are the
 * table of that number or heading. Values are read from the disk when asked for; they are all read once now, one tensor at a time,
 * for their statistics. `manifest.notRead` lists each file, tensor and row that is not in the trace, and why.
 *
 * @throws TraceError where the format is not known, the file is broken, or not one tensor in it can be placed
 */
export async function readDump(path: string, options: ReadDumpOptions = {}): Promise<Trace> {
  const { path: bare, table } = await withTable(path, options.table);
  const isFolder = (await stat(bare).catch(() => null))?.isDirectory() ?? false;
  if (isFolder) return placed(await openFolder(bare), options, false);
  const source = await openFile(bare);
  try {
    return await readDumpFrom(source, { ...options, ...(table === undefined ? {} : { table }) });
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** As `readDump`, of one file that is open; closing the trace closes it. Where it throws, the source stays open. */
export async function readDumpFrom(source: ByteSource, options: ReadDumpOptions = {}): Promise<Trace> {
  const format = options.format ?? (await formatOf(source));
  if (format === 'arrow' && isArrowFile(await head(source)) && (await isArrowTrace(source))) {
    return openArrowTrace(source);
  }
  return placed(await openAs(format, source, options), options, format === 'table');
}

/** `notes.md#2` is table 2 of notes.md, unless there is a file of that whole name. */
async function withTable(path: string, table: number | string | undefined) {
  const at = path.lastIndexOf('#');
  if (at < 1 || table !== undefined || (await stat(path).catch(() => null))) return { path, table };
  return { path: path.slice(0, at), table: path.slice(at + 1) };
}

/** Bytes that tell a format. */
const HEAD_BYTES = 16;
/** A text is told from its beginning; the models' own messages stand before the first tensor of a log. */
const TEXT_BYTES = 2 ** 20;
/** A log of 256 MiB holds half a million tensors, a table of 4 MiB forty thousand. */
const LONGEST_LOG = 2 ** 28;
const LONGEST_TABLE = 2 ** 22;

function head(source: ByteSource, bytes = HEAD_BYTES): Promise<Uint8Array> {
  return source.read(0, Math.min(bytes, source.size));
}

async function formatOf(source: ByteSource): Promise<DumpFormat> {
  const first = await head(source);
  const magic = String.fromCharCode(...first.subarray(0, 4));
  if (isArrowFile(first) || isArrowStream(first)) return 'arrow';
  if (isNpy(first)) return 'npy';
  if (magic === 'PK\x03\x04' || magic === 'PK\x05\x06') return zipFormat(source);
  if (isSafetensors(first, source.size)) return 'safetensors';
  if (rawType(source.name)) return 'raw';
  if (magic === 'GGUF')
    throw unknown(source.name, 'it is a model, not a dump of its run; give the dump, and this as its model');
  const text = new TextDecoder().decode(await head(source, TEXT_BYTES));
  if (isLlamaCppLog(text)) return 'llama.cpp log';
  if (hasTable(text, source.name)) return 'table';
  throw unknown(source.name, `it begins with ${shown(first)}`);
}

/** numpy's zips hold .npy files; PyTorch's hold a pickle, which only Python can read safely. */
async function zipFormat(source: ByteSource): Promise<DumpFormat> {
  const text = new TextDecoder('latin1').decode(await head(source, 4096));
  if (!text.includes('data.pkl')) return 'npz';
  throw unknown(
    source.name,
    'it is a PyTorch file, which holds Python code; write it with safetensors.torch.save_file',
  );
}

function shown(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes);
  return /^[\x20-\x7e\s]+$/.test(text)
    ? JSON.stringify(text)
    : `bytes ${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`;
}

function unknown(path: string, found: string): TraceError {
  return new TraceError(`Cannot read the dump ${path}: ${found}; ${KNOWN}`, { file: path });
}

async function openAs(format: DumpFormat, source: ByteSource, { table }: SumsTableOptions): Promise<Dump> {
  const close = () => source.close();
  switch (format) {
    case 'llama.cpp log':
      return { ...readLlamaCppLog(await textOf(source, LONGEST_LOG), source.name), close };
    case 'table':
      return {
        ...readSumsTable(await textOf(source, LONGEST_TABLE), source.name, table === undefined ? {} : { table }),
        close,
      };
    case 'npz':
      return openNpz(source);
    case 'safetensors':
      return openSafetensors(source);
    case 'arrow':
      return openForeignArrow(source);
    case 'npy':
      return oneTensor(source, await openNpy(source, stem(source.name)));
    case 'raw':
      return oneTensor(source, openRaw(source, stem(source.name), rawType(source.name) ?? 'f32'));
    default:
      return format satisfies never;
  }
}

async function textOf(source: ByteSource, longest: number): Promise<string> {
  if (source.size > longest) {
    throw new TraceError(
      `Cannot read ${source.name}: it has ${source.size} bytes; as a text it may have ${longest}; cut it into several`,
      { file: source.name },
    );
  }
  return new TextDecoder().decode(await source.read(0, source.size));
}

function oneTensor(source: ByteSource, tensor: ForeignTensor): Dump {
  return { source: source.name, manifest: {}, tensors: [tensor], notRead: [], close: () => source.close() };
}

function stem(path: string): string {
  return basename(path, extname(path));
}

/** All that a folder's files hold; what is none of theirs is named in `notRead`. Files are closed between reads. */
async function openFolder(folder: string): Promise<Dump> {
  const tensors: ForeignTensor[] = [];
  const notRead: NotRead[] = [];
  let manifest: Manifest = {};
  for (const item of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, item.name);
    try {
      if (item.name === SIDECAR) manifest = await sidecar(path);
      else if (item.isDirectory()) notRead.push({ name: item.name, why: 'it is a folder' });
      else {
        const source = await reopenedFile(path);
        const dump = await openAs(await folderFormat(source), source, {});
        tensors.push(...dump.tensors);
        notRead.push(...dump.notRead);
      }
    } catch (error) {
      if (!(error instanceof LayerscopeError) || item.name === SIDECAR) throw error;
      notRead.push({ name: item.name, why: reasonOf(error) });
    }
  }
  return { source: folder, manifest, tensors, notRead };
}

/** Of a file among others: a text there is a note, not a dump. */
async function folderFormat(source: ByteSource): Promise<DumpFormat> {
  const format = await formatOf(source);
  if (format !== 'llama.cpp log' && format !== 'table') return format;
  throw new TraceError(`Cannot read ${source.name}: it is a text among other files; read it by its own path`, {
    file: source.name,
  });
}

/** A file that is open only while it is read: a folder may hold thousands. */
async function reopenedFile(path: string): Promise<ByteSource> {
  const { size, close } = await openFile(path);
  await close();
  return {
    name: path,
    size,
    async read(offset, length, into) {
      const source = await openFile(path);
      try {
        return await source.read(offset, length, into);
      } finally {
        await source.close();
      }
    },
    async close() {},
  };
}

async function sidecar(path: string): Promise<Manifest> {
  const source = await openFile(path);
  try {
    const manifest: unknown = JSON.parse(await textOf(source, LONGEST_TABLE));
    if (typeof manifest !== 'object' || manifest === null || Array.isArray(manifest))
      throw new Error('it is no object');
    const { tokens } = manifest as Manifest;
    if (tokens !== undefined && !areIds(tokens)) throw new Error('its tokens are no list of ids');
    return manifest as Manifest;
  } catch (cause) {
    if (cause instanceof LayerscopeError) throw cause;
    throw new TraceError(`Cannot read ${path}: ${reasonOf(cause)}; wanted JSON such as {"tokens": [1, 2, 3]}`, {
      file: path,
      cause,
    });
  } finally {
    await source.close();
  }
}

function areIds(tokens: unknown): tokens is number[] {
  return Array.isArray(tokens) && tokens.every((token) => Number.isInteger(token) && token >= 0);
}

async function placed(dump: Dump, { model, tokens, names }: ReadDumpOptions, words: boolean): Promise<Trace> {
  const { tensors, ids } = await withoutTokens(dump);
  const known = tokensOf(dump, [ids, tokens]);
  const dumped = model && dumpedModel(model);
  const passes = passesOf({ ...dump, tensors }, known, dumped);
  const map = nameMapOf(names, (known) => foreignNames({ model: dumped, passes, names: known, words }));
  return placedTrace({ ...dump, tensors }, map, known ? { tokens: known, ...asText(known, dump, model) } : {});
}

function nameMapOf(
  names: ReadDumpOptions['names'],
  knownNames: (names: Readonly<Record<string, string>> | undefined) => NameMap,
): NameMap {
  if (names === 'theirs') return asTheyAre;
  return typeof names === 'function' ? names : knownNames(names);
}

/** What a model's vocabulary makes of ids; nothing where they are not its own. */
function asText(tokens: readonly number[], { manifest }: Dump, model: Model | undefined): Manifest {
  if (!model || tokens.some((id) => id >= model.config.nVocab)) return {};
  const { tokenizer } = model;
  return { pieces: tokens.map((id) => tokenizer.piece(id)), bos: manifest.bos ?? tokens[0] === tokenizer.bos };
}

/** A model as the name maps need it. */
export function dumpedModel({ config, steps, gguf }: Model): DumpedModel {
  return { config, steps, shapes: (pass) => outputShapes(steps, pass, (name) => gguf.tensors.get(name)?.shape) };
}

const TOKENS = /^(tokens|token_ids|input_ids)$/;

/** A tensor of ids among the others says what was run. */
async function withoutTokens({ tensors }: Dump): Promise<{ tensors: readonly ForeignTensor[]; ids?: number[] }> {
  const found = tensors.find(({ name, dtype, load }) => TOKENS.test(name) && /^[iu]/.test(dtype) && load);
  if (!found?.load) return { tensors };
  const ids = [...(await found.load())];
  return areIds(ids) ? { tensors: tensors.filter((tensor) => tensor !== found), ids } : { tensors };
}

/** The ids that the dump or its reader knows; throws where they contradict each other. */
function tokensOf(
  { manifest, source }: Dump,
  more: readonly (readonly number[] | undefined)[],
): readonly number[] | undefined {
  const said = [manifest.tokens, ...more].filter((tokens) => tokens !== undefined);
  const [first] = said;
  const other = said.find((tokens) => tokens.join() !== first?.join());
  if (first && other) {
    throw new TraceError(
      `Cannot read ${source}: it is a run of tokens ${first.join(',')}, and ${other.join(',')} were given; leave them out`,
      { file: source },
    );
  }
  return first;
}

/** Tokens of each pass; null where nothing tells. */
function passesOf(
  dump: Dump,
  tokens: readonly number[] | undefined,
  model: DumpedModel | undefined,
): readonly number[] | null {
  const counted = dump.passes?.some((count) => count > 0) ? dump.passes : null;
  const total = counted?.reduce((sum, count) => sum + count, 0);
  if (counted && tokens && total !== undefined && total < tokens.length) {
    throw new TraceError(
      `Cannot read ${dump.source}: its passes have ${counted.join(' + ')} tokens; wanted at least the ${tokens.length} of the prompt`,
      { file: dump.source },
    );
  }
  if (counted) return counted;
  if (tokens) return [tokens.length];
  const inferred = model && tokensBySize(dump.tensors, model);
  return inferred === undefined ? null : [inferred];
}

/** How many tokens the residual stream's tensors have room for: what `embd` says, else what most of them say. */
function tokensBySize(tensors: readonly ForeignTensor[], model: DumpedModel): number | undefined {
  const { nEmbd, nCtx } = model.config;
  const votes = new Map<number, number>();
  for (const tensor of tensors) {
    const count = (tensor.size ?? 0) / nEmbd;
    if (tensor.pass > 0 || !Number.isInteger(count) || count < 1 || count > nCtx) continue;
    const place = foreignNames({ model, passes: [count] })(tensor);
    if (typeof place === 'string' || place.dims.join() !== 'token,embd' || place.view?.shape[0] !== count) continue;
    if (place.name === 'embd') return count;
    votes.set(count, (votes.get(count) ?? 0) + 1);
  }
  return [...votes].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0]?.[0];
}
