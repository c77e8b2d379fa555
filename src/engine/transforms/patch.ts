/**
 * patch: values of another run stand in for this one's, in a tensor, a head of it or a token's row: activation patching, which
 * tells what of a text makes a model say what it says ("causal tracing": Meng et al. 2022, arXiv:2202.05262).
 */
import { StepError, UsageError } from '../../errors.ts';
import type { Pass } from '../../ops/op.ts';
import type { Tensor } from '../../trace/tensor.ts';
import type { Trace } from '../../trace/trace.ts';
import { edit } from './edit.ts';
import type { Transform } from './transform.ts';

export interface PatchOptions {
  /** Position in the text whose row is replaced. Where absent each is, by that of the same position, as far as both texts go. */
  readonly token?: number;
  /** Position in the other run's text whose row is put there. Default the same. */
  readonly from?: number;
  /** Every head where absent. */
  readonly head?: number;
}

/**
 * Puts the values of `source`, a run or a trace of the same model over another text, in place of the named tensors' own:
 * `model.with(patch('l_out-3', other, { token: 8 }))`. Throws UsageError where a position is none, or `from` is there without
 * `token`; applying it throws StepError where no step has such a name, and a run where the source has no such row or head, or no
 * values of it.
 */
export function patch(names: string, source: Trace | { readonly trace: Trace }, options: PatchOptions = {}): Transform {
  mustBeOptions(names, options);
  const trace = 'trace' in source ? source.trace : source;
  const { prompt, tokens } = trace.manifest;
  return {
    ...edit(names, (tensor, pass) => patched(tensor, pass, trace, options)),
    name: 'patch',
    params: {
      ...{ tensors: names, ...options },
      ...(prompt === undefined ? {} : { prompt }),
      ...(tokens === undefined ? {} : { tokens }),
    },
  };
}

function mustBeOptions(names: string, { token, from }: PatchOptions): void {
  const wrong = [token, from].find((at) => at !== undefined && !(Number.isInteger(at) && at >= 0));
  if (wrong !== undefined) {
    throw new UsageError(`Cannot patch token ${wrong} of ${names}: a position in the text is 0, 1, 2, …`);
  }
  if (from === undefined || token !== undefined) return;
  throw new UsageError(
    `Cannot patch ${names} from token ${from}: say which token it replaces: { token: …, from: ${from} }`,
  );
}

async function patched(
  tensor: Tensor,
  { nPast, nTokens }: Pass,
  source: Trace,
  { token, from, head }: PatchOptions,
): Promise<Float32Array> {
  mustHaveRows(tensor);
  const part = partOf(tensor, head);
  const data = Float32Array.from(tensor.data);
  const width = data.length / nTokens;
  const rowAt = rowsOf(source, tensor.name);
  for (let row = 0; row < nTokens; row++) {
    const position = nPast + row;
    if (token !== undefined && position !== token) continue;
    const values = await rowAt(from ?? position);
    if (values === null && token === undefined) continue;
    if (values?.length !== width) throw missing(tensor, from ?? position, values);
    data.set(values.subarray(part.start, part.end), row * width + part.start);
  }
  return data;
}

/** Attention scores are over the keys of their own text. */
function mustHaveRows({ name, dims }: Tensor): void {
  if (dims[0] === 'token' && !dims.includes('key')) return;
  throw new StepError(
    `Cannot patch ${name}: its axes are ${dims.join(', ')}, and a row of it is over its own text; patch what is made of it, such as kqv_out`,
    { step: name },
  );
}

/** Where a head lies in a row. */
function partOf({ name, shape, dims }: Tensor, head: number | undefined): { start: number; end: number } {
  const width = shape.slice(1).reduce((product, size) => product * size, 1);
  if (head === undefined) return { start: 0, end: width };
  const nHead = dims[1] === 'head' ? (shape[1] as number) : 0;
  if (Number.isInteger(head) && head >= 0 && head < nHead) {
    return { start: (head * width) / nHead, end: ((head + 1) * width) / nHead };
  }
  const found = nHead === 0 ? `its axes are ${dims.join(', ')}; leave head out` : `its heads are 0 to ${nHead - 1}`;
  throw new StepError(`Cannot patch head ${head} of ${name}: ${found}`, { step: name });
}

/** Gives a token's row from whichever pass of the source was over it; null where none was. Each pass is read once. */
function rowsOf(source: Trace, name: string): (position: number) => Promise<Float32Array | null> {
  const rows = source.entries.filter((row) => row.name === name);
  const read = new Map<number, Promise<Tensor>>();
  return async (position) => {
    const row = rows.find(({ pos0, shape }) => position >= pos0 && position < pos0 + (shape[0] as number));
    if (!row) return null;
    const { pass, pos0 } = row;
    const tensor = read.get(pass) ?? source.tensor(name, { pass });
    read.set(pass, tensor);
    return (await tensor).slice(position - pos0).data;
  };
}

function missing({ name, shape }: Tensor, position: number, values: Float32Array | null): StepError {
  const found = values ? `a row of ${values.length} numbers` : 'nothing';
  const wanted = shape.slice(1).reduce((product, size) => product * size, 1);
  return new StepError(
    `Cannot patch ${name}: the other run has ${found} at position ${position}; wanted ${wanted} numbers. ` +
      'Give a run of the same model that came so far, and a position in its text',
    { step: name },
  );
}
