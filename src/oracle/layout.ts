/**
 * Where the fields of llama.cpp's structs lie, found at run time: releases insert fields, and there is no header here.
 * A tensor is probed with odd sizes; a params struct by the pattern of its defaults, which each release fills in itself.
 * What does not match is refused, for a wrong offset would read rubbish without a word.
 */
import { LayerscopeError } from '../errors.ts';
import { bytesAt, type Native, type Opaque, type Pointer } from './native.ts';
import { KNOWN_RELEASES } from './package.ts';

/** Offsets in bytes. */
export interface TensorLayout {
  readonly type: number;
  readonly ne: number;
  readonly nb: number;
  /** Bits; `ggml_set_input` sets the first. */
  readonly flags: number;
  /** MAX_SOURCES pointers to what the node is computed from; null where there is none. */
  readonly src: number;
  /** How much of the struct must be read to hold these fields. */
  readonly size: number;
}

export interface ModelParamsLayout {
  readonly n_gpu_layers: number;
  readonly vocab_only: number;
  readonly use_extra_bufts: number;
}

export interface ContextParamsLayout {
  readonly n_ctx: number;
  readonly n_batch: number;
  readonly n_ubatch: number;
  readonly n_seq_max: number;
  readonly n_threads: number;
  readonly n_threads_batch: number;
  readonly flash_attn_type: number;
  readonly cb_eval: number;
  readonly type_k: number;
  readonly type_v: number;
}

export interface QuantizeParamsLayout {
  readonly nthread: number;
  readonly ftype: number;
  readonly allow_requantize: number;
}

export interface Layouts {
  readonly tensor: TensorLayout;
  readonly modelParams: ModelParamsLayout;
  readonly contextParams: ContextParamsLayout;
  readonly quantizeParams: QuantizeParamsLayout;
}

export const GGML_TYPE_F32 = 0;
export const GGML_TYPE_F16 = 1;

/** GGML_MAX_SRC. */
const MAX_SOURCES = 10;
/** GGML_TENSOR_FLAG_INPUT. */
const FLAG_INPUT = 1;

export function probeLayouts(native: Native): Layouts {
  return {
    tensor: probeTensor(native),
    modelParams: probeModelParams(native.llama_model_default_params()),
    contextParams: probeContextParams(native.llama_context_default_params()),
    quantizeParams: probeQuantizeParams(native.llama_model_quantize_default_params()),
  };
}

export function fields(struct: Opaque): DataView {
  return new DataView(struct.b.buffer, struct.b.byteOffset, struct.b.byteLength);
}

function mismatch(struct: string, found: string): LayerscopeError {
  return new LayerscopeError(
    `Cannot use this llama.cpp: the layout of ${struct} is not a known one (${found}); ` +
      `releases that were tried: ${KNOWN_RELEASES.join(', ')}; install one of those`,
  );
}

/** The one offset among `candidates` at which `matches` holds. */
function only(struct: string, field: string, candidates: Iterable<number>, matches: (at: number) => boolean): number {
  const found = [...candidates].filter(matches);
  if (found.length === 1) return found[0] as number;
  throw mismatch(struct, `${found.length} places could be ${field}`);
}

function* multiples(step: number, from: number, to: number): Generator<number> {
  for (let at = from; at < to; at += step) yield at;
}

/**
 * An F16 tensor of 6 × 10 × 14 × 22, its transpose and its sum with another: sizes, strides and pointers that nothing else
 * in the struct can equal. The flags are what `ggml_set_input` changes.
 */
