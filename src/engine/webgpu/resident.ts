/** Weights on the device, uploaded when a step first needs them and shared by every run of a model. */

import { InterruptedError } from '../../errors.ts';
import type { WeightRows } from '../../ops/op.ts';
import type { Gpu } from '../../platform.ts';
import type { Watched } from '../watched.ts';
import { bytesOf, hostWeight, type WeightSource } from '../weight_store.ts';
import { deviceTraits } from './device_traits.ts';
import { type ReadRows, UploadMemory, type UploadOptions, uploadWeight } from './weights.ts';

export type ResidentWeight = Awaited<ReturnType<typeof uploadWeight>>;

/** What is on the device, shared by all that read it. */
interface Residents {
  readonly memory: UploadMemory;
  /** The upload under way: one at a time, since they share the memory. */
  last: Promise<unknown>;
  readonly weights: Map<string, Promise<ResidentWeight>>;
  /** Those of them that are there. */
  readonly uploaded: Set<string>;
}

export class DeviceWeights {
  readonly #gpu: Gpu;
  readonly #source: WeightSource;
  readonly #residents: Residents;

  constructor(gpu: Gpu, source: WeightSource, residents?: Residents) {
    this.#gpu = gpu;
    this.#source = source;
    this.#residents = residents ?? {
      memory: new UploadMemory(),
      last: Promise.resolve(),
      weights: new Map(),
      uploaded: new Set(),
    };
  }

  /** The same weights on the device, for a source that has more. */
  over(source: WeightSource): DeviceWeights {
    return new DeviceWeights(this.#gpu, source, this.#residents);
  }

  /** Uploads those that are not there. Throws InterruptedError where it is stopped; what is there by then stays. */
  async upload(names: Iterable<string>, { stop, onProgress }: Watched): Promise<void> {
    const missing = [...new Set(names)].filter((name) => !this.#residents.uploaded.has(name));
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
        return await (this.#residents.weights.get(name) ?? this.#begin(name, watched));
      } catch (error) {
        // It was another run's upload that was stopped: this one begins its own.
        if (!(error instanceof InterruptedError) || watched.stop?.aborted) throw error;
      }
    }
  }

  #begin(name: string, watched: Pick<UploadOptions, 'stop' | 'onBytes'>): Promise<ResidentWeight> {
    const info = this.#source.info(name)!;
    const read: ReadRows = (row0, rows, into) => this.#source.readRows(name, row0, rows, into);
    const { memory, weights, uploaded } = this.#residents;
    const options = { storage: deviceTraits(this.#gpu).fastStorage, memory, ...watched };
    const weight = this.#residents.last.then(() => uploadWeight(this.#gpu, info, read, options));
    this.#residents.last = weight.catch(() => {});
    weights.set(name, weight);
    weight.then(
      () => uploaded.add(name),
      () => weights.delete(name),
    );
    return weight;
  }

  /** The same weight for a computation on the host, such as RoPE's table. */
  host(name: string): Promise<WeightRows> {
    return hostWeight(this.#source, name);
  }

  async destroy(): Promise<void> {
    const { weights, uploaded } = this.#residents;
    for (const weight of weights.values()) (await weight).destroy();
    weights.clear();
    uploaded.clear();
  }
}
