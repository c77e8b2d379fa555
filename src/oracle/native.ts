/**
 * llama.cpp's C API as JavaScript functions, through koffi. Runs in the child process alone: ggml's asserts abort.
 * Declarations follow llama.h and ggml.h; structs passed by value are opaque here, and `layout.ts` finds their fields.
 */
import koffi from 'koffi';
import { LayerscopeError } from '../errors.ts';
import type { Libraries } from './package.ts';
import { KNOWN_RELEASES } from './package.ts';

/** An address; 0n or null where C has NULL. */
export type Pointer = bigint;

/** A params struct as bytes. It is larger than the real one: the callee touches only its own `sizeof`. */
export interface Opaque {
  b: BigUint64Array;
}

/** `llama_batch`, whose layout has been the same since 2023 and is checked by decoding. */
export interface Batch {
  n_tokens: number;
  token: Pointer;
  embd: Pointer;
  pos: Pointer;
  n_seq_id: Pointer;
  seq_id: Pointer;
  logits: Pointer;
}

const OPAQUE_BYTES = 1024;

const opaque = (name: string) => koffi.struct(name, { b: koffi.array('uint64_t', OPAQUE_BYTES / 8, 'Typed') });
opaque('ModelParams');
opaque('ContextParams');
opaque('QuantizeParams');
koffi.struct('InitParams', { mem_size: 'size_t', mem_buffer: 'void *', no_alloc: 'bool' });
koffi.struct('Batch', {
  n_tokens: 'int32_t',
  token: 'void *',
  embd: 'void *',
  pos: 'void *',
  n_seq_id: 'void *',
  seq_id: 'void *',
  logits: 'void *',
});
const EvalCallback = koffi.proto('bool EvalCallback(void *tensor, bool ask, void *userData)');

type Library = ReturnType<typeof koffi.load>;

function load(path: string): Library {
  try {
    return koffi.load(path);
  } catch (cause) {
    throw new LayerscopeError(`Cannot load llama.cpp: ${path} does not load: ${(cause as Error).message}`, {
      file: path,
      cause,
    });
  }
}

/** `declare` of one library; a symbol that is missing is refused by name. */
function declarer(library: Library, path: string): (declaration: string) => ReturnType<Library['func']> {
  return (declaration) => {
    try {
      return library.func(declaration);
    } catch (cause) {
      throw new LayerscopeError(
        `Cannot load llama.cpp: ${path} has no "${declaration}"; releases that were tried: ${KNOWN_RELEASES.join(', ')}`,
        { file: path, cause },
      );
    }
  };
}

