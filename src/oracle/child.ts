/**
 * The process that holds llama.cpp. Its parent forks this file, sends `open` and then calls; one reply for each.
 * ggml's asserts abort this process and no other.
 */
import { basename } from 'node:path';
import type { Progress } from '../platform.ts';
import { dequantizeRow, type Ftype, type QuantizeOptions, quantizeChunk, quantizeModel } from './ggml_blocks.ts';
import { probeLayouts } from './layout.ts';
import { loadNative } from './native.ts';
import { findLibraries, librariesFolder, type OracleVersions, packageVersion } from './package.ts';
import { allLogits, greedy, type TimeOptions, type TraceRequest, time, traceAll } from './run.ts';
import { logged, Session, type SessionOptions } from './session.ts';
import { type DetokenizeOptions, detokenize, pieceBytes, type TokenizeOptions, tokenizeAll } from './vocabulary.ts';

export interface OpenOptions {
  readonly bins: string | null;
  /** null where no model is needed: quantising, blocks. */
  readonly session: SessionOptions | null;
}

/** What the parent may call. */
export type Calls = ReturnType<typeof openCalls>;

/** `report` says how far the call under way is. */
function openCalls({ bins, session: sessionOptions }: OpenOptions, report: (progress: Progress) => void) {
  const libraries = findLibraries(librariesFolder(bins));
  const native = loadNative(libraries);
  native.llama_log_set(native.ignore, null);
  const scored = libraries.cpu.map((path) => ({ path, score: native.cpuScore(path) }));
  const backend = scored.reduce((best, candidate) => (candidate.score > best.score ? candidate : best));
  if (!native.ggml_backend_load(backend.path)) throw new Error(`ggml did not load ${backend.path}`);
  native.llama_backend_init();
  const layouts = probeLayouts(native);
  const session = new Session(native, layouts, sessionOptions ?? { file: '', threads: 1, contextLength: null });

  return {
    versions: (): OracleVersions => ({
      llama: native.llama_version(),
      ggml: native.ggml_version(),
      commit: native.ggml_commit(),
      backend: basename(backend.path),
      package: packageVersion(bins),
    }),
    layouts: () => layouts,
    tokenizeAll: (texts: readonly string[], options: TokenizeOptions) => tokenizeAll(session, texts, options),
    pieceBytes: (ids: readonly number[]) => pieceBytes(session, ids),
    detokenize: (ids: readonly number[], options: DetokenizeOptions) => detokenize(session, ids, options),
    checkIds: (ids: readonly number[]) => session.checkIds(ids),
    trace: (request: TraceRequest) =>
      traceAll(session, layouts, request, (item, done, total) =>
        report({ task: 'running llama.cpp', item, done, total, unit: 'layers' }),
      ),
    logits: (ids: readonly number[]) => allLogits(session, ids),
    greedy: (ids: readonly number[], n: number) => greedy(session, ids, n),
    time: (options: TimeOptions) => time(session, options),
    dequantizeRow: (type: string, bytes: Uint8Array, n: number) => dequantizeRow(native, type, bytes, n),
    quantizeChunk: (type: string, numbers: Float32Array, perRow: number) =>
      quantizeChunk(native, type, numbers, perRow),
    quantizeModel: (files: readonly [string, string], ftype: Ftype, options: QuantizeOptions) =>
      logged(native, () => quantizeModel(native, layouts, files, ftype, options)),
  };
}

/** `open` first, then any of Calls. */
export interface Request {
  readonly id: number;
  readonly call: string;
  readonly args: readonly unknown[];
}

/** Any number of `progress`, then a value or an error. */
export type Reply =
  | { readonly id: number; readonly progress: Progress }
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string; readonly file: string | undefined };

let calls: Record<string, (...args: never[]) => unknown> | undefined;
/** The request under way; one is answered before the next is read. */
let calling = -1;

function answer({ id, call, args }: Request): unknown {
  const report = (progress: Progress) => process.send?.({ id: calling, progress } satisfies Reply);
  if (call === 'open') {
    calls = openCalls(args[0] as OpenOptions, report);
    return null;
  }
  const called = calls?.[call];
  if (!called) throw new Error(`there is no call ${call}`);
  calling = id;
  return called(...(args as never[]));
}

process.on('message', (request: Request) => {
  let reply: Reply;
  try {
    reply = { id: request.id, value: answer(request) };
  } catch (error) {
    const { message, file } = error as Error & { file?: string };
    reply = { id: request.id, error: message, file };
  }
  process.send?.(reply);
});

process.on('disconnect', () => process.exit(0));
// Jupyter interrupts the whole process group; the parent decides what that means.
process.on('SIGINT', () => {});
