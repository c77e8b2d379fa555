/** What a stranger's engine with a fault would have recorded: only plain tensors, rounded or noisy. */

import type { Model } from '../../src/engine/model.ts';
import { halfAsFloat, halfBits } from '../../src/gguf/half.ts';
import { statisticsOf } from '../../src/trace/statistics.ts';
import { RowTrace, type Trace, type TraceRow } from '../../src/trace/trace.ts';
import { normals, seeded } from '../seeded.ts';

export interface Recording {
  /** Relative RMS error of every tensor. */
  readonly noise?: number;
  readonly seed?: number;
  readonly type?: 'f32' | 'f16';
  /** Which tensors it holds; default all that a healthy engine has. */
  readonly holds?: (name: string) => boolean;
}

/** The passes end after so many tokens each. */
export async function passesRun(model: Model, tokens: readonly number[], ends: readonly number[]): Promise<Trace> {
  const run = await model.start(tokens.slice(0, ends[0])).toEnd();
  for (const [i, end] of ends.slice(1).entries()) {
    await run.append(tokens.slice(ends[i], end));
    await run.toEnd();
  }
  return run.trace;
}

export async function foreignDump(
  model: Model,
  trace: Trace,
  { noise = 0, seed = 1, type = 'f32', holds = () => true }: Recording = {},
): Promise<Trace> {
  const plain = new Set(model.untransformed.steps.map(({ name }) => name));
  const random = seeded(seed);
  const values = new Map<string, Float32Array>();
  const entries: TraceRow[] = [];
  for (const row of trace.entries) {
    if (!plain.has(row.name) || !holds(row.name)) continue;
    const { data } = await trace.tensor(row.name, { pass: row.pass });
    const recorded = stored(noisy(data, noise, random), type);
    values.set(`${row.name} ${row.pass}`, recorded);
    entries.push({
      ...{ run: row.run, seq: row.seq, pass: row.pass, step: row.name, name: row.name, hook: row.hook, hf: row.hf },
      ...{ layer: row.layer, op: row.op, pos0: row.pos0, srcDtype: type, shape: row.shape, dims: row.dims },
      ...{ statistics: statisticsOf(recorded), sha256: null, hasValues: true },
    });
  }
  const { tokens, bos, quantisation } = trace.manifest;
  return new RowTrace({
    manifest: { producer: 'a stranger', tokens, bos, quantisation } as Trace['manifest'],
    end: null,
    entries,
    values: async (row) => values.get(`${row.name} ${row.pass}`) as Float32Array,
    source: 'a foreign dump',
  });
}

/** The table of sums of a dump, and nothing else of it. */
export function sumsOf({ entries, manifest }: Trace): Trace {
  const rows = entries.map((row) => ({
    ...row,
    hasValues: false,
    partly: { known: ['sum'] as const, sumResolution: 0, sample: null },
  }));
  return new RowTrace({ manifest, entries: rows, values: () => Promise.reject(new Error('none')), source: 'sums' });
}

function noisy(data: Float32Array, noise: number, random: () => number): Float32Array {
  if (noise === 0) return data;
  const rms = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
  const off = normals(random, data.length, noise * rms);
  return data.map((x, i) => (x === 0 ? 0 : x + (off[i] as number)));
}

function stored(data: Float32Array, type: 'f32' | 'f16'): Float32Array {
  return type === 'f32' ? data : data.map((x) => halfAsFloat[halfBits(x)] as number);
}
