/**
 * Waiting for the device without burning a core. In Node, Dawn polls while a promise is pending, at nearly a whole core,
 * which with a software adapter halves the speed: so sleep for most of the time the same work took before, and only then
 * ask.
 */
const ASLEEP = 0.9;

export class Waiter {
  /** Shortest time seen, in ms, by kind of work. */
  readonly #expected = new Map<string, number>();

  /** Awaits `settle()`, having slept 90 % of what work of this kind took before. Call right after the submit. */
  async until<T>(kind: string, settle: () => Promise<T>): Promise<T> {
    const start = performance.now();
    const expected = this.#expected.get(kind) ?? 0;
    if (expected > 2) await new Promise((resolve) => setTimeout(resolve, ASLEEP * expected));
    const value = await settle();
    const took = performance.now() - start;
    // Drifts up slowly, so that one lucky measurement does not make every later wait poll.
    this.#expected.set(kind, expected === 0 ? took : Math.min(took, expected * 1.05));
    return value;
  }
}
