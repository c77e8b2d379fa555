/** Reads every node of a graph while llama.cpp computes it (`cb_eval`), into a spool. Runs in the child process. */
import { halfAsFloat } from '../gguf/half.ts';
import { type Extents, inOurAxes, type OurTensor, ourTensor } from '../llama/graph_names.ts';
import { type Statistics, statisticsOf } from '../trace/statistics.ts';
import { readTensorHeader, type TensorHeader, type TensorLayout } from './layout.ts';
import { bytesAt, type Native, type Pointer } from './native.ts';
import type { SpoolWriter } from './spool.ts';

/** A value of llama.cpp's graph; the numbers lie in the spool. */
export interface CapturedNode {
  /** As llama.cpp has it: `Qcur-0`; of an input what it is: `inp_pos`. */
  readonly name: string;
  /** As ggml prints it: `MUL_MAT`, `SWIGLU`; `INPUT` for what llama.cpp fills in before the graph runs. */
  readonly op: string;
  /** 0 for the first node of this name and op in its pass. */
  readonly occurrence: number;
  readonly pass: number;
  /** Position of the pass's first token. */
  readonly pos0: number;
  /** ggml's name of the type it has there. */
  readonly type: string;
  /** What it is of ours, or null. */
  ours: OurTensor | null;
  /** Outermost first; in our axes where it is ours. */
  shape: readonly number[];
  /** In the spool, in bytes. */
  readonly offset: number;
  readonly statistics: Statistics;
}

/** The pass that is being computed. */
export type CapturedPass = Extents & { readonly pass: number };

export interface CaptureParts {
  readonly native: Native;
  readonly layout: TensorLayout;
  readonly spool: SpoolWriter;
  /** Whether a node is kept, by our name or llama.cpp's. */
  readonly isChosen: (name: string) => boolean;
}

/** Ops that look at another node's memory, or copy it into the KV cache: their numbers are that node's. */
const WITHOUT_VALUES: ReadonlySet<string> = new Set(['RESHAPE', 'VIEW', 'PERMUTE', 'TRANSPOSE', 'NONE', 'SET_ROWS']);

const INPUT = 'INPUT';

/** What an input is, by the op that reads it; older releases have only numbers for names. */
function inputName(name: string, readBy: string, op: string): string {
  if (op === 'ROPE') return 'inp_pos';
  if (op === 'SOFT_MAX') return 'KQ_mask';
  return op === 'GET_ROWS' && ourTensor(readBy, op) ? 'inp_tokens' : name;
}

export class Capture {
  /** In the order of computation. */
  readonly nodes: CapturedNode[] = [];
  /** Nodes of types that hold no numbers we read, as `name:op:type`. */
  readonly unreadable: string[] = [];
  readonly #parts: CaptureParts;
  #pass: CapturedPass | undefined;
  /** How many nodes of a name and op this pass had. */
  #seen = new Map<string, number>();
  #byPointer = new Map<Pointer, CapturedNode>();
  #byOurName = new Map<string, CapturedNode>();
  #inputs = new Set<Pointer>();
  #bytes = new Uint8Array(0);

  constructor(parts: CaptureParts) {
    this.#parts = parts;
  }

  begin(pass: CapturedPass): void {
    this.#pass = pass;
    this.#seen = new Map();
    this.#byPointer = new Map();
    this.#byOurName = new Map();
    this.#inputs = new Set();
  }

