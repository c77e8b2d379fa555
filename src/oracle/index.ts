/**
 * The real llama.cpp as an oracle: upstream's libraries from the optional package `@node-llama-cpp/<platform>`, called
 * through koffi in a process of their own, on the CPU backend alone.
 */
import picomatch from 'picomatch';
import { LayerscopeError } from '../errors.ts';
import { findLibraries, librariesFolder } from './package.ts';
import { OracleProcess } from './process.ts';
import { readableFile } from './quantize.ts';
import type { TimeOptions, Timing } from './run.ts';
import type { OraclePass, OracleTensor, OracleTrace, OracleVersions } from './trace.ts';
import type { DetokenizeOptions, TokenizeOptions } from './vocabulary.ts';

export { dequantizeRow, quantizeChunk } from './blocks.ts';
export type { Ftype, QuantizeOptions } from './ggml_blocks.ts';
export { cacheFolder, f32Twin, quantize } from './quantize.ts';
export type { Speed, TimeOptions, Timing } from './run.ts';
export type { OracleNode, OraclePass, OracleTensor, OracleTrace, OracleVersions } from './trace.ts';
export type { DetokenizeOptions, TokenizeOptions } from './vocabulary.ts';

export interface LlamaCppOptions {
  /** Default 1: small models run slower with more. */
  readonly threads?: number;
  /** Positions that a context holds. Default: as many as each call needs. */
  readonly contextLength?: number;
  /** A folder with llama.cpp's libraries, in place of the package's. */
  readonly bins?: string;
}

export interface TraceOptions {
  /** Which nodes to keep, by our name or llama.cpp's: a regular expression or a glob. Default all. */
  readonly nodes?: RegExp | string;
  /** How the ids are cut into calls of llama_decode: [5, 1, 1] is a prefill of 5 and two decode steps. Default one call. */
  readonly passes?: readonly number[];
}

/** A model in llama.cpp. Its process starts on the first call and ends on `close` or with this one. */
export interface LlamaCpp {
  tokenize(text: string, options?: TokenizeOptions): Promise<number[]>;
  tokenizeAll(texts: readonly string[], options?: TokenizeOptions): Promise<number[][]>;
  /** The text of each id; a piece that is no whole character shows as U+FFFD, see `pieceBytes`. */
  pieces(ids: readonly number[]): Promise<string[]>;
  pieceBytes(ids: readonly number[]): Promise<Uint8Array[]>;
  detokenize(ids: readonly number[], options?: DetokenizeOptions): Promise<string>;
  /** Every value of the graph. Weights as the file has them: on quantised ones llama.cpp rounds activations, see `f32Twin`. */
  trace(ids: readonly number[], options?: TraceOptions): Promise<OracleTrace>;
  /** [token, vocab]. */
  logits(ids: readonly number[]): Promise<OracleTensor>;
  /** At most `n` ids that follow, the largest logit each; an end-of-generation token ends them and is included. */
  greedy(ids: readonly number[], n: number): Promise<number[]>;
  /** The speed of llama.cpp at its own defaults, for a benchmark. */
  time(options: TimeOptions): Promise<Timing>;
  versions(): Promise<OracleVersions>;
  close(): Promise<void>;
}

/** A model in llama.cpp, by path or as `openModel` gave it; nothing is loaded before the first call. */
export function llamaCpp(model: string | { readonly name: string }, options: LlamaCppOptions = {}): LlamaCpp {
  const file = typeof model === 'string' ? model : model.name;
  const oracle = new OracleProcess({
    bins: options.bins ?? null,
    session: { file, threads: options.threads ?? 1, contextLength: options.contextLength ?? null },
  });
  const call: OracleProcess['call'] = async (name, ...args) => {
    await readableFile(file);
    return oracle.call(name, ...args);
  };
  const tokenizeAll = async (texts: readonly string[], how: TokenizeOptions = {}) =>
    (await call('tokenizeAll', texts, how)).map((ids) => [...ids]);
  const pieceBytes = (ids: readonly number[]) => call('pieceBytes', ids);

  return {
    tokenizeAll,
    tokenize: async (text, how) => (await tokenizeAll([text], how))[0] ?? [],
    pieceBytes,
    pieces: async (ids) => (await pieceBytes(ids)).map((bytes) => new TextDecoder().decode(bytes)),
    detokenize: (ids, how = {}) => call('detokenize', ids, how),
    trace: async (ids, { nodes, passes } = {}) => {
      if (passes) checkPasses(ids, passes);
      const versions = await call('versions');
      const select = nodes === undefined ? null : expression(nodes);
      return inOneTrace(ids, await call('trace', ids, passes ?? [ids.length], select), versions);
    },
    logits: (ids) => call('logits', ids),
    greedy: (ids, n) => call('greedy', ids, n),
    time: (what) => call('time', what),
    versions: () => oracle.call('versions'),
    close: async () => oracle.close(),
  };
}

function expression(nodes: RegExp | string): RegExp {
  if (typeof nodes === 'string') return picomatch.makeRe(nodes);
  // A global expression keeps its place between tests.
  return new RegExp(nodes.source, nodes.flags.replace(/[gy]/g, ''));
}

function checkPasses(ids: readonly number[], passes: readonly number[]): void {
  const total = passes.reduce((sum, size) => sum + size, 0);
  if (total === ids.length && passes.every((size) => Number.isInteger(size) && size > 0)) return;
  throw new LayerscopeError(
    `Cannot trace in llama.cpp: passes of ${passes.join(' + ')} tokens do not add up to the ${ids.length} given; ` +
      'wanted positive sizes with that sum',
  );
}

function inOneTrace(tokens: readonly number[], passes: readonly OraclePass[], versions: OracleVersions): OracleTrace {
  return {
    tokens,
    tensors: new Map(passes.flatMap((pass) => [...pass.tensors])),
    unmapped: passes.flatMap((pass) => pass.unmapped),
    passes,
    versions,
  };
}

/** null where llama.cpp can be loaded here, else why not and what to do; a test says it when it is skipped. */
export function oracleAvailable(bins?: string): string | null {
  try {
    findLibraries(librariesFolder(bins));
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
