/**
 * A live bar for long work: what is done, how far it is, how fast, and how long it will still take. Work that ends at once
 * shows none, and one that was shown leaves an empty output behind, which a saved notebook does not show.
 */
import prettyBytes from 'pretty-bytes';
import type { Progress } from '../../platform.ts';
import { visible } from '../../trace/plain_text.ts';
import type { CellOutput, Shown } from '../cells.ts';
import { html } from './html.ts';

/** Work that ends sooner shows no bar; in ms. */
const BLINK_MS = 300;
/** Between two outputs: about eight a second. */
const UPDATE_MS = 125;

/** A clock and its timers; those of the process unless given. */
export interface Clock {
  /** Milliseconds since some moment. */
  now(): number;
  /** Calls `then` once, after so many milliseconds; gives what takes that back. */
  after(ms: number, then: () => void): () => void;
}

export interface ProgressBarParts {
  send(output: CellOutput): void;
  /** The place of the bar: in one cell it has one, whatever runs there. */
  readonly displayId: string;
  readonly clock?: Clock;
}

/** What is being done, since when, and what was done before that moment. */
interface Task {
  readonly task: string;
  readonly since: number;
  readonly doneBefore: number;
  readonly now: Progress;
}

/** One cell's bar. */
export class ProgressBar {
  readonly #parts: ProgressBarParts;
  readonly #clock: Clock;
  #task: Task | null = null;
  /** Null while there is no bar; '' while its place is empty. */
  #shown: string | null = null;
  #sentAt = Number.NEGATIVE_INFINITY;
  /** Takes back the drawing that is due. */
  #cancel: (() => void) | null = null;
  #isOver = false;

  constructor(parts: ProgressBarParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? processClock;
  }

  /** Tells how far the work is; a sink for `Watch.onProgress`. */
  readonly at = (progress: Progress): void => {
    if (this.#isOver) return;
    const now = this.#clock.now();
    const { task, done } = progress;
    const known = this.#task;
    const isSame = known?.task === task && done >= known.now.done;
    this.#task = isSame ? { ...known, now: progress } : { task, since: now, doneBefore: done, now: progress };
    if (!isSame || isDone(progress)) this.#unplan();
    if (!this.#cancel) this.#plan(this.#task, now);
  };

  /** The cell is over: takes the bar away, and what is told later is not shown. */
  end(): void {
    this.#isOver = true;
    this.#clear();
  }

  /**
   * Draws when it is time to: a bar that stands goes on at its pace; a new one waits a blink, and so does the end, as another
   * task may follow in its place.
   */
  #plan(task: Task, now: number): void {
    const due = !this.#shown ? task.since + BLINK_MS : isDone(task.now) ? now + BLINK_MS : this.#sentAt + UPDATE_MS;
    if (due <= now) this.#draw(now);
    else {
      this.#cancel = this.#clock.after(due - now, () => {
        this.#cancel = null;
        this.#draw(this.#clock.now());
      });
    }
  }

  #unplan(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #draw(now: number): void {
    const task = this.#task;
    if (!task) return;
    if (isDone(task.now)) this.#clear();
    else {
      const { text, shown } = lineOf(task, now);
      if (text !== this.#shown) this.#send(text, shown);
    }
  }

  #clear(): void {
    this.#task = null;
    this.#unplan();
    if (this.#shown) this.#send('', EMPTY);
  }

  #send(text: string, shown: Shown): void {
    const { send, displayId } = this.#parts;
    const type = this.#shown === null ? 'display_data' : 'update_display_data';
    this.#shown = text;
    this.#sentAt = this.#clock.now();
    send({ type, displayId, ...shown });
  }
}

function isDone({ done, total }: Progress): boolean {
  return done >= total;
}

const EMPTY: Shown = { data: { 'text/html': '', 'text/plain': '' }, metadata: {} };

const processClock: Clock = {
  now: () => performance.now(),
  after(ms, then) {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

/** Characters of the bar in plain text. */
const BAR = 24;
/** Characters of what is being done now. */
const MOST_ITEM = 32;

function lineOf({ task, since, doneBefore, now: { item, done, total, unit } }: Task, now: number) {
  const share = done / total;
  const seconds = (now - since) / 1000;
  const rate = seconds > 0 ? (done - doneBefore) / seconds : 0;
  const amount = unit === 'bytes' ? `${prettyBytes(done)} of ${prettyBytes(total)}` : `${done} of ${total} ${unit}`;
  const speed = rate === 0 ? [] : [`${unit === 'bytes' ? prettyBytes(rate) : shortRate(rate)}/s`];
  const left = rate === 0 ? [] : [`${duration((total - done) / rate)} left`];
  const percent = `${Math.floor(100 * share)} %`;
  const said = [amount, ...speed, ...left].join(', ');
  const shownItem = visible(item.length > MOST_ITEM ? `${item.slice(0, MOST_ITEM)}…` : item);
  const full = Math.round(BAR * share);
  const text = `${task} ${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${percent}  ${said}  ${shownItem}`.trimEnd();
  const bar = html`<div>${task} <progress max="${total}" value="${done}"></progress> ${percent}
<span style="opacity: 0.75">${said} <code>${shownItem}</code></span></div>`;
  return { text, shown: { data: { 'text/html': bar.text, 'text/plain': text }, metadata: {} } };
}

function shortRate(rate: number): string {
  return rate >= 100 ? `${Math.round(rate)}` : `${Number(rate.toPrecision(2))}`;
}

/** `4 s`, `2 min 5 s`, `1 h 3 min`. */
function duration(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
