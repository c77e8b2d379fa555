/** The supervisor with executors of its own: cells that are interrupted, restarted, closed or killed at any stage, and what they replace. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { CellOutput, CellReply } from '../../../src/notebook/cells.ts';
import type { Supervisor, SupervisorOptions } from '../../../src/notebook/supervisor/supervisor.ts';
import { seeded } from '../../seeded.ts';
import { have } from '../../skip.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Executors run from dist/, where the prelude's declarations are. */
const MODULE = new URL('../../../dist/notebook/supervisor/supervisor.js', import.meta.url);
const isCompiled = existsSync(MODULE);

interface Ran extends CellReply {
  readonly outputs: readonly CellOutput[];
  readonly stdout: string;
  readonly stderr: string;
  /** The last expression, as plain text. */
  readonly value: unknown;
  readonly traceback: string;
}

async function newSupervisor(options: Partial<SupervisorOptions> = {}): Promise<Supervisor> {
  const { Supervisor: Compiled } = (await import(MODULE.href)) as { Supervisor: typeof Supervisor };
  return new Compiled({ cwd: ROOT, ...options });
}

let shared: Supervisor;
beforeEach(async (context) => {
  have(context, isCompiled || undefined, 'dist/ is not compiled; npm test does that first');
  shared ??= await newSupervisor();
});
afterAll(() => shared?.close());

/** Runs a cell; `seen` collects what it gives while it runs. */
async function run(code: string, supervisor = shared, seen: CellOutput[] = []): Promise<Ran> {
  const reply = await supervisor.execute(code, (output) => seen.push(output));
  const streamed = (name: string) =>
    seen.map((each) => (each.type === 'stream' && each.name === name ? each.text : '')).join('');
  const result = seen.find((each) => each.type === 'execute_result');
  const traceback = seen.flatMap((each) => (each.type === 'error' ? each.traceback : [])).join('\n');
  const value = result && result.type === 'execute_result' ? result.data['text/plain'] : undefined;
  return { ...reply, outputs: seen, stdout: streamed('stdout'), stderr: streamed('stderr'), value, traceback };
}

/** Starts a cell and waits until it runs. */
async function begin(code: string, supervisor = shared): Promise<{ readonly done: Promise<Ran> }> {
  const seen: CellOutput[] = [];
  const done = run(`console.log('begun');\n${code}`, supervisor, seen);
  await expect.poll(() => seen.length, { timeout: 20_000 }).toBeGreaterThan(0);
  return { done };
}

/** What a cell comes to that ends; others would take the whole test's time. */
const inTime = <T>(ran: Promise<T>): Promise<T | 'hangs'> => Promise.race([ran, delay(10_000, 'hangs' as const)]);

const interrupted = (what: RegExp) => ({ status: 'error', traceback: expect.stringMatching(what) });

