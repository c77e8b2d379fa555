/**
 * How supervisor and executor talk.
 *
 * To the executor: `ToExecutor`, by Node's IPC; and the id of an interrupted run, a line each, on descriptor WATCHDOG, see
 * watchdog.ts.
 * From it: text on stdout and stderr, and one JSON `FromExecutor` a line on descriptor MESSAGES, all written at once and in
 * order. Marks in the two streams say which cell the text after them belongs to, and where streams and messages meet: what
 * native code and child processes print takes the same way, so it falls into its place among the text of its stream.
 */
import type { CellOutput, Shown } from '../cells.ts';
import type { CompiledCell } from '../compiler/cell_compiler.ts';

export const WATCHDOG = 4;
export const MESSAGES = 5;

export interface RunCell extends Omit<CompiledCell, 'declarations'> {
  readonly type: 'run';
  /** Which run of a cell this is; never the same twice. */
  readonly id: number;
  /** What the user sees it called: `[3]`. */
  readonly count: number;
}

export type ToExecutor = RunCell | { readonly type: 'interrupt'; readonly id: number };

/** What was thrown. */
export interface Thrown {
  readonly name: string;
  readonly message: string;
  /** With places in cells as `cell 3:4:7`; what is no error has none. */
  readonly stack: string;
}

export type FromExecutor =
  | { readonly type: 'ready' }
  /** The run has noticed its interrupt, and nothing is about to end what runs. */
  | { readonly type: 'interrupted'; readonly id: number }
  | { readonly type: 'output'; readonly id: number | null; readonly output: CellOutput }
  | { readonly type: 'done'; readonly id: number; readonly result: Shown | null; readonly thrown: Thrown | null };

/** What an interrupted cell ends with, whichever of the two processes says it. */
export const INTERRUPTED = 'the cell was interrupted; variables are as it left them';

/** A mark in stdout or stderr. */
export type Mark =
  /** What follows was written for this run of a cell; null: for none. */
  | { readonly type: 'cell'; readonly id: number | null }
  /** The streams meet: what follows in one comes after what stands before in the other. */
  | { readonly type: 'meet'; readonly count: number }
  /** The streams meet, and a message comes here. */
  | { readonly type: 'message'; readonly count: number };

/** A control string (ECMA-48's APC), which no terminal shows, with a word of the session that no output can guess. */
const MARK_START = '\u001b_';
const MARK_END = '\u001b\\';

const LETTERS = { cell: 'c', meet: 'b', message: 'm' } as const;

export function markText(session: string, mark: Mark): string {
  const value = mark.type === 'cell' ? (mark.id ?? '') : mark.count;
  return `${MARK_START}${session}${LETTERS[mark.type]}${value}${MARK_END}`;
}

/** Cuts one stream into text and marks, however it was cut into chunks. */
export class MarkReader {
  readonly #start: string;
  #rest = '';

  constructor(session: string) {
    this.#start = MARK_START + session;
  }

  read(chunk: string): (string | Mark)[] {
    const parts: (string | Mark)[] = [];
    let text = this.#rest + chunk;
    for (;;) {
      const start = text.indexOf(this.#start);
      const end = start < 0 ? -1 : text.indexOf(MARK_END, start);
      if (end < 0) {
        const cut = start < 0 ? text.length - beginningAtEnd(text, this.#start) : start;
        if (cut > 0) parts.push(text.slice(0, cut));
        this.#rest = text.slice(cut);
        return parts;
      }
      if (start > 0) parts.push(text.slice(0, start));
      const mark = markOf(text.slice(start + this.#start.length, end));
      if (mark) parts.push(mark);
      text = text.slice(end + MARK_END.length);
    }
  }

  /** What is left when the stream ends. */
  end(): string {
    return this.#rest;
  }
}

function markOf(text: string): Mark | null {
  const value = text.slice(1);
  switch (text[0]) {
    case LETTERS.cell:
      return { type: 'cell', id: value === '' ? null : Number(value) };
    case LETTERS.meet:
      return { type: 'meet', count: Number(value) };
    case LETTERS.message:
      return { type: 'message', count: Number(value) };
    default:
      return null;
  }
}

/** How many characters at the end of `text` begin `word`. */
function beginningAtEnd(text: string, word: string): number {
  for (let length = Math.min(text.length, word.length - 1); length > 0; length--) {
    if (text.endsWith(word.slice(0, length))) return length;
  }
  return 0;
}