/** The functions in use, by their C names. */
export function loadNative(libraries: Libraries) {
  const base = declarer(load(libraries.base), libraries.base);
  const ggml = declarer(load(libraries.ggml), libraries.ggml);
  const llamaLibrary = load(libraries.llama);
  const llama = declarer(llamaLibrary, libraries.llama);

  return {
    ggml_version: base('const char *ggml_version()') as () => string,
    ggml_commit: base('const char *ggml_commit()') as () => string,
    /** Older releases have no such function, and their number in the library's name. */
    llama_version: (): string => {
      try {
        return llamaLibrary.func('const char *llama_version()')() as string;
      } catch {
        return libraries.release ?? 'unknown';
      }
    },

    ggml_init: base('void *ggml_init(InitParams params)') as (params: object) => Pointer,
    ggml_free: base('void ggml_free(void *context)') as (context: Pointer) => void,
    ggml_new_tensor_4d: base(
      'void *ggml_new_tensor_4d(void *context, int type, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3)',
    ) as (context: Pointer, type: number, ne0: number, ne1: number, ne2: number, ne3: number) => Pointer,
    ggml_permute: base('void *ggml_permute(void *context, void *tensor, int a, int b, int c, int d)') as (
      context: Pointer,
      tensor: Pointer,
      ...axes: [number, number, number, number]
    ) => Pointer,
    ggml_add: base('void *ggml_add(void *context, void *a, void *b)') as (
      context: Pointer,
      a: Pointer,
      b: Pointer,
    ) => Pointer,
    ggml_set_input: base('void ggml_set_input(void *tensor)') as (tensor: Pointer) => void,
    ggml_get_name: base('const char *ggml_get_name(void *tensor)') as (tensor: Pointer) => string,
    ggml_op_desc: base('const char *ggml_op_desc(void *tensor)') as (tensor: Pointer) => string,
    ggml_nbytes: base('size_t ggml_nbytes(void *tensor)') as (tensor: Pointer) => number,
    ggml_nelements: base('int64_t ggml_nelements(void *tensor)') as (tensor: Pointer) => number,
    ggml_element_size: base('size_t ggml_element_size(void *tensor)') as (tensor: Pointer) => number,
    ggml_backend_tensor_get: base(
      'void ggml_backend_tensor_get(void *tensor, _Out_ uint8_t *data, size_t offset, size_t size)',
    ) as (tensor: Pointer, data: Uint8Array, offset: number, size: number) => void,

    ggml_type_name: base('const char *ggml_type_name(int type)') as (type: number) => string,
    ggml_blck_size: base('int64_t ggml_blck_size(int type)') as (type: number) => number,
    ggml_row_size: base('size_t ggml_row_size(int type, int64_t ne)') as (type: number, n: number) => number,
    ggml_quantize_chunk: base(
      'size_t ggml_quantize_chunk(int type, const float *src, _Out_ uint8_t *dst, int64_t start, int64_t nrows, int64_t n_per_row, const float *imatrix)',
    ) as (
      type: number,
      src: Float32Array,
      dst: Uint8Array,
      start: number,
      rows: number,
      perRow: number,
      imatrix: null,
    ) => number,
    /** One of ggml's `<type>_to_fp32_row` and `dequantize_row_<type>`, by its symbol. */
    dequantizer: (symbol: string) =>
      base(`void ${symbol}(const uint8_t *blocks, _Out_ float *y, int64_t k)`) as (
        blocks: Uint8Array,
        y: Float32Array,
        n: number,
      ) => void,

    ggml_backend_load: ggml('void *ggml_backend_load(const char *path)') as (path: string) => Pointer | null,
    /** How well a CPU backend's library suits this machine; 0 where it cannot run, 1 where the library does not say. */
    cpuScore: (path: string): number => {
      const library = load(path);
      try {
        return library.func('int ggml_backend_score()')() as number;
      } catch {
        return 1;
      }
    },

    llama_backend_init: llama('void llama_backend_init()') as () => void,
    llama_log_set: llama('void llama_log_set(void *callback, void *userData)') as (
      callback: Pointer | null,
      userData: null,
    ) => void,
    /** A native function that ignores its arguments: a log callback that is safe on every thread. */
    ignore: koffi.load(libraries.base).symbol('ggml_cycles') as Pointer,

    llama_model_default_params: llama('ModelParams llama_model_default_params()') as () => Opaque,
    llama_context_default_params: llama('ContextParams llama_context_default_params()') as () => Opaque,
    llama_model_quantize_default_params: llama('QuantizeParams llama_model_quantize_default_params()') as () => Opaque,
    llama_model_quantize: llama(
      'uint32_t llama_model_quantize(const char *input, const char *output, QuantizeParams *params)',
    ) as (input: string, output: string, params: Opaque) => number,

    llama_model_load_from_file: llama('void *llama_model_load_from_file(const char *path, ModelParams params)') as (
      path: string,
      params: Opaque,
    ) => Pointer | null,
    llama_init_from_model: llama('void *llama_init_from_model(void *model, ContextParams params)') as (
      model: Pointer,
      params: Opaque,
    ) => Pointer | null,
    llama_model_free: llama('void llama_model_free(void *model)') as (model: Pointer) => void,
    llama_free: llama('void llama_free(void *context)') as (context: Pointer) => void,
    llama_model_n_layer: llama('int32_t llama_model_n_layer(void *model)') as (model: Pointer) => number,
    llama_model_n_head: llama('int32_t llama_model_n_head(void *model)') as (model: Pointer) => number,
    llama_model_n_head_kv: llama('int32_t llama_model_n_head_kv(void *model)') as (model: Pointer) => number,
    llama_model_n_ctx_train: llama('int32_t llama_model_n_ctx_train(void *model)') as (model: Pointer) => number,

    llama_n_ctx: llama('uint32_t llama_n_ctx(void *context)') as (context: Pointer) => number,
    llama_n_batch: llama('uint32_t llama_n_batch(void *context)') as (context: Pointer) => number,
    llama_n_ubatch: llama('uint32_t llama_n_ubatch(void *context)') as (context: Pointer) => number,
    llama_n_seq_max: llama('uint32_t llama_n_seq_max(void *context)') as (context: Pointer) => number,
    llama_n_threads: llama('int32_t llama_n_threads(void *context)') as (context: Pointer) => number,
    llama_n_threads_batch: llama('int32_t llama_n_threads_batch(void *context)') as (context: Pointer) => number,
    llama_get_memory: llama('void *llama_get_memory(void *context)') as (context: Pointer) => Pointer,
    llama_memory_clear: llama('void llama_memory_clear(void *memory, bool data)') as (
      memory: Pointer,
      data: boolean,
    ) => void,

    llama_batch_init: llama('Batch llama_batch_init(int32_t n_tokens, int32_t embd, int32_t n_seq_max)') as (
      tokens: number,
      embd: number,
      sequences: number,
    ) => Batch,
    llama_batch_free: llama('void llama_batch_free(Batch batch)') as (batch: Batch) => void,
    llama_decode: llama('int32_t llama_decode(void *context, Batch batch)') as (
      context: Pointer,
      batch: Batch,
    ) => number,
    llama_synchronize: llama('void llama_synchronize(void *context)') as (context: Pointer) => void,
    llama_get_logits_ith: llama('void *llama_get_logits_ith(void *context, int32_t i)') as (
      context: Pointer,
      i: number,
    ) => Pointer | null,

    llama_model_get_vocab: llama('void *llama_model_get_vocab(void *model)') as (model: Pointer) => Pointer,
    llama_vocab_n_tokens: llama('int32_t llama_vocab_n_tokens(void *vocab)') as (vocab: Pointer) => number,
    llama_vocab_bos: llama('int32_t llama_vocab_bos(void *vocab)') as (vocab: Pointer) => number,
    llama_vocab_is_eog: llama('bool llama_vocab_is_eog(void *vocab, int32_t id)') as (
      vocab: Pointer,
      id: number,
    ) => boolean,
    llama_tokenize: llama(
      'int32_t llama_tokenize(void *vocab, const uint8_t *text, int32_t length, _Out_ int32_t *tokens, int32_t max, bool add_special, bool parse_special)',
    ) as (
      vocab: Pointer,
      text: Uint8Array,
      length: number,
      tokens: Int32Array,
      max: number,
      addSpecial: boolean,
      parseSpecial: boolean,
    ) => number,
    llama_token_to_piece: llama(
      'int32_t llama_token_to_piece(void *vocab, int32_t id, _Out_ uint8_t *buffer, int32_t length, int32_t lstrip, bool special)',
    ) as (vocab: Pointer, id: number, buffer: Uint8Array, length: number, lstrip: number, special: boolean) => number,
    llama_detokenize: llama(
      'int32_t llama_detokenize(void *vocab, const int32_t *tokens, int32_t n, _Out_ uint8_t *text, int32_t max, bool remove_special, bool unparse_special)',
    ) as (
      vocab: Pointer,
      tokens: Int32Array,
      n: number,
      text: Uint8Array,
      max: number,
      removeSpecial: boolean,
      unparseSpecial: boolean,
    ) => number,
  };
}

export type Native = ReturnType<typeof loadNative>;

/** A copy of `length` bytes at `pointer`. */
export function bytesAt(pointer: Pointer, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(koffi.view(pointer, length).slice(0));
}

/** Writes `values` as consecutive int32 from `pointer`. */
export function writeInt32(pointer: Pointer, values: readonly number[]): void {
  new Int32Array(koffi.view(pointer, values.length * 4)).set(values);
}

/** Writes `values` as consecutive bytes from `pointer`. */
export function writeInt8(pointer: Pointer, values: readonly number[]): void {
  new Int8Array(koffi.view(pointer, values.length)).set(values);
}

/** Registers `callback` for `cb_eval`; the address is what goes into the params. */
export function registerEval(callback: (tensor: Pointer, ask: boolean) => boolean): Pointer {
  return koffi.register(callback, koffi.pointer(EvalCallback));
}

export function unregisterEval(callback: Pointer): void {
  koffi.unregister(callback);
}
