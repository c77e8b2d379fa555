/** The two sides of `layerscope compare`: what an argument names, and how that becomes a run or a trace. */
import { readFile } from 'node:fs/promises';
import { mapped } from '../compare/map/mapped.ts';
import { readMap } from '../compare/map/tensor_map.ts';
import type { Model } from '../engine/model.ts';
import { LayerscopeError, UsageError } from '../errors.ts';
import { parametersOf } from '../gguf/reader.ts';
import type { Run } from '../index.ts';
import type { BackendName } from '../node/backend.ts';
import type { OracleTrace } from '../oracle/index.ts';
import type { Watch } from '../platform.ts';
import type { Trace } from '../trace/trace.ts';
import { openFor, type Prompt, type PromptOptions, promptOf } from './model.ts';

/** A trace or a dump by its path, or a model and who runs it. */
export type Side =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'ours' | 'llama.cpp' | 'llama.cpp-f32'; readonly model: string };

export const SIDE_ARGUMENT =
  'a trace or a dump; or ours:MODEL, llama.cpp:MODEL, llama.cpp-f32:MODEL (its F32 twin, which rounds no activations)';

export function sideOf(argument: string): Side {
  const [, kind, model] = /^(ours|llama\.cpp|llama\.cpp-f32):(.+)$/.exec(argument) ?? [];
  if (kind === undefined || model === undefined) return { kind: 'file', path: argument };
  return { kind: kind as Exclude<Side['kind'], 'file'>, model };
}

/** What a report calls it, where `compare` cannot tell by itself. */
export function sideLabel(side: Side): string | undefined {
  if (side.kind === 'file') return side.path;
  return side.kind === 'llama.cpp-f32' ? 'llama.cpp on the F32 twin' : undefined;
}

export interface SideOptions extends PromptOptions {
  /** The model that a dump is of. */
  readonly model?: string;
  readonly backend?: BackendName;
  /** A file that says which of their tensors is which of ours. */
  readonly map?: string;
}

export interface OpenedSides {
  readonly ours: Run | Trace;
  readonly reference: Run | Trace;
  /** To run single ops on; undefined where no side names a model and none was given. */
  readonly model: Model | undefined;
  /** Where our run is beside llama.cpp's of a small file: llama.cpp's run of its F32 twin. */
  readonly twin: ((watch: Watch) => Promise<{ readonly trace: Trace; close(): Promise<void> }>) | undefined;
  close(): Promise<void>;
}

/** Bytes of values that a run may keep: what a comparison needs of a text of some hundred tokens. */
const BUDGET = 4e9;

/**
 * Opens both: files first, since they say which tokens a model is to run where no prompt is given. Throws UsageError where
 * nothing says so; whatever opening and running throw.
 */
export async function openSides(
  [ours, reference]: readonly [Side, Side],
  options: SideOptions,
  watch: Watch,
): Promise<OpenedSides> {
  const models = new Map<string, Promise<Model>>();
  const modelAt = (path: string) => {
    const opened = models.get(path) ?? openFor(path, options.backend);
    models.set(path, opened);
    return opened;
  };
  const named =
    options.model ?? [ours, reference].map((side) => (side.kind === 'file' ? undefined : side.model)).find(Boolean);
  const model = named === undefined ? undefined : await modelAt(named);
  const hasPrompt = options.prompt !== undefined || options.chat !== undefined || options.tokens !== undefined;

  const files = new Map<Side, Trace>();
  for (const side of [ours, reference]) {
    if (side.kind !== 'file') continue;
    const tokens = hasPrompt ? promptFor(side.path, model, options).tokens : undefined;
    files.set(side, await openFile(side.path, { model, tokens, map: options.map }));
  }
  const [origin] = files.values();
  const opened: (Run | Trace)[] = [];
  let twin: OpenedSides['twin'];
  for (const side of [ours, reference]) {
    if (side.kind === 'file') {
      opened.push(files.get(side) as Trace);
      continue;
    }
    const own = await modelAt(side.model);
    const prompt = hasPrompt ? promptOf(own, options) : promptIn(origin, side.model);
    await own.sha256(watch);
    if (
      side.kind === 'llama.cpp' &&
      ours.kind === 'ours' &&
      ours.model === side.model &&
      parametersOf(own.gguf) <= SMALL
    ) {
      twin = async (watching) => {
        const trace = await captured('llama.cpp-f32', own, prompt, watching);
        return { trace, close: () => trace.close() };
      };
    }
    opened.push(side.kind === 'ours' ? await ran(own, prompt, watch) : await captured(side.kind, own, prompt, watch));
  }
  const [first, second] = opened as [Run | Trace, Run | Trace];
  const close = async () => {
    for (const side of opened) await (side as { close?(): unknown }).close?.();
    for (const each of models.values()) await (await each).close();
  };
  return { ours: first, reference: second, model, twin, close };
}