describe('an interrupt', () => {
  test('of a cell that was just given keeps it from beginning', async () => {
    await run('var begun = 0;');
    const ran = run('begun = 1;');
    await shared.interrupt();
    expect(await ran).toMatchObject(interrupted(/interrupted before it began/));
    expect(await run('begun')).toMatchObject({ status: 'ok', value: '0' });
  });

  test.for(['while (true) {}', 'await new Promise(() => {});'])(
    'twice at once stops %s and not the next cell',
    async (loop) => {
      const { done } = await begin(loop);
      await Promise.all([shared.interrupt(), shared.interrupt()]);
      expect(await done).toMatchObject(interrupted(/Interrupted/));
      // Longer than an interrupt goes on trying to end a loop.
      expect(await run('await new Promise((resolve) => setTimeout(resolve, 300)); 2')).toMatchObject({ value: '2' });
    },
  );

  test('at any moment of a cell, on a machine that has no time for it, stops no more than that cell', {
    timeout: 120_000,
  }, async (context) => {
    have(context, process.platform !== 'win32' || undefined, 'Windows cannot stop a process and let it go on');
    const random = seeded(1);
    const cells = [
      '1',
      'await new Promise((r) => setTimeout(r, 20));',
      'await new Promise(() => {});',
      'while (true) {}',
    ];
    for (let i = 0; i < 60; i++) {
      const code = cells[i % cells.length] ?? '';
      const ran = run(code);
      await delay(40 * random());
      const pid = Number(shared.executorPid);
      process.kill(pid, 'SIGSTOP');
      const interrupting = shared.interrupt();
      await delay(100 + 120 * random());
      process.kill(pid, 'SIGCONT');
      expect(await inTime(ran), `round ${i}: ${code}`).not.toBe('hangs');
      expect(await inTime(run('await null; 2')), `after round ${i}: ${code}`).toMatchObject({ value: '2' });
      await interrupting;
    }
  });

  test.for([10, 100, 300, 500])(
    'while a package loads, %i ms after the cell was given, leaves the package whole',
    async (ms) => {
      const folder = mkdtempSync(join(tmpdir(), 'layerscope-slow-'));
      const packageFolder = join(folder, 'node_modules', 'slow');
      mkdirSync(packageFolder, { recursive: true });
      const busy = 'for (const start = Date.now(); Date.now() - start < 300; );';
      const files = {
        'package.json': '{ "name": "slow", "type": "module", "main": "index.js", "types": "index.d.ts" }',
        'index.d.ts': 'export declare const value: number;',
        'index.js': `import './first.js'; ${busy} export const value = 7;`,
        'first.js': busy,
      };
      for (const [name, text] of Object.entries(files)) writeFileSync(join(packageFolder, name), text);
      const supervisor = await newSupervisor({ cwd: folder });
      onTestFinished(async () => {
        await supervisor.close();
        rmSync(folder, { recursive: true });
      });
      await run('1', supervisor);
      const ran = run("import { value } from 'slow'; await new Promise(() => {});", supervisor);
      await delay(ms);
      await supervisor.interrupt();
      expect(await ran).toMatchObject(interrupted(/Interrupted/));
      expect(await inTime(run("import { value } from 'slow'; value", supervisor))).toMatchObject({ value: '7' });
    },
  );

  test('stops what an earlier cell loops in after its end', async () => {
    expect(await run('setTimeout(() => { while (true) {} }, 50);')).toMatchObject({ status: 'ok' });
    await delay(500);
    // The one that waits for the loop; on a busy machine it may not be there yet when it is interrupted.
    let stopped: Ran | 'hangs';
    do {
      const next = run('5');
      await delay(100);
      await shared.interrupt();
      stopped = await inTime(next);
    } while (stopped !== 'hangs' && /before it began/.test(stopped.traceback));
    expect(stopped).toMatchObject(interrupted(/Interrupted/));
    expect(await inTime(run('5'))).toMatchObject({ value: '5' });
  });

  test('when nothing runs does nothing, to the next cell either', async () => {
    await shared.interrupt();
    expect(await run('3')).toMatchObject({ status: 'ok', value: '3' });
  });

  test("stops the cell's own timers and lets those of others go on", async () => {
    await run('var mine = 0, others = 0; setInterval(() => others++, 1);');
    const { done } = await begin('setInterval(() => mine++, 1); await new Promise(() => {});');
    await shared.interrupt();
    await done;
    const grows =
      'const [a, b] = [mine, others]; await new Promise((resolve) => setTimeout(resolve, 60)); [mine > a, others > b]';
    expect(await run(grows)).toMatchObject({ value: '[ false, true ]' });
  });
});

describe('a restart', () => {
  test('ends the cell that runs, forgets variables and counts from 1', async () => {
    await run('const gone = 1;');
    const { done } = await begin('while (true) {}');
    await shared.restart();
    expect(await done).toMatchObject(interrupted(/the kernel was restarted/));
    expect(await run('gone')).toMatchObject({
      executionCount: 1,
      traceback: expect.stringMatching(/Cannot find name/),
    });
    expect(await run('typeof charts.attention')).toMatchObject({ executionCount: 2, value: 'function' });
  });

  test('while another is under way ends both well', async () => {
    const [first] = await Promise.allSettled([shared.restart(), shared.restart()]);
    expect(first.status).toBe('rejected'); // it says that another took its place
    expect(await run('4')).toMatchObject({ executionCount: 1, value: '4' });
  });
});

describe('an executor that dies', () => {
  test.for([
    ['(process as never as { reallyExit(code: number): void }).reallyExit(3);', /ended with exit code 3/],
    ['process.disconnect(); await new Promise(() => {});', /ended with exit code 0/],
  ] as const)('by %s fails the cell, and the next one runs', async ([code, how]) => {
    await run('const lost = 1;');
    const ran = await run(`console.log('last words'); ${code}`);
    expect(ran).toMatchObject({ status: 'error', stdout: 'last words\n', traceback: expect.stringMatching(how) });
    expect(ran.traceback).toMatch(/variables are gone/);
    expect(await run('lost')).toMatchObject({ traceback: expect.stringMatching(/Cannot find name 'lost'/) });
    expect(await run('typeof openModel')).toMatchObject({ value: 'function' });
  });

  test('between cells tells the last cell, and is not missed by the next', async () => {
    const seen: CellOutput[] = [];
    await run('5', shared, seen);
    process.kill(shared.executorPid ?? Number.NaN, 'SIGKILL');
    await expect.poll(() => JSON.stringify(seen), { timeout: 10_000 }).toMatch(/ended by SIGKILL.*variables are gone/);
    // A new one is started by a cell, never by itself: it could die again and again.
    const { executorPid } = shared;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(shared.executorPid).toBe(executorPid);
    expect(await run('6')).toMatchObject({ value: '6' });
    expect(shared.executorPid).not.toBe(executorPid);
  });

  test('before it could run a cell is told by what waits for it, and the next one runs', async () => {
    const restarted = shared.restart();
    process.kill(shared.executorPid ?? Number.NaN, 'SIGKILL');
    await expect(restarted).rejects.toThrow(/^Cannot start .*SIGKILL.*run the cell again$/);
    expect(await run('2')).toMatchObject({ value: '2' });
  });
});

