/** Cells without an executor: what a cell gives out is written in the test. */
import type {
  CellOutput,
  CellReply,
  Cells,
  DisplayOutput,
  ErrorOutput,
  StreamOutput,
} from '../../../src/notebook/cells.ts';
import type { Cell, CodeCell, Notebook, TextCell } from '../../../src/notebook/ipynb/notebook.ts';

export type Give = (output: CellOutput) => void;
/** What a cell does; an ErrorOutput that it returns is what it fails with. */
export type FakeCell = (give: Give) => unknown;

export class FakeCells implements Cells {
  readonly ran: string[] = [];
  interrupts = 0;
  isClosed = false;
  readonly #script: Readonly<Record<string, FakeCell>>;

  /** What each source does; one that is not in the script does nothing. */
  constructor(script: Readonly<Record<string, FakeCell>> = {}) {
    this.#script = script;
  }

  async execute(code: string, onOutput: Give): Promise<CellReply> {
    this.ran.push(code);
    const executionCount = this.ran.length;
    const returned = (await this.#script[code]?.(onOutput)) as ErrorOutput | undefined;
    const error = returned ?? null;
    if (error) onOutput(error);
    return { status: error ? 'error' : 'ok', executionCount, error };
  }

  async interrupt(): Promise<void> {
    this.interrupts++;
  }

  async restart(): Promise<void> {}

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

export const printed = (text: string, name: 'stdout' | 'stderr' = 'stdout'): StreamOutput => ({
  type: 'stream',
  name,
  text,
});

export const displayed = (data: Readonly<Record<string, unknown>>, displayId: string | null = null): DisplayOutput => ({
  type: 'display_data',
  data,
  metadata: {},
  displayId,
});

export const thrown = (ename: string, evalue: string, ...traceback: string[]): ErrorOutput => ({
  type: 'error',
  ename,
  evalue,
  traceback: traceback.length > 0 ? traceback : [`${ename}: ${evalue}`],
});

export function codeCell(source: string, more: Partial<CodeCell> = {}): CodeCell {
  return { type: 'code', id: idOf(source), source, metadata: {}, outputs: [], executionCount: null, ...more };
}

export function markdownCell(source: string): TextCell {
  return { type: 'markdown', id: idOf(source), source, metadata: {}, attachments: {} };
}

export const notebookOf = (...cells: readonly Cell[]): Notebook => ({ metadata: {}, cells });

const idOf = (source: string): string => `id-${source.replaceAll(/\W+/g, '-')}`.slice(0, 64);
