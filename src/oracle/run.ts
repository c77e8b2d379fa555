/** Runs a model in llama.cpp: every value, the logits, a greedy continuation, its speed. Runs in the child process. */

import { chosenBy, type NodeChoice } from '../llama/graph_names.ts';
import { Capture, type CapturedNode } from './capture.ts';
import type { Layouts } from './layout.ts';
import { registerEval, unregisterEval } from './native.ts';
import type { Session } from './session.ts';
import { SpoolWriter } from './spool.ts';

export interface TraceRequest {
  readonly ids: readonly number[];
  /** How `ids` are cut into calls of llama_decode: [5, 1, 1] is a prefill of 5 and two decode steps. */
  readonly passes: readonly number[];
  readonly select: NodeChoice | null;
  /** The file that takes the values. */
  readonly spool: string;
}

export interface TraceReply {
  readonly nodes: readonly CapturedNode[];
  /** Nodes of types that hold no numbers we read, as `name:op:type`. */
  readonly unreadable: readonly string[];
  readonly nLayer: number;
  /** Whether the first id is the vocabulary's BOS. */
  readonly bos: boolean;
}

/** `onLayer` is told how many layers of all passes are done. */
export function traceAll(
  session: Session,
  layouts: Layouts,
  { ids, passes, select, spool: path }: TraceRequest,
  onLayer: (name: string, done: number, total: number) => void,
): TraceReply {
  session.checkIds(ids);
  const { native } = session;
  const model = session.model('plain');
  const nLayer = native.llama_model_n_layer(model);
  const heads = { nHead: native.llama_model_n_head(model), nHeadKv: native.llama_model_n_head_kv(model) };
  const isChosen = chosenBy(select, nLayer);
  const spool = new SpoolWriter(path);
  const capture = new Capture({ native, layout: layouts.tensor, spool, isChosen });

  let pass = 0;
  const tell = (tensor: bigint) => {
    const name = native.ggml_get_name(tensor);
    const layer = /^l_out-(\d+)$/.exec(name)?.[1];
    if (layer !== undefined) onLayer(name, pass * nLayer + Number(layer) + 1, passes.length * nLayer);
  };
  // Thrown inside the callback, an error would unwind through C; false would stop the graph and decode still return 0.
  let failure: unknown;
  const onNode = registerEval((tensor, ask) => {
    try {
      if (failure !== undefined) return true;
      if (ask) capture.before(tensor);
      else {
        capture.after(tensor);
        tell(tensor);
      }
    } catch (error) {
      failure = error;
    }
    return true;
  });
  try {
    session.withContext({ positions: ids.length, threads: session.threads, kind: 'plain', onNode }, (context) => {
      let pos0 = 0;
      for (const nTokens of passes) {
        const nKeys = pos0 + nTokens;
        capture.begin({ pass, nTokens, nKeys, ...heads });
        session.decode(context, ids.slice(pos0, nKeys), pos0, 'all');
        if (failure !== undefined) throw failure;
        pos0 = nKeys;
        pass++;
      }
    });
  } finally {
    unregisterEval(onNode);
    spool.close();
  }
  const bos = native.llama_vocab_bos(session.vocab) === ids[0];
  return { nodes: capture.nodes, unreadable: capture.unreadable, nLayer, bos };
}

/** [token, vocab]. */
export function allLogits(session: Session, ids: readonly number[]): { shape: [number, number]; data: Float32Array } {
  session.checkIds(ids);
  return session.withContext({ positions: ids.length, threads: session.threads, kind: 'plain' }, (context) => {
    session.decode(context, ids, 0, 'all');
    const rows = ids.map((_, i) => session.logits(context, i));
    const nVocab = rows[0]?.length ?? 0;
    const data = new Float32Array(ids.length * nVocab);
    rows.forEach((row, i) => {
      data.set(row, i * nVocab);
    });
    return { shape: [ids.length, nVocab], data };
  });
}

/** At most `n` more ids, each the first of the largest logits; ends after an end-of-generation token, which is included. */
export function greedy(session: Session, ids: readonly number[], n: number): number[] {
  session.checkIds(ids);
  const { native, vocab } = session;
  const positions = ids.length + n;
  return session.withContext({ positions, threads: session.threads, kind: 'plain' }, (context) => {
    const generated: number[] = [];
    let batch = ids;
    let pos0 = 0;
    while (generated.length < n) {
      session.decode(context, batch, pos0, 'last');
      pos0 += batch.length;
      const next = indexOfLargest(session.logits(context, batch.length - 1));
      generated.push(next);
      if (native.llama_vocab_is_eog(vocab, next)) break;
      batch = [next];
    }
    return generated;
  });
}

function indexOfLargest(numbers: Float32Array): number {
  let best = 0;
  for (let i = 1; i < numbers.length; i++) if ((numbers[i] as number) > (numbers[best] as number)) best = i;
  return best;
}

export interface TimeOptions {
  /** Tokens of one prefill, all in one batch, from an empty cache; 0 for none. */
  readonly prefill: number;
  /** Tokens decoded one by one; 0 for none. */
  readonly decode: number;
  /** No more than there are idle cores: ggml's threads spin at every op, and with one core short decode is 200 times slower. */
  readonly threads: number;
  /** Tokens already in the cache when decoding starts. Default 0, as llama-bench has it. */
  readonly past?: number;
}

export interface Speed {
  readonly tokens: number;
  readonly seconds: number;
  readonly tokensPerSecond: number;
}

export interface Timing {
  readonly prefill: Speed;
  readonly decode: Speed;
  /** Seconds to load the model; 0 where an earlier call had loaded it. */
  readonly loadSeconds: number;
}

/** llama.cpp at its own defaults (repacked weights, flash attention as it likes): what a user of llama.cpp gets. */
export function time(session: Session, { prefill, decode, threads, past = 0 }: TimeOptions): Timing {
  const { native } = session;
  const loadSeconds = secondsOf(() => session.model('fast'));
  const positions = Math.max(prefill, past + decode, 1) + 1;
  return session.withContext({ positions, threads, kind: 'fast' }, (context) => {
    const nVocab = native.llama_vocab_n_tokens(session.vocab);
    const ids = Array.from({ length: positions }, (_, i) => (i * 7919 + 13) % nVocab);
    const memory = native.llama_get_memory(context);
    const run = (tokens: readonly number[], pos0: number) => {
      if (tokens.length === 0) return;
      session.decode(context, tokens, pos0, 'last');
      native.llama_synchronize(context);
    };

    // Warm-up: one token and one batch, as llama-bench does; page faults and buffers are paid here.
    run(ids.slice(0, 1), 0);
    native.llama_memory_clear(memory, true);
    run(ids.slice(0, prefill), 0);
    native.llama_memory_clear(memory, true);

    const prefillSeconds = secondsOf(() => run(ids.slice(0, prefill), 0));
    native.llama_memory_clear(memory, true);
    run(ids.slice(0, past), 0);
    const decodeSeconds = secondsOf(() => {
      for (let i = 0; i < decode; i++) run([ids[past + i] as number], past + i);
    });
    return { prefill: speed(prefill, prefillSeconds), decode: speed(decode, decodeSeconds), loadSeconds };
  });
}

function secondsOf(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}

function speed(tokens: number, seconds: number): Speed {
  return { tokens, seconds, tokensPerSecond: tokens === 0 ? 0 : tokens / seconds };
}
