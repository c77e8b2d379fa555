/** `layerscope run` with cells made by hand, in this process; test/notebook runs the real ones. */
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { relative } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { StartCells } from '../../src/cli/notebook_file.ts';
import { runCommand } from '../../src/cli/run.ts';
import { LayerscopeError, NotebookError, UsageError } from '../../src/errors.ts';
import { parseNotebook } from '../../src/notebook/ipynb/read.ts';
import { notebookText } from '../../src/notebook/ipynb/write.ts';
import { codeCell, FakeCells, markdownCell, notebookOf, printed, thrown } from '../notebook/ipynb/fake_cells.ts';
import { Workplace } from './layerscope.ts';

const place = new Workplace();
const error = thrown('TypeError', 'no', '\u001b[31mTypeError\u001b[39m: no', '    at cell 3:1:1');
let cells = new FakeCells();
let startedIn: string[] = [];
let path = '';

beforeEach((context) => {
  mkdirSync(place.path(context.task.id));
  path = place.file(
    `${context.task.id}/book.ipynb`,
    notebookText(
      notebookOf(markdownCell('# A book'), codeCell('print'), codeCell('\n  fail\u001b'), codeCell('after')),
    ),
  );
  cells = new FakeCells({ print: (give) => give(printed('1')) });
  startedIn = [];
});
const failing = () => {
  cells = new FakeCells({ print: (give) => give(printed('1')), '\n  fail\u001b': () => error });
};
const beside = (name: string) => `${path.slice(0, -'book.ipynb'.length)}${name}`;
afterEach(() => vi.restoreAllMocks());
afterAll(() => place.remove());

/** Calls the command; gives what it printed, and the error that the command line would report. */
async function call(...args: string[]): Promise<{ stdout: string; error: unknown }> {
  const startCells: StartCells = async ({ cwd }) => {
    startedIn.push(cwd);
    return cells;
  };
  let stdout = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text;
    return true;
  });
  const error = await runCommand(startCells)
    .exitOverride()
    .parseAsync(args, { from: 'user' })
    .then(() => null)
    .catch((reason) => reason);
  vi.restoreAllMocks();
  return { stdout, error };
}

const outputsIn = (file: string) =>
  parseNotebook(readFileSync(file, 'utf8'), file).cells.map((cell) => cell.type === 'code' && cell.outputs);

describe('layerscope run', () => {
  test("runs the cells in the notebook's folder, and says that nothing was written", async () => {
    const before = readFileSync(path);
    expect(await call(relative(process.cwd(), path))).toEqual({
      stdout:
        `Ran 3 cells of ${relative(process.cwd(), path)}.\n` +
        'Nothing was written; keep what the cells gave with --out FILE.ipynb or --html FILE.html\n',
      error: null,
    });
    expect([startedIn, cells.ran.length, cells.isClosed]).toEqual([[beside('').replace(/\/$/, '')], 3, true]);
    expect(readFileSync(path)).toEqual(before);
  });

  test('writes the notebook and the page, into folders that it makes', async () => {
    const [out, html] = [beside('new/out.ipynb'), beside('new/page.html')];
    const { stdout, error: none } = await call(path, '--out', out, '--html', html);
    expect(none).toBeNull();
    expect(stdout).toMatch(/^Ran 3 cells of .*\nWrote .*out\.ipynb, \S+ k?B\.\nWrote .*page\.html, \S+ kB\.\n$/);
    expect(outputsIn(out)).toEqual([false, [printed('1')], [], []]);
    expect(readFileSync(html, 'utf8')).toContain('<title>A book</title>');
  });

  test('writes over the notebook where --out is that', async () => {
    await call(path, '--out', path);
    expect(outputsIn(path)).toEqual([false, [printed('1')], [], []]);
  });

  test('as JSON: what ran, what was written', async () => {
    const out = beside('out.ipynb');
    const { stdout } = await call(path, '--out', out, '--json');
    expect(JSON.parse(stdout)).toEqual({
      notebook: path,
      cells: 3,
      written: [{ path: out, bytes: statSync(out).size }],
      failure: null,
    });
  });
});

describe('a cell that fails', () => {
  beforeEach(failing);

  test('ends it with one message: the cell by number and first line, the error, its traceback, what was kept', async () => {
    const out = beside('out.ipynb');
    const { stdout, error: reported } = await call(path, '--out', out);
    expect(stdout).toBe('');
    expect(reported).toBeInstanceOf(NotebookError);
    expect((reported as NotebookError).message).toBe(
      `Cannot run ${path}: cell 3 (fail\\u{1b}) failed with TypeError\nTypeError: no\n    at cell 3:1:1\n` +
        `The outputs up to there are in ${out}`,
    );
    expect(outputsIn(out)).toEqual([false, [printed('1')], [error], []]);
    expect([cells.ran.length, cells.isClosed]).toEqual([2, true]);
  });

  test('is in the JSON too', async () => {
    const { stdout, error: reported } = await call(path, '--json');
    expect(reported).toBeInstanceOf(NotebookError);
    expect(JSON.parse(stdout)).toMatchObject({
      cells: 2,
      written: [],
      failure: { number: 3, source: '\n  fail\u001b', ename: 'TypeError', evalue: 'no', traceback: error.traceback },
    });
  });
});

describe('before any cell runs, it refuses', () => {
  test.for<[what: string, args: string[], kind: typeof LayerscopeError, message: string]>([
    ['a page over the notebook', ['--html', 'book.ipynb'], UsageError, 'it is the notebook itself'],
    [
      'a page over the notebook with outputs',
      ['--out', 'a', '--html', 'a'],
      UsageError,
      '--out and --html are the same file',
    ],
    ['a folder', ['--html', ''], LayerscopeError, 'it is a folder'],
    ['a path through a file', ['--out', 'book.ipynb/a'], LayerscopeError, 'a part of its path is a file'],
  ])('%s', async ([, args, kind, message]) => {
    const { error: reported } = await call(path, ...args.map((arg) => (arg.startsWith('--') ? arg : beside(arg))));
    expect(reported).toBeInstanceOf(kind);
    expect((reported as Error).message).toMatch(/^Cannot write [^\n]+$/);
    expect((reported as Error).message).toContain(message);
    expect(startedIn).toEqual([]);
  });

  test('what is no notebook, and makes no folder for it', async () => {
    const { error: reported } = await call(place.file('text.ipynb', 'text'), '--out', beside('new/out.ipynb'));
    expect((reported as Error).message).toMatch(/^Cannot read \S+: it is not JSON/);
    expect([startedIn, existsSync(beside('new'))]).toEqual([[], false]);
  });
});

test('cells end where the run cannot go on', async () => {
  cells.execute = async () => {
    throw new Error('the executor cannot be started');
  };
  const { error: reported } = await call(path);
  expect([reported, cells.isClosed]).toEqual([new Error('the executor cannot be started'), true]);
});
