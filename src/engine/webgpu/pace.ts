/**
 * How much of a watched pass is submitted at a time. What was submitted cannot be stopped, so a layer goes to the device
 * whole only where the one before it was quick; else kernel by kernel. That a submit ends is noticed within a millisecond,
 * which many small ones would add up.
 */

/** Milliseconds that a stop may have to wait for what was submitted, where kernels allow. */
const QUICK_MS = 100;

export class Pace {
  #nTokens = 0;
  #isQuick = false;

  /** Whether a segment of a pass over so many tokens may go as one. */
  isWhole(nTokens: number): boolean {
    if (nTokens !== this.#nTokens) this.#isQuick = false;
    this.#nTokens = nTokens;
    return this.#isQuick;
  }

  /** Tells how long a segment of so many kernels took; one alone says nothing of a layer. */
  took(kernels: number, ms: number): void {
    if (kernels > 1) this.#isQuick = ms < QUICK_MS;
  }
}