/** Weights up to which an F32 twin is made unasked: a quarter of a gigabyte. */
const SMALL = 64e6;

/** The prompt for a file: ids need no model, a text does. */
function promptFor(path: string, model: Model | undefined, options: SideOptions): Pick<Prompt, 'tokens'> {
  if (model) return promptOf(model, options);
  throw new UsageError(
    `Cannot read ${path} with a prompt: no model says what its tokens are; give it with --model MODEL`,
  );
}

/** What a file says that was run. */
function promptIn(trace: Trace | undefined, model: string): Prompt {
  const { tokens, prompt, template } = trace?.manifest ?? {};
  if (tokens === undefined) {
    const why = trace ? 'the file does not say which tokens it is of' : 'nothing says which tokens';
    throw new UsageError(`Cannot run ${model}: ${why}; give --prompt TEXT, --chat TEXT or --tokens 1,2,3`);
  }
  return { tokens, origin: { ...(prompt === undefined ? {} : { prompt }), chat: template !== undefined } };
}

function ran(model: Model, { tokens, origin }: Prompt, watch: Watch): Promise<Run> {
  return model.start(tokens, { ...origin, budget: BUDGET }).toEnd(watch);
}

/** llama.cpp on the model itself, or on its F32 twin. */
async function captured(
  kind: 'llama.cpp' | 'llama.cpp-f32',
  model: Model,
  { tokens, origin }: Prompt,
  watch: Watch,
): Promise<OracleTrace> {
  const { f32Twin, llamaCpp } = await import('../oracle/index.ts');
  const { prompt, template } = model.manifest(tokens, origin);
  const engine = llamaCpp(kind === 'llama.cpp' ? model : await f32Twin(model, watch));
  try {
    return await engine.trace(tokens, {
      ...watch,
      ...(prompt === undefined ? {} : { prompt }),
      ...(template === undefined ? {} : { template }),
    });
  } finally {
    await engine.close();
  }
}

interface FileOptions {
  readonly model: Model | undefined;
  readonly tokens: readonly number[] | undefined;
  readonly map: string | undefined;
}

/** A trace of ours or a dump. With a map a dump's tensors are opened under their own names, and become ours by it. */
async function openFile(path: string, { model, tokens, map }: FileOptions): Promise<Trace> {
  const { readDump } = await import('../node/dump.ts');
  const known = { ...(model ? { model } : {}), ...(tokens ? { tokens } : {}) };
  if (map === undefined) return readDump(path, known);
  const text = await readFile(map, 'utf8').catch((cause) => {
    throw new LayerscopeError(
      `Cannot read ${map}: ${(cause as Error).message}; give a file that "layerscope map" saved`,
      {
        file: map,
        cause,
      },
    );
  });
  const dump = await readDump(path, { ...known, names: 'theirs' });
  // A trace of ours has our names already.
  if (dump.manifest.producer === 'layerscope') return dump;
  if (!model || !dump.manifest.tokens) {
    const lacks = model ? 'tokens (--tokens 1,2,3)' : 'a model (--model MODEL)';
    throw new UsageError(`Cannot map ${path}: its shapes are not known without ${lacks}`);
  }
  const shapes = await model.start(dump.manifest.tokens, { select: 'none' }).toEnd();
  return mapped(dump, readMap(text, map), shapes.trace);
}
