/**
 * Which run of a cell was interrupted, and whether its end from outside is under way: what the cells' thread and the watchdog's
 * both see. An interrupt names its run, so that one which comes late does not stop the next.
 */
const [ASKED, NOTICED, ENDING, LOADING] = [0, 1, 2, 3];

export class Interruption {
  readonly buffer: SharedArrayBuffer;
  readonly #slots: Int32Array;

  constructor(buffer = new SharedArrayBuffer(4 * Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#slots = new Int32Array(buffer);
  }

  /** The user wants it to stop. Ids are 1 or more. */
  ask(id: number): void {
    Atomics.store(this.#slots, ASKED, id);
  }

  isAsked(id: number): boolean {
    return Atomics.load(this.#slots, ASKED) === id;
  }

  /**
   * The cells' thread has turned to it: from here on its JavaScript must not be ended. False where that was begun and has not
   * struck yet: what the thread does now may be cut off.
   */
  notice(id: number): boolean {
    Atomics.store(this.#slots, NOTICED, id);
    return Atomics.load(this.#slots, ENDING) === 0;
  }

  isNoticed(id: number): boolean {
    return Atomics.load(this.#slots, NOTICED) === id;
  }

  /** The watchdog begins to end what runs. False where it must not: the thread has noticed, or the last end has not struck yet. */
  beginEnding(id: number): boolean {
    if (Atomics.load(this.#slots, ENDING) !== 0) return false;
    // Before it looks whether the thread has noticed, as that looks here after it has: one of the two sees the other.
    Atomics.store(this.#slots, ENDING, 1);
    if (!this.isNoticed(id)) return true;
    this.ended();
    return false;
  }

  /** Node imports a package meanwhile: an import whose JavaScript is ended never settles, nor do those of the same package after it. */
  async whileLoading<T>(load: () => Promise<T>): Promise<T> {
    Atomics.add(this.#slots, LOADING, 1);
    try {
      return await load();
    } finally {
      Atomics.sub(this.#slots, LOADING, 1);
    }
  }

  get isLoading(): boolean {
    return Atomics.load(this.#slots, LOADING) > 0;
  }

  /** The end has struck. */
  ended(): void {
    Atomics.store(this.#slots, ENDING, 0);
  }
}
