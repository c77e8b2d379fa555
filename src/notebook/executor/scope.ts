/**
 * Which cell the code that runs belongs to: whose output it is, and whether it was interrupted.
 *
 * Node's own AsyncLocalStorage cannot be used: together with `Runtime.terminateExecution`, by which endless loops are stopped,
 * it aborts Node 20. Instead awaits of compiled cells (compiler/common_js.ts) and timers carry the cell along.
 */

import { INTERRUPTED } from './wire.ts';

/** JavaScript's own, as it is now: cells may put another in its place. */
export const OwnPromise = Promise;

/** One run of a cell. */
export interface CellScope {
  readonly id: number;
  readonly count: number;
  /** Aborted by an interrupt, when the thread turns to it. */
  readonly signal: AbortSignal;
  /** True from the moment of an interrupt, also while the thread never turns to it. */
  isInterrupted(): boolean;
}

/** The cell was stopped by its user. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor() {
    super(INTERRUPTED);
  }
}

let current: CellScope | null = null;
/** Whether a timer's callback runs. */
let isInCallback = false;

export function currentCell(): CellScope | null {
  return current;
}

/** What runs from here on belongs to this cell. Throws where the cell was interrupted. */
export function enter(cell: CellScope | null): void {
  current = cell;
  if (cell?.isInterrupted()) throw new Interrupted();
}

/** The same, for what must run even so. */
export function leaveTo(cell: CellScope | null): void {
  current = cell;
  isInCallback = false; // also where a callback was terminated
}

type Callback = (...args: unknown[]) => unknown;
type Timer = (callback: unknown, ...rest: unknown[]) => unknown;

const isNative = (callback: object): boolean =>
  /\[native code\]\s*\}$/.test(Function.prototype.toString.call(callback));

/**
 * Makes timers carry the cell that set them. Those of an interrupted cell still come once: others may wait for them, as the
 * engine does for the device, and would wait for ever. Its intervals end, and its callbacks set no further ones, but for
 * native code: Dawn looks for the device's answers by one that sets the next, and never looks again if that is lost. A timer's
 * callback runs as a microtask: there an endless loop can be terminated without harm to Node's timers. `onError` takes what a
 * callback throws.
 */
export function carryThroughTimers(onError: (error: unknown) => void): void {
  const timers = globalThis as unknown as Record<string, Timer>;
  for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask']) {
    const original = timers[name] as Timer;
    const carrying: Timer = (callback, ...rest) => {
      if (typeof callback !== 'function') return original(callback, ...rest);
      const cell = current;
      if (isInCallback && cell?.isInterrupted() && !isNative(callback)) return original(() => {}, ...rest);
      const run = (args: unknown[]) => {
        if (name === 'setInterval' && cell?.isInterrupted()) return undefined;
        const before = { current, isInCallback };
        current = cell;
        isInCallback = true;
        try {
          return (callback as Callback)(...args);
        } finally {
          ({ current, isInCallback } = before);
        }
      };
      const isTimer = name !== 'queueMicrotask';
      return original(
        (...args: unknown[]) => {
          if (isTimer) OwnPromise.resolve(args).then(run).catch(onError);
          else run(args);
        },
        ...rest,
      );
    };
    // util.promisify finds its own version on the original.
    Object.defineProperties(carrying, Object.getOwnPropertyDescriptors(original));
    timers[name] = carrying;
  }
}
