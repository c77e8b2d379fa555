/** Weights on the device, uploaded when a step first needs them and shared by every run of a model. */
import type { WeightRows } from '../../ops/op.ts';
import type { Gpu } from '../../platform.ts';
import { hostWeight, type WeightSource } from '../weight_store.ts';
import { deviceTraits } from './device_traits.ts';
import { type ReadRows, UploadMemory, uploadWeight } from './weights.ts';

export type ResidentWeight = Awaited<ReturnType<typeof uploadWeight>>;

export class DeviceWeights {
  readonly #gpu: Gpu;
  readonly #source: WeightSource;
  readonly #memory = new UploadMemory();
  /** The upload under way: one at a time, since they share the memory. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #resident = new Map<string, Promise<ResidentWeight>>();

  constructor(gpu: Gpu, source: WeightSource) {
    this.#gpu = gpu;
    this.#source = source;
  }

  get(name: string): Promise<ResidentWeight> {
    let weight = this.#resident.get(name);
    if (!weight) {
      const info = this.#source.info(name)!;
      const read: ReadRows = (row0, rows, into) => this.#source.readRows(name, row0, rows, into);
      const options = { storage: deviceTraits(this.#gpu).fastStorage, memory: this.#memory };
      weight = this.#last.then(() => uploadWeight(this.#gpu, info, read, options));
      this.#last = weight.catch(() => {});
      weight.catch(() => this.#resident.delete(name));
      this.#resident.set(name, weight);
    }
    return weight;
  }

  /** The same weight for a computation on the host, such as RoPE's table. */
  host(name: string): Promise<WeightRows> {
    return hostWeight(this.#source, name);
  }

  async destroy(): Promise<void> {
    for (const weight of this.#resident.values()) (await weight).destroy();
    this.#resident.clear();
  }
}
