/** What is wrong with a cell, and where. */
import type { Refusal } from './module_syntax.ts';

/** What TypeScript has against a cell. Lines and columns count from 1. */
export interface CellDiagnostic {
  /** Null is the cell itself. */
  readonly file: string | null;
  readonly line: number;
  readonly column: number;
  /** Characters marked, on the first line. */
  readonly length: number;
  /** That line. */
  readonly text: string;
  /** As in TS2322; null where it is not TypeScript that objects. */
  readonly code: number | null;
  readonly message: string;
}

/** Line and column of an offset, and that line. */
export function placeIn(source: string, offset: number, length: number) {
  const before = source.slice(0, offset).split('\n');
  const column = (before.at(-1) ?? '').length;
  const text = (source.split('\n')[before.length - 1] ?? '').replace(/\r$/, '');
  const marked = Math.max(1, Math.min(length, text.length - column));
  return { line: before.length, column: column + 1, length: marked, text };
}

export function refused({ start, end, message }: Refusal, code: string): CellDiagnostic {
  return { file: null, code: null, message, ...placeIn(code, start, end - start) };
}