describe('an executor that cannot start', () => {
  test('for a folder that is not there is told, each time', async () => {
    const lost = await newSupervisor({ cwd: '/no/such/folder' });
    onTestFinished(() => lost.close());
    for (let time = 0; time < 2; time++) {
      expect(await run('1', lost)).toMatchObject({
        status: 'error',
        traceback: expect.stringMatching(/^NotebookError: Cannot start .*ENOENT.*\/no\/such\/folder/),
      });
    }
  });

  test('for an option that Node does not take tells what Node said, and runs once that is mended', async () => {
    process.env.NODE_OPTIONS = '--require /no/such/module.js';
    const broken = await newSupervisor();
    onTestFinished(() => broken.close());
    expect(await run('1', broken)).toMatchObject({
      traceback: expect.stringMatching(/exit code 1, saying[\s\S]*Cannot find module '\/no\/such\/module.js'/),
    });
    delete process.env.NODE_OPTIONS;
    expect(await run('2', broken)).toMatchObject({ value: '2' });
  });
});

describe('another supervisor in the same process', () => {
  let other: Supervisor;
  beforeEach(async () => {
    other ??= await newSupervisor({ strict: true });
  });

  test('whose first cell is interrupted does not begin it, and has its prelude for the next', async () => {
    const ran = run('1', other);
    await other.interrupt();
    expect(await ran).toMatchObject(interrupted(/before it began/));
    expect(await run('typeof openModel', other)).toMatchObject({ value: 'function' });
  });

  test('shares nothing with the first', async () => {
    await run("const here = 'one';");
    expect(await run('here', other)).toMatchObject({ traceback: expect.stringMatching(/Cannot find name 'here'/) });
    const [one, two] = await Promise.all([run('here'), run("const here = 'two'; here", other)]);
    expect([one.value, two.value]).toEqual(['one', 'two']);
  });

  test('that is closed ends the cell that runs, and refuses others', async () => {
    const { done } = await begin('await new Promise(() => {});', other);
    await other.close();
    expect(await done).toMatchObject(interrupted(/the kernel was closed/));
    expect(await run('1', other)).toMatchObject(interrupted(/^NotebookError: Cannot run the cell: .*closed/));
  });
});

describe('what a cell replaces does not keep the next from running', () => {
  test.for([
    ['console.log', '() => {}'],
    ['globalThis.setTimeout', "() => { throw new Error('none'); }"],
    ['globalThis.Promise', "class { constructor() { throw new Error('none'); } }"],
    ['JSON.stringify', "() => 'replaced'"],
    ['Array.prototype.map', 'function (this: any[], f: any) { return Array.from(this, f); }'],
    ['Error.prepareStackTrace', '(_: unknown, frames: unknown) => frames'],
    ['process.exit', '() => {}'],
  ] as const)('%s', async ([name, value]) => {
    await run(`var replaced: any = ${name};`);
    expect(await run(`${name} = (${value}) as any;`)).toMatchObject({ status: 'ok' });
    expect(await run("process.stdout.write('printed'); 40 + 2")).toMatchObject({ stdout: 'printed', value: '42' });
    expect(await run("throw new Error('thrown');")).toMatchObject({
      traceback: expect.stringMatching(/thrown[\s\S]*cell \d+:1:7/),
    });
    await run(`${name} = replaced;`);
  });

  test('unless the executor cannot do without, which is told', async () => {
    await run("Array.prototype.push = () => { throw new Error('no push'); };");
    expect(await run('1')).toMatchObject({ status: 'error', traceback: expect.stringMatching(/no push/) });
    await shared.restart();
    expect(await run('1')).toMatchObject({ value: '1' });
  });
});