function probeTensor(native: Native): TensorLayout {
  const context = native.ggml_init({ mem_size: 1 << 20, mem_buffer: null, no_alloc: false });
  try {
    const tensor = native.ggml_new_tensor_4d(context, GGML_TYPE_F16, 6, 10, 14, 22);
    const other = native.ggml_new_tensor_4d(context, GGML_TYPE_F16, 6, 10, 14, 22);
    const searched = 256;
    const read = (tensor: Pointer) => new DataView(bytesAt(tensor, searched).buffer);
    const view = read(tensor);
    const holds = (view: DataView, values: readonly (number | Pointer)[]) => (offset: number) =>
      values.every((value, i) => view.getBigInt64(offset + 8 * i, true) === BigInt(value));
    const places = [...multiples(8, 0, searched - 32)];
    const ne = only('ggml_tensor', 'ne', places, holds(view, [6, 10, 14, 22]));
    const nb = only('ggml_tensor', 'nb', places, holds(view, [2, 12, 120, 1680]));
    const src = only(
      'ggml_tensor',
      'src',
      places,
      holds(read(native.ggml_add(context, tensor, other)), [tensor, other]),
    );
    native.ggml_set_input(tensor);
    const marked = read(tensor);
    const flags = only('ggml_tensor', 'flags', multiples(4, 0, searched), (at) => {
      return view.getInt32(at, true) === 0 && marked.getInt32(at, true) === FLAG_INPUT;
    });
    const layout = { type: 0, ne, nb, flags, src, size: Math.max(ne + 32, nb + 32, flags + 4, src + 8 * MAX_SOURCES) };
    if (view.getInt32(layout.type, true) !== GGML_TYPE_F16) throw mismatch('ggml_tensor', 'its type is not first');
    const permuted = read(native.ggml_permute(context, tensor, 1, 0, 3, 2));
    checkTensor(native, permuted, layout);
    // Behind the sources lies what a view looks at: so there are as many sources as we think.
    if (!holds(permuted, [tensor])(src + 8 * MAX_SOURCES)) {
      throw mismatch('ggml_tensor', `a view's tensor does not follow ${MAX_SOURCES} sources`);
    }
    return layout;
  } finally {
    native.ggml_free(context);
  }
}

function checkTensor(native: Native, permuted: DataView, layout: TensorLayout): void {
  const { ne, nb } = readTensorHeader(permuted, layout);
  if (ne.join() !== '10,6,22,14' || nb.join() !== '12,2,1680,120' || native.ggml_blck_size(GGML_TYPE_F16) !== 1) {
    throw mismatch('ggml_tensor', `a permuted tensor reads as ${ne.join('×')} with strides ${nb.join(', ')}`);
  }
}

export interface TensorHeader {
  readonly type: number;
  /** Sizes, innermost first, as ggml has them. */
  readonly ne: readonly [number, number, number, number];
  /** Strides in bytes, innermost first. */
  readonly nb: readonly [number, number, number, number];
  /** Whether llama.cpp fills it in before the graph runs: positions, token ids, the mask. */
  readonly isInput: boolean;
  /** What it is computed from. */
  readonly sources: readonly Pointer[];
}

export function readTensorHeader(view: DataView, layout: TensorLayout): TensorHeader {
  const four = (from: number) => [0, 8, 16, 24].map((i) => Number(view.getBigInt64(from + i, true)));
  return {
    type: view.getInt32(layout.type, true),
    ne: four(layout.ne) as unknown as TensorHeader['ne'],
    nb: four(layout.nb) as unknown as TensorHeader['nb'],
    isInput: (view.getInt32(layout.flags, true) & FLAG_INPUT) !== 0,
    sources: [...multiples(8, layout.src, layout.src + 8 * MAX_SOURCES)]
      .map((at) => view.getBigUint64(at, true))
      .filter((pointer) => pointer !== 0n),
  };
}

/** The bools at the end of llama_model_params as each generation of releases sets them: the first is vocab_only; behind the last lies rubbish. */
const MODEL_BOOLS: readonly { readonly defaults: readonly number[]; readonly use_extra_bufts: number }[] = [
  // vocab_only, check_tensors, use_extra_bufts, no_host, no_alloc
  { defaults: [0, 0, 1, 0, 0], use_extra_bufts: 2 },
  // vocab_only, use_mmap, use_direct_io, use_mlock, check_tensors, use_extra_bufts, no_host, no_alloc
  { defaults: [0, 1, 0, 0, 0, 1, 0, 0], use_extra_bufts: 5 },
  // vocab_only, use_mmap, use_mlock, check_tensors, use_extra_bufts, no_host
  { defaults: [0, 1, 0, 0, 1, 0], use_extra_bufts: 4 },
];

