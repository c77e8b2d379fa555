/**
 * Which run of a cell goes on, and which was interrupted: what the cells' thread and the watchdog's both see. An interrupt names
 * its run, so that one which comes late does not stop the next.
 */
const [RUNNING, ASKED, NOTICED] = [0, 1, 2];
const NONE = 0;

export class Interruption {
  readonly buffer: SharedArrayBuffer;
  readonly #ids: Int32Array;

  constructor(buffer = new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#ids = new Int32Array(buffer);
  }

  /** Ids are 1 or more. */
  begin(id: number): void {
    Atomics.store(this.#ids, RUNNING, id);
  }

  end(): void {
    Atomics.store(this.#ids, RUNNING, NONE);
  }

  /** The user wants it to stop. */
  ask(id: number): void {
    Atomics.store(this.#ids, ASKED, id);
  }

  isAsked(id: number): boolean {
    return Atomics.load(this.#ids, ASKED) === id;
  }

  /** The cells' thread has turned to it. */
  notice(id: number): void {
    Atomics.store(this.#ids, NOTICED, id);
  }

  /** Whether it still runs and has not noticed: what the thread does after that must not be ended. */
  isUnnoticed(id: number): boolean {
    return Atomics.load(this.#ids, RUNNING) === id && Atomics.load(this.#ids, NOTICED) !== id;
  }
}
