/** Jupyter's own programs find the kernel and run notebooks in it: kernelspec, run, nbclient and nbconvert. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { layerscope } from '../../cli/layerscope.ts';
import { ROOT } from '../jupyter.ts';
import { haveJupyter } from './with_kernel.ts';

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'layerscope-front-end-'));
  const { code, stderr } = await layerscope(['kernel', 'install', '--prefix', folder]);
  expect(code, stderr).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a Python module or program that sees our kernelspec and no user's settings. */
function jupyter(
  python: string,
  args: readonly string[],
  input = '',
): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = {
    ...process.env,
    JUPYTER_PATH: join(folder, 'share/jupyter'),
    JUPYTER_CONFIG_DIR: folder,
    JUPYTER_DATA_DIR: folder,
  };
  return new Promise((resolve, reject) => {
    const child = spawn(python, args, { cwd: ROOT, env });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
    child.stdin.end(input);
  });
}

interface Cell {
  readonly cell_type: string;
  readonly execution_count: number | null;
  readonly outputs: readonly Readonly<Record<string, unknown>>[];
}

/** A notebook of these code cells, written to a file. */
function writeNotebook(name: string, cells: readonly string[]): string {
  const path = join(folder, name);
  const notebook = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: 'layerscope', display_name: 'TypeScript (Layerscope)', language: 'typescript' } },
    cells: cells.map((source, i) => ({
      cell_type: 'code',
      id: `cell-${i}`,
      metadata: {},
      execution_count: null,
      outputs: [],
      source,
    })),
  };
  writeFileSync(path, JSON.stringify(notebook));
  return path;
}

test('jupyter kernelspec list shows the kernel that layerscope kernel install wrote, with its icons', async (context) => {
  const python = haveJupyter(context);
  const { stdout, stderr } = await jupyter(python, ['-m', 'jupyter_client.kernelspecapp', 'list', '--json']);
  const { kernelspecs } = JSON.parse(stdout || `{"error": ${JSON.stringify(stderr)}}`);
  expect(kernelspecs.layerscope).toMatchObject({
    resource_dir: join(folder, 'share/jupyter/kernels/layerscope'),
    spec: { display_name: 'TypeScript (Layerscope)', language: 'typescript', interrupt_mode: 'message' },
  });
  const { resource_dir } = kernelspecs.layerscope;
  expect(readdirSync(resource_dir).sort()).toEqual(['kernel.json', 'logo-32x32.png', 'logo-64x64.png', 'logo-svg.svg']);
});

test('jupyter run runs code from a pipe and prints what it printed', async (context) => {
  const python = haveJupyter(context);
  const code = "console.log('from a pipe', await Promise.resolve(1));";
  const {
    code: status,
    stdout,
    stderr,
  } = await jupyter(python, ['-m', 'jupyter_client.runapp', '--kernel=layerscope'], code);
  expect([status, stdout], stderr).toEqual([0, 'from a pipe 1\n']);
});

/** Executes a notebook in place with nbclient, and gives what it then holds after nbformat found it valid. */
const EXECUTE = `
import sys, nbformat
from nbclient import NotebookClient
path, allow_errors, cwd = sys.argv[1], sys.argv[2] == "errors", sys.argv[3]
notebook = nbformat.read(path, as_version=4)
NotebookClient(notebook, timeout=120, allow_errors=allow_errors, resources={"metadata": {"path": cwd}}).execute()
nbformat.validate(notebook)
nbformat.write(notebook, path)
`;

describe('nbclient', () => {
  test('executes a notebook; its outputs are those of the cells, and it is valid', async (context) => {
    const python = haveJupyter(context);
    const path = writeNotebook('executed.ipynb', [
      "import { compile } from 'vega-lite';\nconsole.log('hello');\nconsole.error('oops');",
      "display({ 'text/html': '<i>shown</i>', 'text/plain': 'shown' }, { id: 'a' });",
      "updateDisplay('a', { 'text/html': '<i>updated</i>', 'text/plain': 'updated' });\n6 * 7",
      "console.log('gone'); clearOutput(); console.log('kept');",
      "throw new RangeError('as wanted')",
      'typeof compile',
    ]);
    const { code, stderr } = await jupyter(python, ['-c', EXECUTE, path, 'errors', ROOT]);
    expect(code, stderr).toBe(0);
    const { cells } = JSON.parse(readFileSync(path, 'utf8')) as { cells: Cell[] };
    expect(cells.map(({ execution_count }) => execution_count)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(cells.map(({ outputs }) => outputs)).toEqual([
      [
        { output_type: 'stream', name: 'stdout', text: ['hello\n'] },
        { output_type: 'stream', name: 'stderr', text: ['oops\n'] },
      ],
      [
        {
          output_type: 'display_data',
          data: { 'text/html': ['<i>updated</i>'], 'text/plain': ['updated'] },
          metadata: {},
        },
      ],
      [{ output_type: 'execute_result', execution_count: 3, data: { 'text/plain': ['42'] }, metadata: {} }],
      [{ output_type: 'stream', name: 'stdout', text: ['kept\n'] }],
      [{ output_type: 'error', ename: 'RangeError', evalue: 'as wanted', traceback: expect.any(Array) }],
      [{ output_type: 'execute_result', execution_count: 6, data: { 'text/plain': ['function'] }, metadata: {} }],
    ]);
  });

  test('stops at the first cell that fails, and says which', async (context) => {
    const python = haveJupyter(context);
    const path = writeNotebook('failing.ipynb', ["throw new RangeError('not wanted')", '1']);
    const { code, stderr } = await jupyter(python, ['-c', EXECUTE, path, 'none', ROOT]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/CellExecutionError[\s\S]*RangeError[\s\S]*not wanted/);
  });
});

test('nbconvert executes a notebook and makes a document of it, with the chart as a picture', async (context) => {
  const python = haveJupyter(context);
  const model = JSON.stringify(join(ROOT, 'fixtures/lily-4m-f16.gguf')); // nbconvert runs cells in the notebook's folder
  const path = writeNotebook('page.ipynb', [
    `const model = await openModel(${model});`,
    "const run = await model.start('Lily gave the ball to Tom.').toEnd();\ncharts.attention(run, { layer: 3, head: 0 })",
  ]);
  const { code, stderr } = await jupyter(python, [
    '-m',
    'nbconvert',
    '--to=markdown',
    '--execute',
    `--output-dir=${folder}`,
    '--output=page.md',
    path,
  ]);
  expect(code, stderr).toBe(0);
  const page = readFileSync(join(folder, 'page.md'), 'utf8');
  // Markdown, because nbconvert 6.5 washes an SVG within HTML until only its words are left.
  const picture = /\]\((page_files\/[^)]+\.svg)\)/.exec(page)?.[1] ?? 'no picture';
  expect(readFileSync(join(folder, picture), 'utf8')).toMatch(/^<svg[\s\S]*<path[\s\S]*Tom/);
  expect(page).toContain('openModel'); // the cell's own code
});