/** devices, overrides = 0; n_gpu_layers = -1, once 999; split_mode = 1 (by layer); …; bools. */
function probeModelParams(params: Opaque): ModelParamsLayout {
  const view = fields(params);
  const struct = 'llama_model_params';
  const isAllLayers = [-1, 999].includes(view.getInt32(16, true));
  if (view.getBigUint64(0, true) !== 0n || !isAllLayers || view.getInt32(20, true) !== 1) {
    throw mismatch(struct, 'its first fields are not devices, overrides, n_gpu_layers = -1 or 999, split_mode = 1');
  }
  const holds = (at: number) =>
    MODEL_BOOLS.find(({ defaults }) => defaults.every((value, i) => view.getUint8(at + i) === value));
  const bools = only(struct, 'vocab_only … use_extra_bufts', multiples(8, 24, 128), (at) => holds(at) !== undefined);
  return { n_gpu_layers: 16, vocab_only: bools, use_extra_bufts: bools + (holds(bools)?.use_extra_bufts ?? 0) };
}

/**
 * n_ctx 512, n_batch 2048, n_ubatch 512, n_seq_max 1; …; n_threads 4, n_threads_batch 4; …; rope scaling, pooling,
 * attention and flash attention -1 each; rope base and scale 0; yarn -1 four times, its original context 0,
 * defrag -1; cb_eval and its data 0; type_k and type_v 1 (F16). Upstream's defaults, the same for years.
 */
function probeContextParams(params: Opaque): ContextParamsLayout {
  const struct = 'llama_context_params';
  const view = fields(params);
  const i32 = (at: number) => view.getInt32(at, true);
  const f32 = (at: number) => view.getFloat32(at, true);
  const zero = (at: number) => view.getBigUint64(at, true) === 0n;
  if ([512, 2048, 512, 1].some((value, i) => i32(4 * i) !== value)) {
    throw mismatch(struct, 'its first fields are not n_ctx 512, n_batch 2048, n_ubatch 512, n_seq_max 1');
  }
  const scaling = only(struct, 'rope_scaling_type … type_v', multiples(4, 16, 160), (at) => {
    const cb = evalAfter(at);
    return (
      [0, 4, 8, 12].every((i) => i32(at + i) === -1) &&
      [16, 20, 40].every((i) => i32(at + i) === 0) &&
      [24, 28, 32, 36, 44].every((i) => f32(at + i) === -1) &&
      zero(cb) &&
      zero(cb + 8) &&
      i32(cb + 16) === GGML_TYPE_F16 &&
      i32(cb + 20) === GGML_TYPE_F16
    );
  });
  const threads = only(struct, 'n_threads', multiples(4, 16, scaling - 4), (at) => i32(at) === 4 && i32(at + 4) === 4);
  const cb = evalAfter(scaling);
  return {
    n_ctx: 0,
    n_batch: 4,
    n_ubatch: 8,
    n_seq_max: 12,
    n_threads: threads,
    n_threads_batch: threads + 4,
    flash_attn_type: scaling + 12,
    cb_eval: cb,
    type_k: cb + 16,
    type_v: cb + 20,
  };
}

/** cb_eval is the first pointer after twelve 4-byte fields. */
function evalAfter(ropeScalingType: number): number {
  return Math.ceil((ropeScalingType + 48) / 8) * 8;
}

/** nthread 0, ftype 7 (Q8_0; 9 in older releases), two tensor types at GGML_TYPE_COUNT, allow_requantize 0, quantize_output_tensor 1. */
function probeQuantizeParams(params: Opaque): QuantizeParamsLayout {
  const view = fields(params);
  const i32 = (at: number) => view.getInt32(at, true);
  const types = i32(8);
  const matches =
    i32(0) === 0 &&
    (i32(4) === 7 || i32(4) === 9) &&
    types > 30 &&
    i32(12) === types &&
    view.getUint8(16) === 0 &&
    view.getUint8(17) === 1;
  if (!matches) throw mismatch('llama_model_quantize_params', 'its defaults differ');
  return { nthread: 0, ftype: 4, allow_requantize: 16 };
}
