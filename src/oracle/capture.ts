/** Reads every node of a graph while llama.cpp computes it (`cb_eval`). Runs in the child process. */

import { inOurAxes, ourTensor } from '../llama/graph_names.ts';
import { readTensorHeader, type TensorHeader, type TensorLayout } from './layout.ts';
import { bytesAt, type Native, type Pointer } from './native.ts';
import type { OracleNode, OracleTensor } from './trace.ts';

/** The pass that is being computed. */
export interface CapturedPass {
  readonly pass: number;
  readonly nTokens: number;
  readonly nKeys: number;
  readonly nHead: number;
  readonly nHeadKv: number;
  /** Nodes to keep, tried on our name and on llama.cpp's; null keeps all. */
  readonly select: RegExp | null;
}

export interface Captured {
  readonly tensors: Map<string, OracleTensor>;
  readonly unmapped: OracleNode[];
}

/** Ops that look at another node's memory, or copy it into the KV cache: their numbers are that node's. */
const WITHOUT_VALUES: ReadonlySet<string> = new Set(['RESHAPE', 'VIEW', 'PERMUTE', 'TRANSPOSE', 'NONE', 'SET_ROWS']);

/** A function for each computed node, and what it gathered. */
export function capture(native: Native, layout: TensorLayout, pass: CapturedPass) {
  const captured: Captured = { tensors: new Map(), unmapped: [] };
  const seen = new Map<string, number>();

  function take(tensor: Pointer): void {
    const name = native.ggml_get_name(tensor);
    const op = native.ggml_op_desc(tensor);
    const occurrence = seen.get(`${name} ${op}`) ?? 0;
    seen.set(`${name} ${op}`, occurrence + 1);
    const ours = ourTensor(name, op);
    if (pass.select && !pass.select.test(name) && !(ours && pass.select.test(ours.name))) return;

    const header = readTensorHeader(new DataView(bytesAt(tensor, layout.size).buffer), layout);
    const outermostFirst = [...header.ne].reverse() as [number, number, number, number];
    const data = WITHOUT_VALUES.has(op) ? null : contiguous(readNode(native, tensor), header);
    if (ours && data) {
      const earlier = captured.tensors.get(ours.name);
      if (earlier && ours.earlier) captured.tensors.set(ours.earlier, earlier);
      captured.tensors.set(ours.name, { ...inOurAxes(ours.axes, outermostFirst, data, pass), pass: pass.pass });
    } else {
      captured.unmapped.push({
        name,
        op,
        occurrence,
        pass: pass.pass,
        shape: withoutLeadingOnes(outermostFirst),
        data,
      });
    }
  }

  return { captured, take };
}

function readNode(native: Native, tensor: Pointer): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Number(native.ggml_nbytes(tensor)));
  native.ggml_backend_tensor_get(tensor, bytes, 0, bytes.length);
  return bytes;
}

function withoutLeadingOnes(shape: readonly number[]): number[] {
  const first = shape.findIndex((size) => size !== 1);
  return shape.slice(first < 0 ? shape.length - 1 : first);
}

/** ggml's numbers for the types that activations have. */
const F32 = 0;
const F16 = 1;
const I32 = 26;

/** The numbers of a strided tensor in row-major order, as f32; null for a type that holds no such numbers. */
export function contiguous(bytes: Uint8Array<ArrayBuffer>, { type, ne, nb }: TensorHeader): Float32Array | null {
  const length = ne[0] * ne[1] * ne[2] * ne[3];
  const packed = nb[0] === 4 && nb[1] === nb[0] * ne[0] && nb[2] === nb[1] * ne[1] && nb[3] === nb[2] * ne[2];
  if (type === F32 && packed) return new Float32Array(bytes.buffer, 0, length);
  const number = numberReader(bytes, type);
  if (!number) return null;
  const out = new Float32Array(length);
  let at = 0;
  for (let i3 = 0; i3 < ne[3]; i3++) {
    for (let i2 = 0; i2 < ne[2]; i2++) {
      for (let i1 = 0; i1 < ne[1]; i1++) {
        const row = i3 * nb[3] + i2 * nb[2] + i1 * nb[1];
        for (let i0 = 0; i0 < ne[0]; i0++) out[at++] = number(row + i0 * nb[0]);
      }
    }
  }
  return out;
}

function numberReader(bytes: Uint8Array<ArrayBuffer>, type: number): ((at: number) => number) | null {
  switch (type) {
    case F32: {
      const numbers = new Float32Array(bytes.buffer, 0, bytes.length >> 2);
      return (at) => numbers[at >> 2] as number;
    }
    case I32: {
      const numbers = new Int32Array(bytes.buffer, 0, bytes.length >> 2);
      return (at) => numbers[at >> 2] as number;
    }
    case F16: {
      const numbers = new Uint16Array(bytes.buffer, 0, bytes.length >> 1);
      return (at) => halfToNumber(numbers[at >> 1] as number);
    }
    default:
      return null;
  }
}

/** IEEE 754 binary16. */
function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
