/** ggml's own block formats: numbers ↔ blocks. Runs in the child process. */
import { LayerscopeError } from '../errors.ts';
import { fields, type Layouts } from './layout.ts';
import type { Native } from './native.ts';

/** ggml's number for a type's name in any case, for instance `Q4_K`. */
function typeId(native: Native, name: string): number {
  const names = Array.from({ length: typeCount(native) }, (_, id) => native.ggml_type_name(id));
  const id = names.findIndex((known) => known.toLowerCase() === name.toLowerCase());
  if (id >= 0) return id;
  throw new LayerscopeError(
    `Cannot use type ${name} in ggml: it is not one of ${names.filter((known) => /^[a-z0-9_]+$/i.test(known)).join(', ')}`,
  );
}

/** GGML_TYPE_COUNT, which is what quantising leaves a tensor's type at by default. */
function typeCount(native: Native): number {
  return fields(native.llama_model_quantize_default_params()).getInt32(8, true);
}

function dequantizerSymbol(name: string): string {
  if (name === 'f16') return 'ggml_fp16_to_fp32_row';
  return name === 'bf16' ? 'ggml_bf16_to_fp32_row' : `dequantize_row_${name}`;
}

export function dequantizeRow(native: Native, type: string, bytes: Uint8Array, n: number): Float32Array {
  const id = typeId(native, type);
  const name = native.ggml_type_name(id);
  const block = Number(native.ggml_blck_size(id));
  const wanted = n % block === 0 ? Number(native.ggml_row_size(id, n)) : Number.NaN;
  if (bytes.length !== wanted) {
    throw new LayerscopeError(
      `Cannot dequantise ${n} numbers of ${type} in ggml: got ${bytes.length} bytes; wanted ${wanted} bytes and a multiple of ${block} numbers`,
    );
  }
  if (name === 'f32') return new Float32Array(bytes.slice().buffer);
  const numbers = new Float32Array(n);
  native.dequantizer(dequantizerSymbol(name))(bytes, numbers, n);
  return numbers;
}

export function quantizeChunk(native: Native, type: string, numbers: Float32Array, perRow: number): Uint8Array {
  const id = typeId(native, type);
  const rows = numbers.length / perRow;
  const block = Number(native.ggml_blck_size(id));
  if (!Number.isInteger(rows) || rows === 0 || perRow % block !== 0) {
    throw new LayerscopeError(
      `Cannot quantise to ${type} in ggml: ${numbers.length} numbers are no whole rows of ${perRow}, ` +
        `or those no whole blocks of ${block}; give multiples`,
    );
  }
  const bytes = new Uint8Array(rows * Number(native.ggml_row_size(id, perRow)));
  const written = Number(native.ggml_quantize_chunk(id, numbers, bytes, 0, rows, perRow, null));
  return bytes.slice(0, written);
}

/** llama.cpp's file types (`llama_ftype`), by the names its tools take. */
const FTYPES = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q8_0: 7,
  Q5_0: 8,
  Q5_1: 9,
  Q2_K: 10,
  Q3_K_M: 12,
  Q4_K_M: 15,
  Q5_K_M: 17,
  Q6_K: 18,
  IQ4_NL: 25,
  BF16: 32,
} as const;

export type Ftype = keyof typeof FTYPES;

export interface QuantizeOptions {
  /** Default 1. */
  readonly threads?: number;
  /** Lets an input that is quantised already be quantised again. Default true. */
  readonly allowRequantize?: boolean;
}

/** llama_model_quantize: 0 where it worked. */
export function quantizeModel(
  native: Native,
  layouts: Layouts,
  [input, output]: readonly [string, string],
  ftype: Ftype,
  options: QuantizeOptions,
): number {
  const at = layouts.quantizeParams;
  const params = native.llama_model_quantize_default_params();
  const view = fields(params);
  view.setInt32(at.nthread, options.threads ?? 1, true);
  view.setInt32(at.ftype, FTYPES[ftype], true);
  view.setUint8(at.allow_requantize, (options.allowRequantize ?? true) ? 1 : 0);
  return native.llama_model_quantize(input, output, params);
}
