/** Weights on the device, uploaded when a step first needs them and shared by every run of a model. */

import { InterruptedError } from '../../errors.ts';
import type { WeightRows } from '../../ops/op.ts';
import type { Gpu } from '../../platform.ts';
import type { Watched } from '../watched.ts';
import { bytesOf, hostWeight, type WeightSource } from '../weight_store.ts';
import { deviceTraits } from './device_traits.ts';
import { type ReadRows, UploadMemory, type UploadOptions, uploadWeight } from './weights.ts';

export type ResidentWeight = Awaited<ReturnType<typeof uploadWeight>>;

export class DeviceWeights {
  readonly #gpu: Gpu;
  readonly #source: WeightSource;
  readonly #memory = new UploadMemory();
  /** The upload under way: one at a time, since they share the memory. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #resident = new Map<string, Promise<ResidentWeight>>();
  /** Those of them that are there. */
  readonly #uploaded = new Set<string>();

  constructor(gpu: Gpu, source: WeightSource) {
    this.#gpu = gpu;
    this.#source = source;
  }

  /** Uploads those that are not there. Throws InterruptedError where it is stopped; what is there by then stays. */
  async upload(names: Iterable<string>, { stop, onProgress }: Watched): Promise<void> {
    const missing = [...new Set(names)].filter((name) => !this.#uploaded.has(name));
    const sizes = missing.map((name) => bytesOf(this.#source.info(name)!));
    const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
    let before = 0;
    for (const [i, item] of missing.entries()) {
      const report = (bytes: number) =>
        onProgress?.({ task: 'uploading weights', item, done: before + bytes, total, unit: 'bytes' });
      await this.get(item, { stop, onBytes: report });
      before += sizes[i]!;
      report(0);
    }
  }

  async get(name: string, watched: Pick<UploadOptions, 'stop' | 'onBytes'> = {}): Promise<ResidentWeight> {
    for (;;) {
      try {
        return await (this.#resident.get(name) ?? this.#begin(name, watched));
      } catch (error) {
        // It was another run's upload that was stopped: this one begins its own.
        if (!(error instanceof InterruptedError) || watched.stop?.aborted) throw error;
      }
    }
  }

  #begin(name: string, watched: Pick<UploadOptions, 'stop' | 'onBytes'>): Promise<ResidentWeight> {
    const info = this.#source.info(name)!;
    const read: ReadRows = (row0, rows, into) => this.#source.readRows(name, row0, rows, into);
    const options = { storage: deviceTraits(this.#gpu).fastStorage, memory: this.#memory, ...watched };
    const weight = this.#last.then(() => uploadWeight(this.#gpu, info, read, options));
    this.#last = weight.catch(() => {});
    this.#resident.set(name, weight);
    weight.then(
      () => this.#uploaded.add(name),
      () => this.#resident.delete(name),
    );
    return weight;
  }

  /** The same weight for a computation on the host, such as RoPE's table. */
  host(name: string): Promise<WeightRows> {
    return hostWeight(this.#source, name);
  }

  async destroy(): Promise<void> {
    for (const weight of this.#resident.values()) (await weight).destroy();
    this.#resident.clear();
    this.#uploaded.clear();
  }
}
