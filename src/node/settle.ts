/**
 * Waiting for the device without burning a core. While a promise of Dawn's is pending, the `webgpu` package polls from the
 * event loop as fast as it turns, nearly a whole core and hundreds of MB of garbage; with a software adapter that halves
 * the speed of the work waited for. So the loop is made to rest between its turns: briefly at first, then up to 1 ms.
 */
const LONGEST_REST_MS = 1;
/** A rest is this fraction of what was waited so far, so that short work is noticed at once. */
const REST_FRACTION = 0.05;

const lock = new Int32Array(new SharedArrayBuffer(4));

/** Awaits `pending`, letting the processor rest. Timers, signals and I/O go on, at most 1 ms late. */
export async function settle<T>(pending: Promise<T>): Promise<T> {
  let isPending = true;
  const done = () => {
    isPending = false;
  };
  pending.then(done, done);
  const start = performance.now();
  while (isPending) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!isPending) break;
    Atomics.wait(lock, 0, 0, Math.min(LONGEST_REST_MS, REST_FRACTION * (performance.now() - start)));
  }
  return pending;
}
