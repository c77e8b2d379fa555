/**
 * Device memory for outputs. A page holds the outputs of one segment of a pass; when nobody needs it any more it goes
 * back to the pool and is used again without being cleared, so what is in it then is stale until a step writes it.
 */

export class Page {
  readonly buffer: GPUBuffer;
  /** Bind groups whose output lies here, by what they bind; they go when the page goes. */
  readonly bindGroups = new Map<string, GPUBindGroup>();

  constructor(buffer: GPUBuffer) {
    this.buffer = buffer;
  }

  get bytes(): number {
    return this.buffer.size;
  }
}

export class PagePool {
  readonly #device: GPUDevice;
  readonly #free: Page[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A page of at least `bytes`; a free one where one fits without wasting more than half of it. */
  acquire(bytes: number): Page {
    const fits = (page: Page) => page.bytes >= bytes && page.bytes <= 2 * bytes;
    const found = this.#free.findLastIndex(fits);
    if (found >= 0) return this.#free.splice(found, 1)[0]!;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    return new Page(this.#device.createBuffer({ label: 'page', size: bytes, usage }));
  }

  release(page: Page): void {
    this.#free.push(page);
  }

  /** Gives memory back that the coming pass, whose largest segment is `bytes`, will not use. */
  trim(bytes: number): void {
    for (let i = this.#free.length - 1; i >= 0; i--) {
      const page = this.#free[i]!;
      if (page.bytes > 2 * bytes) {
        page.buffer.destroy();
        this.#free.splice(i, 1);
      }
    }
  }

  destroy(): void {
    for (const page of this.#free.splice(0)) page.buffer.destroy();
  }
}