describe('output', () => {
  test('of stdout, stderr and display comes in order, that of child processes among what their stream has', async () => {
    const { outputs } = await run(`
      import { spawnSync } from 'node:child_process';
      console.log('1'); console.error('2'); display({ 'text/plain': '3' }); console.log('4');
      spawnSync('echo', ['5'], { stdio: 'inherit' }); console.log('6');
      console.error('7'); ({ 'text/plain': '8' })`);
    const texts = outputs.map((each) =>
      each.type === 'stream' ? each.text : 'data' in each ? each.data['text/plain'] : '',
    );
    expect(texts.join('').replaceAll('\n', '')).toBe('12345678');
  });

  test("of a cell's timers after its end is its own", async () => {
    const seen: CellOutput[] = [];
    await run("let late = false; setTimeout(() => { console.log('late'); late = true; }, 30);", shared, seen);
    const { stdout } = await run(
      "while (!late) await new Promise((resolve) => setTimeout(resolve, 5)); console.log('now');",
    );
    await expect.poll(() => JSON.stringify(seen)).toContain('late');
    expect(stdout).toBe('now\n');
  });

  test('goes on after a pipeline that ended at stdout', async () => {
    await run(`
      import { Readable } from 'node:stream';
      import { pipeline } from 'node:stream/promises';
      await pipeline(Readable.from(['piped']), process.stdout);
      Readable.from(['too']).pipe(process.stdout);`);
    expect(await run("console.log('after');")).toMatchObject({ stdout: 'after\n' });
    await run('process.stdout.destroy();');
    expect(await run("console.log('still');")).toMatchObject({ stdout: 'still\n' });
  });

  test('of promises that nobody waits for says where they were rejected', async () => {
    const { stderr, status } = await run(
      "void Promise.reject(new Error('alone')); await new Promise((r) => setTimeout(r, 5));",
    );
    expect([status, stderr]).toEqual([
      'ok',
      expect.stringMatching(/^Unhandled rejection: Error: alone\n {4}at cell \d+:1:21/),
    ]);
  });

  test('of a value with 100 million characters is cut, which is said', async () => {
    const { value } = await run("'ab'.repeat(50_000_000)");
    expect(value).toMatch(/^(ab)+… [\d,]+ more characters are not shown$/);
    expect(String(value).length).toBeLessThan(1_000_000);
  });
});

test('process.chdir changes where files are, not where modules are', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-chdir-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'file.txt'), 'here');
  await run(`process.chdir(${JSON.stringify(folder)});`);
  expect(await run("import { readFileSync } from 'node:fs'; readFileSync('file.txt', 'utf8')")).toMatchObject({
    value: 'here',
  });
  expect(await run("const { name } = await import('./package.json'); name")).toMatchObject({ value: 'layerscope' });
});

describe('a stack names the places in cells', () => {
  test.for([
    [
      'an async function',
      'type T = 1;\nasync function f(): Promise<void> {\n  await null;\n  throw new Error("x");\n}\nawait f();',
      ['f (cell N:4:9)', 'cell N:6:1'],
    ],
    [
      'a constructor',
      'class K<T> {\n  constructor(public t: T) {\n    throw new Error("x");\n  }\n}\nnew K<number>(1);',
      ['new K (cell N:3:11)', 'cell N:6:1'],
    ],
    [
      'a method',
      'interface I {}\nclass K implements I { #m(): never { throw new Error("x"); } m() { this.#m(); } }\nnew K().m();',
      ['#m (cell N:2:44)', 'K.m (cell N:2:75)', 'cell N:3:9'],
    ],
    [
      'a callback',
      'let n = 0;\nlet m = [1].map((x: number) => { throw new Error("x"); });',
      ['cell N:2:40', 'Array.map (<anonymous>)', 'cell N:2:13'],
    ],
    [
      'a namespace',
      'namespace N { export const f = (): never => { throw new Error("x"); }; }\nN.f();',
      ['N.f (cell N:1:53)', 'cell N:2:3'],
    ],
    ['eval', 'eval(\'throw new Error("x")\');', ['eval (eval in cell N, <anonymous>:1:7)', 'cell N:1:1']],
  ] as const)('for %s', async ([, code, places]) => {
    const { traceback, executionCount } = await run(code);
    const frames = traceback.split('\n').filter((line) => line.includes('    at '));
    const plain = frames.map((line) => stripVTControlCharacters(line).replace(/^ +at /, ''));
    expect(plain).toEqual(places.map((place) => place.replace('cell N', `cell ${executionCount}`)));
  });

  test('from deep inside a library, too', async () => {
    const { traceback, executionCount } = await run(
      'const nest = (depth: number, then: () => void): void => { if (depth > 0) [0].forEach(() => nest(depth - 1, then)); else then(); };\n\nnest(20, () => JSON.parse("{"));',
    );
    expect(traceback).toContain(`cell ${executionCount}:3:`);
    expect(traceback.split('\n').length).toBeLessThan(40);
  });
});
