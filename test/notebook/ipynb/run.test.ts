import { describe, expect, test } from 'vitest';
import { InterruptedError, NotebookError } from '../../../src/errors.ts';
import type { CodeCell, Notebook } from '../../../src/notebook/ipynb/notebook.ts';
import { type NotebookProgress, type RunNotebookOptions, runNotebook } from '../../../src/notebook/ipynb/run.ts';
import { codeCell, FakeCells, markdownCell, notebookOf, printed, thrown } from './fake_cells.ts';

const run = (notebook: Notebook, cells: FakeCells, options: Partial<RunNotebookOptions> = {}) =>
  runNotebook(notebook, { path: 'x.ipynb', folder: '/book', cells, ...options });

const old = { outputs: [printed('old')], executionCount: 9 };

describe('a notebook', () => {
  test('runs its code cells in order; text stays as it is, and so do cells that are empty or tagged skip-execution', async () => {
    const skipped = codeCell('never', { metadata: { tags: ['skip-execution'] }, ...old });
    const empty = codeCell(' \n', { id: 'empty', ...old });
    const notebook = notebookOf(markdownCell('# A'), codeCell('one', old), skipped, empty, codeCell('two', old));
    const cells = new FakeCells({ one: (give) => give(printed('1')), two: (give) => give(printed('2')) });
    const { notebook: after, executed, failure } = await run(notebook, cells);
    expect([cells.ran, executed, failure]).toEqual([['one', 'two'], 2, null]);
    expect(after.cells).toEqual([
      notebook.cells[0],
      codeCell('one', { outputs: [printed('1')], executionCount: 1 }),
      skipped,
      empty,
      codeCell('two', { outputs: [printed('2')], executionCount: 2 }),
    ]);
  });

  test('says of each cell that it begins', async () => {
    const seen: NotebookProgress[] = [];
    const notebook = notebookOf(codeCell('one'), markdownCell('text'), codeCell('two'));
    await run(notebook, new FakeCells(), { onProgress: (progress) => seen.push(progress) });
    expect(seen).toEqual([
      { cell: notebook.cells[0], done: 0, total: 2 },
      { cell: notebook.cells[2], done: 1, total: 2 },
    ]);
  });

  test('loses the times that Jupyter noted of an earlier run', async () => {
    const metadata = { tags: ['a'], execution: { 'iopub.execute_input': '2024-01-01T00:00:00Z' } };
    const { notebook } = await run(notebookOf(codeCell('one', { metadata })), new FakeCells());
    expect(notebook.cells[0]?.metadata).toEqual({ tags: ['a'] });
  });
});

describe('a cell that fails', () => {
  const error = thrown('TypeError', 'no /book/a.gguf', 'at /book/cell.ts:1:7');
  const hidden = thrown('TypeError', 'no a.gguf', 'at cell.ts:1:7');
  const script = { bad: () => error };

  test('ends the run; its error is kept, and the cells after it have no outputs, old ones neither', async () => {
    const cells = new FakeCells(script);
    const notebook = notebookOf(markdownCell('text'), codeCell('good'), codeCell('bad', old), codeCell('after', old));
    const { notebook: after, executed, failure } = await run(notebook, cells);
    expect([cells.ran, executed]).toEqual([['good', 'bad'], 2]);
    expect(failure).toEqual({ number: 3, cell: notebook.cells[2], error: hidden });
    const [, , failed, unreached] = after.cells as CodeCell[];
    expect(failed).toMatchObject({ outputs: [hidden], executionCount: 2 });
    expect(unreached).toMatchObject({ outputs: [], executionCount: null });
  });

  test('may do so where it is tagged raises-exception', async () => {
    const cells = new FakeCells(script);
    const tagged = codeCell('bad', { metadata: { tags: ['raises-exception'] } });
    const { notebook, failure } = await run(notebookOf(tagged, codeCell('after')), cells);
    expect([cells.ran, failure]).toEqual([['bad', 'after'], null]);
    expect(notebook.cells[0]).toMatchObject({ outputs: [hidden] });
  });
});

describe('an abort signal', () => {
  test('interrupts the running cell and ends the run, naming the cell', async () => {
    const stop = new AbortController();
    const cells = new FakeCells({
      slow: async () => {
        stop.abort();
        return thrown('InterruptedError', 'stopped');
      },
    });
    const running = run(notebookOf(codeCell('slow'), codeCell('after')), cells, { signal: stop.signal });
    await expect(running).rejects.toThrow(
      new InterruptedError('Cannot finish x.ipynb: it was stopped at cell 1 (slow)'),
    );
    expect([cells.ran, cells.interrupts]).toEqual([['slow'], 1]);
  });

  test('that came before lets no cell run', async () => {
    const cells = new FakeCells();
    await expect(run(notebookOf(codeCell('a')), cells, { signal: AbortSignal.abort() })).rejects.toThrow(
      'at cell 1 (a)',
    );
    expect(cells.ran).toEqual([]);
  });
});

describe("the kernel's language", () => {
  test.for([
    [{ kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' } }],
    [{ language_info: { name: 'python' } }],
  ])('is refused where it is another: %o', async ([metadata]) => {
    const cells = new FakeCells();
    const running = run({ metadata: metadata!, cells: [codeCell('a')] }, cells);
    await expect(running).rejects.toThrow(NotebookError);
    await expect(running).rejects.toThrow(
      'Cannot run x.ipynb: unknown kernel language "python"; cells must be TypeScript: ' +
        'choose the kernel "TypeScript (Layerscope)" for it in Jupyter',
    );
    expect(cells.ran).toEqual([]);
  });

  test('may be TypeScript of another kernel', async () => {
    const metadata = { kernelspec: { name: 'tslab', display_name: 'TypeScript', language: 'typescript' } };
    expect(await run({ metadata, cells: [codeCell('a')] }, new FakeCells())).toMatchObject({ executed: 1 });
  });
});
