/**
 * One model in llama.cpp, made comparable: CPU backend alone, flash attention off (the scores would vanish), KV cache in
 * F32, weights as the file has them (no repacking), every token an output. Runs in the child process.
 */
import { LayerscopeError } from '../errors.ts';
import { fields, GGML_TYPE_F32, type Layouts } from './layout.ts';
import { bytesAt, type Native, type Pointer, writeInt8, writeInt32 } from './native.ts';

export interface SessionOptions {
  readonly file: string;
  readonly threads: number;
  /** Positions that a context holds; null for as many as each call needs. */
  readonly contextLength: number | null;
}

/** `plain`: the weights as they lie in the file. `fast`: llama.cpp's defaults, which may repack them. `vocab`: no weights. */
export type ModelKind = 'vocab' | 'plain' | 'fast';

export interface ContextOptions {
  /** Positions it must hold. */
  readonly positions: number;
  readonly threads: number;
  /** `plain`: every value visible and in F32. `fast`: llama.cpp's defaults. */
  readonly kind: 'plain' | 'fast';
  /** From `registerEval`. */
  readonly onNode?: Pointer;
}

const LLAMA_FLASH_ATTN_TYPE_DISABLED = 0;

export class Session {
  readonly native: Native;
  readonly #layouts: Layouts;
  readonly #options: SessionOptions;
  readonly #models = new Map<ModelKind, Pointer>();

  constructor(native: Native, layouts: Layouts, options: SessionOptions) {
    this.native = native;
    this.#layouts = layouts;
    this.#options = options;
  }

  get threads(): number {
    return this.#options.threads;
  }

  error(wanted: string, found: string, cure: string): LayerscopeError {
    const { file } = this.#options;
    return new LayerscopeError(`Cannot ${wanted} ${file} in llama.cpp: ${found}; ${cure}`, { file });
  }

  /** The model, loaded on first use. */
  model(kind: ModelKind): Pointer {
    const loaded = this.#models.get(kind);
    if (loaded !== undefined) return loaded;
    const at = this.#layouts.modelParams;
    const params = this.native.llama_model_default_params();
    const view = fields(params);
    view.setInt32(at.n_gpu_layers, 0, true);
    view.setUint8(at.vocab_only, kind === 'vocab' ? 1 : 0);
    if (kind === 'plain') view.setUint8(at.use_extra_bufts, 0);
    const model = logged(this.native, () => this.native.llama_model_load_from_file(this.#options.file, params));
    if (!model) throw this.error('load', 'it refused the file', 'wanted a GGUF model that llama.cpp runs');
    this.#models.set(kind, model);
    return model;
  }

  get vocab(): Pointer {
    return this.native.llama_model_get_vocab(this.model('vocab'));
  }

  /** A new context with an empty cache, freed when `use` returns. */
  withContext<T>(wanted: ContextOptions, use: (context: Pointer) => T): T {
    const { native } = this;
    const model = this.model(wanted.kind);
    const positions = this.#options.contextLength ?? wanted.positions;
    if (positions < wanted.positions) {
      throw this.error('run', `${wanted.positions} positions exceed contextLength ${positions}`, 'raise contextLength');
    }
    const init = () => native.llama_init_from_model(model, this.#contextParams(positions, wanted));
    // Its log is long; it is asked for the reason only where it failed.
    const context = init() ?? logged(native, init);
    if (!context) throw this.error('run', `it made no context of ${positions} positions`, 'ask for fewer tokens');
    try {
      this.#checkContext(context, positions, wanted);
      return use(context);
    } finally {
      native.llama_free(context);
    }
  }

  #contextParams(positions: number, { threads, kind, onNode }: ContextOptions) {
    const at = this.#layouts.contextParams;
    const params = this.native.llama_context_default_params();
    const view = fields(params);
    view.setUint32(at.n_ctx, positions, true);
    view.setInt32(at.n_threads, threads, true);
    view.setInt32(at.n_threads_batch, threads, true);
    view.setUint32(at.n_batch, positions, true);
    if (kind === 'plain') {
      view.setUint32(at.n_ubatch, positions, true);
      view.setInt32(at.flash_attn_type, LLAMA_FLASH_ATTN_TYPE_DISABLED, true);
      view.setInt32(at.type_k, GGML_TYPE_F32, true);
      view.setInt32(at.type_v, GGML_TYPE_F32, true);
    }
    if (onNode !== undefined) view.setBigUint64(at.cb_eval, onNode, true);
    return params;
  }

  /** llama.cpp's own getters must give back what was written through the probed offsets. */
  #checkContext(context: Pointer, positions: number, { threads, kind }: ContextOptions): void {
    const { native } = this;
    const taken = {
      n_ctx: native.llama_n_ctx(context) >= positions,
      n_threads: native.llama_n_threads(context) === threads,
      n_threads_batch: native.llama_n_threads_batch(context) === threads,
      n_ubatch: kind === 'fast' || native.llama_n_ubatch(context) >= positions,
      n_seq_max: native.llama_n_seq_max(context) === 1,
    };
    const lost = Object.entries(taken).flatMap(([name, agrees]) => (agrees ? [] : [name]));
    if (lost.length > 0)
      throw this.error('run', `it did not take ${lost.join(', ')}`, 'install a release that was tried');
  }

  /** One llama_decode of `tokens` at positions from `pos0`; logits are kept for all of them or for the last. */
  decode(context: Pointer, tokens: readonly number[], pos0: number, outputs: 'all' | 'last'): void {
    const { native } = this;
    const n = tokens.length;
    const batch = native.llama_batch_init(n, 0, 1);
    try {
      writeInt32(batch.token, tokens);
      writeInt32(
        batch.pos,
        tokens.map((_, i) => pos0 + i),
      );
      writeInt8(
        batch.logits,
        tokens.map((_, i) => (outputs === 'all' || i === n - 1 ? 1 : 0)),
      );
      // Without sequence ids every token belongs to sequence 0.
      const status = native.llama_decode(context, { ...batch, n_tokens: n, n_seq_id: 0n, seq_id: 0n });
      if (status !== 0) {
        const found = `llama_decode of ${n} tokens from position ${pos0} returned ${status}`;
        throw this.error('run', found, 'check the token ids and the number of positions');
      }
    } finally {
      native.llama_batch_free(batch);
    }
  }

  /** [vocab], of the batch's token `i`. */
  logits(context: Pointer, i: number): Float32Array<ArrayBuffer> {
    const pointer = this.native.llama_get_logits_ith(context, i);
    if (!pointer) throw this.error('read the logits of', `token ${i} is no output`, 'report this: it is a fault here');
    return new Float32Array(bytesAt(pointer, 4 * this.native.llama_vocab_n_tokens(this.vocab)).buffer);
  }

  /** Throws unless every id is one of the model's. */
  checkIds(ids: readonly number[]): void {
    const nVocab = this.native.llama_vocab_n_tokens(this.vocab);
    const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= nVocab);
    if (wrong !== undefined) {
      throw this.error('run', `token id ${wrong} is not in its vocabulary`, `wanted 0 … ${nVocab - 1}`);
    }
    if (ids.length === 0) throw this.error('run', 'there is no token', 'give at least one id');
  }
}

/** llama.cpp's log goes to stderr, which the parent keeps, while `work` runs; otherwise nowhere. */
export function logged<T>(native: Native, work: () => T): T {
  native.llama_log_set(null, null);
  try {
    return work();
  } finally {
    native.llama_log_set(native.ignore, null);
  }
}
