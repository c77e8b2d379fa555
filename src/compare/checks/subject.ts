/** What is checked: a trace, by pass and layer, with the model it is of where that is known. */
import type { Model } from '../../engine/model.ts';
import { mustGoOn, type Stop } from '../../engine/watched.ts';
import { passesOf } from '../../trace/passes.ts';
import { Tensor } from '../../trace/tensor.ts';
import type { Trace, TraceRow } from '../../trace/trace.ts';
import { type Arithmetic, arithmeticOf } from './arithmetic.ts';
import type { Findings, Where } from './findings.ts';

export type TracePass = ReturnType<typeof passesOf>[number];

export interface SubjectParts {
  readonly trace: Trace;
  /** Whose weights and metadata the trace should follow; its transforms are left out. */
  readonly model: Model | null;
  /** Layers to look at; all unless told. */
  readonly layers?: readonly number[];
  readonly stop?: Stop | undefined;
}

/** Tensors of one layer and pass by role, all with values and of the same tokens. */
export interface TensorSet<R extends string> {
  readonly layer: number | null;
  readonly pass: TracePass;
  readonly tensors: Readonly<Record<R, Tensor>>;
  at(role: R): Where;
}

export class Subject {
  readonly trace: Trace;
  readonly model: Model | null;
  readonly arithmetic: Arithmetic;
  readonly passes: readonly TracePass[];
  readonly nLayer: number;
  readonly layers: readonly number[];
  readonly #rows: ReadonlyMap<string, TraceRow>;
  readonly #stop: Stop | undefined;

  constructor({ trace, model, layers, stop }: SubjectParts) {
    this.trace = trace;
    this.model = model?.untransformed ?? null;
    this.arithmetic = arithmeticOf(trace);
    this.passes = passesOf(trace);
    this.#rows = new Map(trace.entries.map((row) => [`${row.pass} ${row.name}`, row]));
    this.#stop = stop;
    const last = trace.entries.reduce((most, { layer }) => Math.max(most, layer ?? -1), -1);
    this.nLayer = this.model?.config.nLayer ?? last + 1;
    this.layers = layers ?? Array.from({ length: this.nLayer }, (_, layer) => layer);
  }

  /** Token ids of all passes, or null where the trace does not tell them. */
  get tokens(): readonly number[] | null {
    return tokensOf(this.trace);
  }

  /** The name of what goes into a layer. */
  inputOf(layer: number): string {
    return layer === 0 ? 'embd' : `l_out-${layer - 1}`;
  }

  row(name: string, pass: number): TraceRow | undefined {
    return this.#rows.get(`${pass} ${name}`);
  }

  /** A tensor's values, or null where the trace has none. */
  async values(name: string, pass: number): Promise<Tensor | null> {
    this.mustGoOn();
    return this.row(name, pass)?.hasValues ? this.trace.tensor(name, { pass }) : null;
  }

  /** For each pass and layer the tensors that `roles` names; what is not there is left out and said. */
  async *sets<R extends string>(
    roles: (layer: number) => Readonly<Record<R, string>>,
    findings: Findings,
  ): AsyncGenerator<TensorSet<R>> {
    for (const pass of this.passes) {
      for (const layer of this.layers) {
        const set = await this.set(roles(layer), layer, pass, findings);
        if (set) yield set;
      }
    }
  }

  /** The named tensors of a pass, or null where one is not there: then that is said. */
  async set<R extends string>(
    roles: Readonly<Record<R, string>>,
    layer: number | null,
    pass: TracePass,
    findings: Findings,
  ): Promise<TensorSet<R> | null> {
    const tensors: Partial<Record<R, Tensor>> = {};
    const names = Object.entries(roles) as [R, string][];
    let isWhole = true;
    for (const [role, name] of names) {
      const tensor = await this.values(name, pass.index);
      if (tensor) tensors[role] = tensor;
      else findings.lacks(name, layer, this.#whyNot(name, pass.index));
      isWhole &&= tensor !== null;
    }
    if (!isWhole) return null;
    const whole = tensors as Record<R, Tensor>;
    const most = Math.max(...names.map(([role]) => tokensIn(whole[role]) ?? 0));
    for (const [role, name] of names) {
      const count = tokensIn(whole[role]);
      if (count === most) continue;
      const found =
        count === null
          ? `its axes are ${whole[role].dims.join(', ')}, with no token among them`
          : `it holds ${count} of ${most} tokens`;
      findings.lacks(name, layer, found);
      return null;
    }
    const at = (role: R): Where => {
      const { shape, dims } = whole[role];
      // A pass of which only the last rows were kept ends where the pass does.
      return { name: roles[role], layer, pass: pass.index, pos0: pass.pos0 + pass.nTokens - most, shape, dims };
    };
    return { layer, pass, tensors: whole, at };
  }

  /** A tensor over all passes as one pass over all tokens would have it, keys that nobody saw being 0; else why not. */
  async whole(name: string): Promise<Tensor | string> {
    const parts: { pass: TracePass; tensor: Tensor }[] = [];
    for (const pass of this.passes) {
      const tensor = await this.values(name, pass.index);
      if (!tensor) return this.#whyNot(name, pass.index);
      if (tokensIn(tensor) !== pass.nTokens)
        return `it holds ${tokensIn(tensor) ?? 'no'} of ${pass.nTokens} tokens of pass ${pass.index}`;
      parts.push({ pass, tensor });
    }
    const [first] = parts;
    if (!first || parts.length === 1) return first?.tensor ?? 'the trace is empty';
    return joinedTokens(parts.map(({ tensor }) => tensor));
  }

  /** Throws InterruptedError once the check is to stop. */
  mustGoOn(): void {
    mustGoOn(this.#stop, 'finish the checks', 'the model is as it was; check it again');
  }

  #whyNot(name: string, pass: number): string {
    return this.row(name, pass) ? 'only statistics of it are there' : 'the trace does not hold it';
  }
}

/** Token ids of all passes of a trace, drawn ones too, which are told at its end; null where they are not told. */
export function tokensOf(trace: Trace): readonly number[] | null {
  const passes = passesOf(trace);
  const count = passes.reduce((sum, { nTokens }) => sum + nTokens, 0);
  for (const ids of [trace.manifest.tokens, trace.end?.tokens]) {
    if (Array.isArray(ids) && ids.length >= count) return ids.slice(0, count);
  }
  return null;
}

/** How many tokens a tensor holds; null where it has no such axis. */
function tokensIn({ shape, dims }: Tensor): number | null {
  return shape[dims.indexOf('token')] ?? null;
}

/** Tensors of following passes, `[token, …]` or `[head, token, key]`, as one. */
function joinedTokens(parts: readonly Tensor[]): Tensor {
  const { name, dims } = parts[0] as Tensor;
  const axis = dims.indexOf('token');
  const nTokens = parts.reduce((sum, { shape }) => sum + (shape[axis] as number), 0);
  const shape = (parts[0] as Tensor).shape.map((size, i) => (i === axis || dims[i] === 'key' ? nTokens : size));
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const data = new Float32Array(outer * nTokens * inner);
  let at = 0;
  for (const { data: part, shape: own } of parts) {
    const rows = own[axis] as number;
    const width = own.slice(axis + 1).reduce((a, b) => a * b, 1);
    for (let row = 0; row < outer * rows; row++) {
      const to = (Math.floor(row / rows) * nTokens + at + (row % rows)) * inner;
      data.set(part.subarray(row * width, row * width + Math.min(width, inner)), to);
    }
    at += rows;
  }
  return new Tensor({ name, shape, dims, data });
}
