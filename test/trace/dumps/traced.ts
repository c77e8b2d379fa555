/** A run whose dumps the tests write and read back, and its tensors as llama.cpp's graph would have them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Model } from '../../../src/engine/model.ts';
import type { Tensor } from '../../../src/trace/tensor.ts';
import type { Trace } from '../../../src/trace/trace.ts';
import { openRandom } from '../../engine/models.ts';

export const TOKENS = [1, 5, 9, 17, 33, 2, 7];

export interface Traced {
  readonly model: Model;
  readonly trace: Trace;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** A small random model's run over `TOKENS`, in f64. */
export async function traced(): Promise<Traced> {
  const model = await openRandom('reference');
  const { trace } = await model.start(TOKENS).toEnd();
  const tensors = new Map<string, Tensor>();
  for (const name of trace.names) tensors.set(name, await trace.tensor(name));
  return { model, trace, tensors };
}

/** A folder that a test file writes into. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'layerscope-dump-'));

  /** Writes a file and gives its path. */
  file(name: string, content: Uint8Array | string): string {
    writeFileSync(join(this.path, name), content);
    return join(this.path, name);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function littleEndian({ data }: Tensor): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(4 * data.length));
  data.forEach((value, i) => {
    bytes.setFloat32(4 * i, value, true);
  });
  return new Uint8Array(bytes.buffer);
}

/** Each tensor of `names` in the dump is the run's, in every bit, with its shape, axes, op and statistics. */
export async function expectSame(
  dump: Trace,
  { trace }: Pick<Traced, 'trace'>,
  names: readonly string[] = trace.names,
): Promise<void> {
  expect(dump.names).toEqual(names);
  for (const row of dump.entries) {
    const ours = trace.entries.find(({ name }) => name === row.name)!;
    const { layer, op, pos0, shape, dims, statistics, hook, hf } = ours;
    expect(row).toMatchObject({ layer, op, pos0, shape, dims, statistics, hook, hf, hasValues: true });
    expect((await dump.tensor(row.name)).data).toEqual((await trace.tensor(row.name)).data);
  }
}

/** Repeats `attempt` on content that was cut or has wrong bytes; whatever it throws is one of our errors. */
export async function neverCrashes(attempt: () => Promise<Trace>): Promise<Trace | null> {
  try {
    return await attempt();
  } catch (error) {
    expect(error).toMatchObject({ message: expect.stringMatching(/^Cannot /) });
    return null;
  }
}
