/**
 * Which cell the code that runs belongs to: whose output it is, and whether it was interrupted.
 *
 * Node's own AsyncLocalStorage cannot be used: together with `Runtime.terminateExecution`, by which endless loops are stopped,
 * it aborts Node 20. Instead awaits of compiled cells (compiler/common_js.ts) and timers carry the cell along.
 */

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
    super('the cell was interrupted; variables are as it left them');
  }
}

let current: CellScope | null = null;

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
}

type Callback = (...args: unknown[]) => unknown;
type Timer = (callback: unknown, ...rest: unknown[]) => unknown;

/**
 * Makes timers carry the cell that set them; those of an interrupted cell do nothing. A timer's callback runs as a microtask:
 * there an endless loop can be terminated without harm to Node's timers. `onError` takes what a callback throws.
 */
export function carryThroughTimers(onError: (error: unknown) => void): void {
  const timers = globalThis as unknown as Record<string, Timer>;
  for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask']) {
    const original = timers[name] as Timer;
    const carrying: Timer = (callback, ...rest) => {
      if (typeof callback !== 'function') return original(callback, ...rest);
      const cell = current;
      const run = (args: unknown[]) => {
        const before = current;
        if (cell?.isInterrupted()) return undefined;
        current = cell;
        try {
          return (callback as Callback)(...args);
        } finally {
          current = before;
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
