/**
 * How much of a watched pass is submitted at a time. What was submitted cannot be stopped, so a layer goes to the device
 * whole only where the one before it was quick; else kernel by kernel. That a submit ends is noticed within a millisecond,
 * which many small ones would add up: of quick layers several go as one.
 */

/** Milliseconds that a stop may have to wait for what was submitted, where kernels allow. */
const QUICK_MS = 100;
/** Milliseconds that layers which go as one should take. */
const TOGETHER_MS = 50;

export class Pace {
  #nTokens = 0;
  #layers = 0;

  /** How many layers of a pass over so many tokens may go as one; 0: each goes kernel by kernel. */
  layersAtOnce(nTokens: number): number {
    if (nTokens !== this.#nTokens) this.#layers = 0;
    this.#nTokens = nTokens;
    return this.#layers;
  }

  /** Tells how long so many layers took, of so many kernels; one kernel alone says nothing of a layer. */
  took(layers: number, kernels: number, ms: number): void {
    if (kernels <= 1) return;
    const each = ms / layers;
    this.#layers = each < QUICK_MS ? Math.max(1, Math.floor(TOGETHER_MS / each)) : 0;
  }
}
