/**
 * The real llama.cpp as an oracle: upstream's libraries from the optional package `@node-llama-cpp/<platform>`, called
 * through koffi in a process of their own, on the CPU backend alone.
 */
import type { Model } from '../engine/model.ts';
import { watchedBy } from '../engine/watched.ts';
import { LayerscopeError, TraceError } from '../errors.ts';
import type { NodeChoice } from '../llama/graph_names.ts';
import { nodePlatform } from '../node/index.ts';
import type { Watch } from '../platform.ts';
import { Tensor } from '../trace/tensor.ts';
import type { Manifest } from '../trace/trace.ts';
import { captureManifest } from './manifest.ts';
import { findLibraries, librariesFolder, type OracleVersions } from './package.ts';
import { OracleProcess } from './process.ts';
import { readableFile } from './quantize.ts';
import { mustHaveRoom } from './room.ts';
import type { TimeOptions, Timing, TraceReply } from './run.ts';
import { Spool } from './spool.ts';
import { Subject } from './subject.ts';
import { type OracleTrace, oracleTrace } from './trace.ts';
import type { DetokenizeOptions, TokenizeOptions } from './vocabulary.ts';

export { dequantizeRow, quantizeChunk } from './blocks.ts';
export type { Ftype, QuantizeOptions } from './ggml_blocks.ts';
export type { OracleVersions } from './package.ts';
export { quantize } from './quantize.ts';
export type { Speed, TimeOptions, Timing } from './run.ts';
export type { OracleTrace, SpooledTrace } from './trace.ts';
export { cacheFolder, f32Twin, type TwinOptions, type TwinOrigin } from './twin.ts';
export type { DetokenizeOptions, TokenizeOptions } from './vocabulary.ts';

export interface LlamaCppOptions {
  /** Default 1: small models run slower with more. */
  readonly threads?: number;
  /** Positions that a context holds. Default: as many as each call needs. */
  readonly contextLength?: number;
  /** A folder with llama.cpp's libraries, in place of the package's; LAYERSCOPE_LLAMA_CPP names one for every call. */
  readonly bins?: string;
}

export interface TraceOptions extends Watch, Pick<Manifest, 'prompt' | 'template'> {
  /**
   * Which nodes to keep: globs over our names, their aliases and llama.cpp's names, as `select` of a run has them, or an
   * expression on our names and llama.cpp's. Default all.
   */
  readonly nodes?: NodeChoice;
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
  /**
   * Every value of the graph, on disk in the system's temporary folder until the trace is closed or nothing leads to it.
   * Weights as the file has them: on quantised ones llama.cpp rounds activations, see `f32Twin`. Throws TraceError where the
   * disk is too small, InterruptedError where it is stopped, LayerscopeError where llama.cpp cannot.
   */
  trace(ids: readonly number[], options?: TraceOptions): Promise<OracleTrace>;
  /** [token, vocab]. */
  logits(ids: readonly number[]): Promise<Tensor>;
  /** At most `n` ids that follow, the largest logit each; an end-of-generation token ends them and is included. */
  greedy(ids: readonly number[], n: number): Promise<number[]>;
  /** The speed of llama.cpp at its own defaults, for a benchmark. */
  time(options: TimeOptions): Promise<Timing>;
  versions(): Promise<OracleVersions>;
  close(): Promise<void>;
}

/** A model in llama.cpp, by path or as `openModel` gave it; nothing is loaded before the first call. */
export function llamaCpp(model: string | Model, options: LlamaCppOptions = {}): LlamaCpp {
  const subject = new Subject(model);
  const { file } = subject;
  const threads = options.threads ?? 1;
  const oracle = new OracleProcess({
    bins: options.bins ?? null,
    session: { file, threads, contextLength: options.contextLength ?? null },
  });
  const call: OracleProcess['call'] = async (name, ...args) => {
    await readableFile(file);
    return oracle.call(name, ...args);
  };
  const tokenizeAll = async (texts: readonly string[], how: TokenizeOptions = {}) =>
    (await call('tokenizeAll', texts, how)).map((ids) => [...ids]);
  const pieceBytes = (ids: readonly number[]) => call('pieceBytes', ids);
  const pieces = async (ids: readonly number[]) =>
    (await pieceBytes(ids)).map((bytes) => new TextDecoder().decode(bytes));

  return {
    tokenizeAll,
    tokenize: async (text, how) => (await tokenizeAll([text], how))[0] ?? [],
    pieceBytes,
    pieces,
    detokenize: (ids, how = {}) => call('detokenize', ids, how),
    trace: async (ids, { nodes, passes: cut, prompt, template, ...watch } = {}) => {
      if (cut) checkPasses(ids, cut);
      const passes = cut ?? [ids.length];
      const select = nodes === undefined ? null : withoutPlace(nodes);
      await call('checkIds', ids);
      const versions = await call('versions');
      await mustHaveRoom(subject, passes, select);
      const spool = new Spool();
      try {
        const request = { ids, passes, select, spool: spool.path };
        const { bos, ...captured } = await oracle.watched(watchedBy(nodePlatform, watch), 'trace', request);
        mustHaveNodes(file, captured, select);
        const facts = {
          ids,
          pieces: subject.pieces(ids) ?? (await pieces(ids)),
          passes,
          bos,
          threads,
          versions,
          prompt,
          template,
        };
        return oracleTrace(await captureManifest(subject, facts, watch), captured, spool);
      } catch (error) {
        spool.close();
        throw error;
      }
    },
    logits: async (ids) => {
      const { shape, data } = await call('logits', ids);
      return new Tensor({ name: 'result_output', shape, dims: ['token', 'vocab'], data });
    },
    greedy: (ids, n) => call('greedy', ids, n),
    time: (what) => call('time', what),
    versions: () => oracle.call('versions'),
    close: async () => oracle.close(),
  };
}

/** A global expression keeps its place between tests. */
function withoutPlace(nodes: NodeChoice): NodeChoice {
  return nodes instanceof RegExp ? new RegExp(nodes.source, nodes.flags.replace(/[gy]/g, '')) : nodes;
}

function mustHaveNodes(file: string, { nodes }: Pick<TraceReply, 'nodes'>, wanted: NodeChoice | null): void {
  if (nodes.length > 0) return;
  throw new TraceError(
    `Cannot trace ${file} in llama.cpp: no node is chosen by ${wanted}; wanted names such as l_out-0, kq-0 or KQ_mask ` +
      '(without nodes, the names of the trace and of its unmapped are all there are)',
    { file },
  );
}

function checkPasses(ids: readonly number[], passes: readonly number[]): void {
  const total = passes.reduce((sum, size) => sum + size, 0);
  if (total === ids.length && passes.every((size) => Number.isInteger(size) && size > 0)) return;
  throw new LayerscopeError(
    `Cannot trace in llama.cpp: passes of ${passes.join(' + ')} tokens do not add up to the ${ids.length} given; ` +
      'wanted positive sizes with that sum',
  );
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
