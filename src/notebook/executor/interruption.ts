/** Whether the running cell is interrupted: what the cells' thread and the watchdog's both see. */
const ASKED = 0;
const NOTICED = 1;

export class Interruption {
  readonly buffer: SharedArrayBuffer;
  readonly #flags: Int32Array;

  constructor(buffer = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#flags = new Int32Array(buffer);
  }

  /** The user wants the cell to stop. */
  get isAsked(): boolean {
    return Atomics.load(this.#flags, ASKED) !== 0;
  }

  /** The cells' thread has turned to it. */
  get isNoticed(): boolean {
    return Atomics.load(this.#flags, NOTICED) !== 0;
  }

  ask(): void {
    Atomics.store(this.#flags, ASKED, 1);
  }

  notice(): void {
    Atomics.store(this.#flags, NOTICED, 1);
  }

  /** For the next cell. */
  reset(): void {
    Atomics.store(this.#flags, ASKED, 0);
    Atomics.store(this.#flags, NOTICED, 0);
  }
}
