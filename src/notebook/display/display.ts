/**
 * `display` and its like, as cells call them. Outputs appear in the order of the calls: one that has to wait, for a chart to
 * be computed or drawn, holds back those after it. What waits for nothing is sent at once, so that it keeps its place among
 * the lines that a cell prints.
 */
import { randomUUID } from 'node:crypto';
import { types } from 'node:util';
import type { CellOutput, Shown } from '../cells.ts';
import { shownAs } from './bundle.ts';
import { thrownText } from './inspected.ts';
import type { Awaitable } from './kind.ts';
import { DISPLAY } from './own.ts';

export interface DisplayOptions {
  /** The id by which `updateDisplay` finds it; unless given, one that nothing else has. */
  readonly id?: string;
  /** For the notebook that draws it, such as `{ 'image/png': { width: 400 } }`. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** What `display` returns: something on the page that can be changed. */
export interface DisplayHandle {
  readonly id: string;
  /** Shows another value, or a promise of one, in its place. */
  update(value: unknown): void;
  /** Done when it is on the page, or its failure is; never rejects. Wait for it to print something below a chart. */
  readonly shown: Promise<void>;
}

/** What cells see. The functions stand alone: they may be taken out of their object. */
export interface CellDisplay {
  /**
   * Shows a value below the cell: a chart, a tensor, a run, any value, or a promise of one. Where it cannot be shown, or the
   * promise rejects, the error is said on stderr and the cell goes on.
   */
  display(value: unknown, options?: DisplayOptions): DisplayHandle;
  /** Shows another value wherever `id` was displayed. */
  updateDisplay(id: string, value: unknown): void;
  /** Takes away what the cell has shown so far; with `wait`, when the next output comes, so that nothing flickers. */
  clearOutput(options?: { readonly wait?: boolean }): void;
}

/** What the executor has of it besides. */
export interface Display extends CellDisplay {
  /** Sends an output that somebody made already, in its turn. */
  put(output: CellOutput): void;
  /** Done when everything that was begun is on the page. Never rejects; does not end while a promise given to `display` is pending. */
  settled(): Promise<void>;
  /** Gives up what is still waited for, as after an interrupt: it is never sent, and what comes later waits for it no more. */
  abandon(): void;
}

export interface DisplayParts {
  /** Takes outputs in the order in which they are to appear. */
  send(output: CellOutput): void;
  /** Makes an id that nothing else has; random unless given. */
  readonly newId?: () => string;
}

export function createDisplay({ send, newId = randomUUID }: DisplayParts): Display {
  const queue = new OutputQueue(send);
  const display: Display = {
    display(value, { id = newId(), metadata = {} } = {}) {
      const shown = queue.put(
        outputOf(value, (shown) => ({ type: 'display_data', displayId: id, ...withMetadata(shown, metadata) })),
      );
      // The last expression of a cell is often a call of display: the handle itself shows nothing.
      return Object.freeze({
        id,
        shown,
        update: (next: unknown) => display.updateDisplay(id, next),
        [DISPLAY]: nothing,
      });
    },
    updateDisplay(id, value) {
      void queue.put(outputOf(value, (shown) => ({ type: 'update_display_data', displayId: id, ...shown })));
    },
    clearOutput({ wait = false } = {}) {
      void queue.put({ type: 'clear_output', wait });
    },
    put: (output) => void queue.put(output),
    settled: () => queue.settled(),
    abandon: () => queue.abandon(),
  };
  return display;
}

const nothing = () => null;

function withMetadata({ data, metadata }: Shown, more: Shown['metadata']): Shown {
  return { data, metadata: { ...metadata, ...more } };
}

/** The value is taken as it is now, not when its turn comes. */
function outputOf(value: unknown, make: (shown: Shown) => CellOutput): Awaitable<CellOutput | null> {
  const made = (shown: Shown | null) => shown && make(shown);
  try {
    const shown = shownAs(value);
    return types.isPromise(shown) ? shown.then(made) : made(shown);
  } catch (error) {
    return failure(error);
  }
}

function failure(error: unknown): CellOutput {
  return { type: 'stream', name: 'stderr', text: `${thrownText(error)}\n` };
}

/** Made here: a cell may have replaced Promise by the time that it ends. */
const DONE = Promise.resolve();

/** Outputs in the order in which they were put in, each sent when it and those before it are there. */
class OutputQueue {
  readonly #send: (output: CellOutput) => void;
  /** Done when the last output that has to wait was sent. */
  #last: Promise<void> = DONE;
  #waiting = 0;
  /** Counts how often what waited was given up. */
  #era = 0;
  #listeners: (() => void)[] = [];

  constructor(send: (output: CellOutput) => void) {
    this.#send = send;
  }

  /** Null sends nothing. The promise is done when the output was sent or given up. */
  put(output: Awaitable<CellOutput | null>): Promise<void> {
    if (this.#waiting === 0 && !types.isPromise(output)) {
      if (output) this.#send(output);
      return Promise.resolve();
    }
    const era = this.#era;
    const here = Promise.resolve(output).catch(failure);
    this.#waiting++;
    this.#last = Promise.all([here, this.#last]).then(([output]) => {
      if (era !== this.#era) return;
      this.#waiting--;
      if (output) this.#send(output);
      if (this.#waiting === 0) this.#tell();
    });
    return this.#last;
  }

  async settled(): Promise<void> {
    while (this.#waiting > 0) {
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
      // Those who were told that the last one is shown may show more.
      await this.#last;
    }
  }

  abandon(): void {
    this.#era++;
    this.#waiting = 0;
    this.#last = DONE;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }
}
