/** The code that "copy as cell" writes, run by the notebook's own kernel. */
import { fileURLToPath } from 'node:url';
import { signal } from '@preact/signals';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { faults } from '../../../src/engine/faults/index.ts';
import { LayerscopeError } from '../../../src/errors.ts';
import type { Experiment } from '../../../src/lab/inspector/experiment.ts';
import type { RunState } from '../../../src/lab/inspector/requests/move.ts';
import { literal, pathFrom, subjectOf } from '../../../src/lab/page/inspector/cells.ts';
import type { Opened } from '../../../src/lab/page/inspector/opened.ts';
import type { CellOutput, Cells } from '../../../src/notebook/cells.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

const EXPERIMENT: Experiment = {
  file: 'fixtures/lily-4m-q8_0.gguf',
  backend: 'reference',
  text: 'Lily gave the ball to Tom. “It’s yours”, he said',
  faults: [],
  changes: [],
};

const AT_END: Pick<RunState, 'drawn' | 'next' | 'at'> = { drawn: 0, next: null, at: 'result_output' };

/** The code of an inspector that has this open, for a notebook in that folder. */
function codeOf(
  experiment: Experiment,
  state: Pick<RunState, 'drawn' | 'next' | 'at'> = AT_END,
  { folder = '', kind = 'model' as Opened['kind'], dropped = [] as readonly string[] } = {},
): string {
  const subject = subjectOf({
    experiment: signal(experiment),
    opened: signal({ kind } as Opened),
    run: signal({ ...state } as RunState),
    dropped: signal(dropped),
    notebookFolder: () => folder,
  });
  if (!subject) throw new LayerscopeError('nothing is open');
  return subject.code;
}

describe('in the kernel', () => {
  let cells: Cells;
  beforeAll(async () => {
    // The built one: its prelude is the package's own types.
    const { startCells } = (await import(
      `${root}dist/notebook/index.js`
    )) as typeof import('../../../src/notebook/index.ts');
    cells = await startCells({ cwd: root });
  });
  afterAll(() => cells.close());

  /** What the code's last line gives, as text; throws what the cell threw. */
  async function resultOf(code: string): Promise<string> {
    const outputs: CellOutput[] = [];
    const { error } = await cells.execute(code, (output) => outputs.push(output));
    if (error) throw new LayerscopeError(`${error.ename}: ${error.evalue}`);
    const result = outputs.find((output) => output.type === 'execute_result');
    return `${result?.data['text/plain']}`;
  }

  test('a text is run to its end, whatever its quotes', async () => {
    const code = `${codeOf(EXPERIMENT)}\n[run.next, run.model.detokenize(run.tokens)]`;
    expect(await resultOf(code)).toContain('“It’s yours”, he said');
  });

  test('a run in the middle stands where the inspector has it', async () => {
    const code = codeOf(EXPERIMENT, { drawn: 0, next: 'Kcur-2', at: 'Qcur-2' });
    expect(await resultOf(`${code}\n[run.next?.name, run.trace.names.at(-1)]`)).toBe("[ 'Kcur-2', 'Qcur-2' ]");
  });

  test('a run that has not begun is started and no more', async () => {
    const code = codeOf(EXPERIMENT, { drawn: 0, next: 'embd', at: null });
    expect(await resultOf(`${code}\nrun.trace.entries.length`)).toBe('0');
  });

  test('drawn tokens are drawn again', async () => {
    const code = codeOf({ ...EXPERIMENT, text: 'Lily gave the' }, { ...AT_END, drawn: 2 });
    expect(await resultOf(`${code}\n[run.sampled.length, run.next]`)).toBe('[ 2, null ]');
  });

  test('faults and changes are in the model, with their parameters', async () => {
    const code = codeOf({
      ...EXPERIMENT,
      faults: [
        { fault: 'rope-base', params: { base: 1000 } },
        { fault: 'silu-zero', params: {} },
      ],
      changes: [{ tensor: 'kqv_out-0', how: 'scale', by: 0.5, head: 3 }],
    });
    const said = await resultOf(`${code}\nJSON.stringify(run.trace.manifest.transforms)`);
    for (const part of ['"rope-base"', '"base":1000', '"silu-zero"', '"kqv_out-0"', '"by":0.5', '"head":3']) {
      expect(said).toContain(part);
    }
  });

  test('in a hunt the broken engine runs, and the code names no fault', async () => {
    const code = codeOf({ ...EXPERIMENT, hunt: { seed: 5, level: 'easy' } });
    const compared = `${code}\n(await compare(run, await model.untransformed.start(run.tokens).toEnd())).verdict`;
    expect(await resultOf(compared)).toMatch(/^'?bug'?$/);
    expect(faults.filter(({ name }) => code.includes(name))).toEqual([]);
  }, 60_000);

  test('ids in place of a text, and a word on BOS, are kept', async () => {
    const code = codeOf({ ...EXPERIMENT, tokens: [1, 300, 17], bos: false });
    expect(await resultOf(`${code}\nrun.tokens`)).toBe('[ 1, 300, 17 ]');
  });

  test('the code of a step shows its tensor', async () => {
    const code = `${codeOf(EXPERIMENT)}\n(await run.tensor('Qcur-2')).shape.join()`;
    expect(await resultOf(code)).toMatch(/^'?\d+,8,32'?$/);
  });
});

test('a notebook in a folder names the file from there', () => {
  expect(pathFrom('', 'fixtures/m.gguf')).toBe('fixtures/m.gguf');
  expect(pathFrom('notebooks', 'fixtures/m.gguf')).toBe('../fixtures/m.gguf');
  expect(pathFrom('a/b', 'a/m.gguf')).toBe('../m.gguf');
  expect(pathFrom('a/b', 'a/b/c/m.gguf')).toBe('c/m.gguf');
  expect(codeOf(EXPERIMENT, AT_END, { folder: 'notebooks' })).toContain("openModel('../fixtures/lily-4m-q8_0.gguf'");
});

test('a trace is read, and a file that was given to the page is pointed out', () => {
  const trace = { ...EXPERIMENT, file: 'run.arrow' };
  expect(codeOf(trace, AT_END, { kind: 'trace' })).toBe("const trace = await readArrow('run.arrow');");
  expect(codeOf(trace, AT_END, { kind: 'trace', dropped: ['run.arrow'], folder: 'notebooks' })).toBe(
    "// run.arrow was given to the page from your computer: say where it lies.\nconst trace = await readArrow('run.arrow');",
  );
});

test('plain data is written as code that gives the same data', () => {
  const data = { text: `it's "so" \\ \n\u2028 \${x} 🙂`, list: [1, -0.5, true, null], 'a-b': { c: [] }, none: {} };
  expect(new Function(`return ${literal(data)}`)()).toEqual(data);
  expect(literal({ head: 3, how: 'zero', by: undefined })).toBe("{ head: 3, how: 'zero' }");
});
