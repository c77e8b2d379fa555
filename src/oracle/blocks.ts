/** ggml's own block formats as witnesses for ours: every type by its name, in any case (`Q4_K`, `bf16`). */
import { OracleProcess } from './process.ts';

let shared: OracleProcess | undefined;

function oracle(): OracleProcess {
  shared ??= new OracleProcess({ bins: null, session: null });
  return shared;
}

/** The `n` numbers that ggml reads from `bytes`, whole blocks of `type`. */
export function dequantizeRow(type: string, bytes: Uint8Array, n: number): Promise<Float32Array> {
  return oracle().call('dequantizeRow', type, bytes, n);
}

/** ggml's quantisation of whole rows of `nPerRow` numbers, without an importance matrix. */
export function quantizeChunk(type: string, numbers: Float32Array, nPerRow: number): Promise<Uint8Array> {
  return oracle().call('quantizeChunk', type, numbers, nPerRow);
}