  /** Takes the inputs that a node is about to be computed from: later something else may lie in their memory. */
  before(tensor: Pointer): void {
    const { native } = this.#parts;
    for (const source of this.#header(tensor).sources) {
      if (this.#inputs.has(source)) continue;
      this.#inputs.add(source);
      if (!this.#header(source).isInput) continue;
      const readBy = [native.ggml_get_name(tensor), native.ggml_op_desc(tensor)] as const;
      this.#take(source, INPUT, inputName(native.ggml_get_name(source), ...readBy));
    }
  }

  /** Takes a node that was just computed. */
  after(tensor: Pointer): void {
    const op = this.#parts.native.ggml_op_desc(tensor);
    if (!WITHOUT_VALUES.has(op)) this.#take(tensor, op, this.#parts.native.ggml_get_name(tensor));
  }

  #take(tensor: Pointer, op: string, name: string): void {
    const { native, spool, isChosen } = this.#parts;
    const pass = this.#pass;
    if (!pass) throw new Error('a node was computed before the first pass began');
    const occurrence = this.#seen.get(`${name}:${op}`) ?? 0;
    this.#seen.set(`${name}:${op}`, occurrence + 1);
    const ours = ourTensor(name, op);
    if (!isChosen(name) && !(ours && isChosen(ours.name))) return;

    const header = this.#header(tensor);
    const type = native.ggml_type_name(header.type);
    const found = contiguous(this.#read(tensor), header);
    if (!found) {
      this.unreadable.push(`${name}:${op}:${type}`);
      return;
    }
    const outermostFirst = [...header.ne].reverse() as [number, number, number, number];
    const { shape, data } = ours
      ? inOurAxes(ours, outermostFirst, found, pass)
      : { shape: withoutLeadingOnes(outermostFirst), data: found };
    const place = {
      pass: pass.pass,
      pos0: pass.nKeys - pass.nTokens,
      type,
      shape,
      offset: spool.append(data),
      statistics: statisticsOf(data),
    };
    const node: CapturedNode = { name, op, occurrence, ours, ...place };
    if (ours) this.#give(node, ours, ours.product && header.sources[0]);
    this.#byPointer.set(tensor, node);
    this.nodes.push(node);
  }

  /** One value, one name: an earlier node of this name is what a bias was added to, or goes without. */
  #give(
    node: CapturedNode,
    ours: NonNullable<ReturnType<typeof ourTensor>>,
    product: Pointer | null | undefined,
  ): void {
    const earlier = this.#byOurName.get(ours.name);
    if (earlier) earlier.ours = null;
    this.#byOurName.set(ours.name, node);
    const before = product === null || product === undefined ? undefined : this.#byPointer.get(product);
    if (!before) return;
    before.ours = ours.product;
    before.shape = node.shape;
  }

  #header(tensor: Pointer): TensorHeader {
    const { layout } = this.#parts;
    return readTensorHeader(new DataView(bytesAt(tensor, layout.size).buffer), layout);
  }

  /** The bytes of a tensor, in memory that the next one takes over. */
  #read(tensor: Pointer): Uint8Array<ArrayBuffer> {
    const { native } = this.#parts;
    const length = Number(native.ggml_nbytes(tensor));
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(length);
    const bytes = this.#bytes.subarray(0, length);
    native.ggml_backend_tensor_get(tensor, bytes, 0, length);
    return bytes;
  }
}

function withoutLeadingOnes(shape: readonly number[]): number[] {
  const first = shape.findIndex((size) => size !== 1);
  return shape.slice(first < 0 ? shape.length - 1 : first);
}

/** ggml's numbers for the types that activations and inputs have. */
const F32 = 0;
const F16 = 1;
const I32 = 26;
const I64 = 27;

/**
 * The numbers of a strided tensor in row-major order, as f32; null for a type that holds no such numbers. Of packed f32 it
 * is a view.
 */
export function contiguous(
  bytes: Uint8Array<ArrayBuffer>,
  { type, ne, nb }: Pick<TensorHeader, 'type' | 'ne' | 'nb'>,
): Float32Array | null {
  const length = ne[0] * ne[1] * ne[2] * ne[3];
  const packed = nb[0] === 4 && nb[1] === nb[0] * ne[0] && nb[2] === nb[1] * ne[1] && nb[3] === nb[2] * ne[2];
  if (type === F32 && packed) return new Float32Array(bytes.buffer, 0, length);
  const number = numberReader(new DataView(bytes.buffer), type);
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

function numberReader(view: DataView, type: number): ((at: number) => number) | null {
  switch (type) {
    case F32:
      return (at) => view.getFloat32(at, true);
    case I32:
      return (at) => view.getInt32(at, true);
    case I64:
      return (at) => Number(view.getBigInt64(at, true));
    case F16:
      return (at) => halfAsFloat[view.getUint16(at, true)] as number;
    default:
      return null;
  }
}
