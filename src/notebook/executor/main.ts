/**
 * The executor: the process in which cells run, a child of the supervisor. It knows no TypeScript; it runs what it is given,
 * one cell at a time, and can be killed without harm to anything but the user's variables.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { setWatch } from '../../node/watch.ts';
import type { CellOutput, Shown } from '../cells.ts';
import { bundleOf } from '../display/bundle.ts';
import { connectDisplay } from '../display/connected.ts';
import { createDisplay } from '../display/display.ts';
import { ProgressBar } from '../display/progress.ts';
import { Interruption } from './interruption.ts';
import { type Exports, Modules } from './modules.ts';
import { type CellScope, carryThroughTimers, currentCell, Interrupted, leaveTo, OwnPromise } from './scope.ts';
import { cellScript, mapStacks, rememberCell } from './stack.ts';
import { Stdio } from './stdio.ts';
import { thrownBy } from './thrown.ts';
import type { RunCell, Thrown, ToExecutor } from './wire.ts';

/** One run of a cell, and how to stop it. */
interface Running extends CellScope {
  /** How far its long work is. */
  readonly bar: ProgressBar;
  readonly interrupted: Promise<never>;
  interrupt(): void;
}

const [session = ''] = process.argv.slice(2);
const interruption = new Interruption();
const stdio = new Stdio(session);
stdio.install();
mapStacks();
carryThroughTimers((error) => complain('Uncaught exception', error));

const display = createDisplay({
  // What is shown when a promise is kept comes from no cell's code: it is the running cell's, which waits for it.
  send: (output) => stdio.inOrder({ type: 'output', id: (currentCell() ?? running)?.id ?? null, output }),
});
connectDisplay(display);
const modules = new Modules(process.cwd(), (load) => interruption.whileLoading(load), {
  tslab: () => import('../tslab.ts'),
  layerscope: () => import('../../node/index.ts'),
  'layerscope/notebook': () => import('../prelude.ts'),
});
/** What cells declared, by name. */
const variables: Exports = {};
let running: Running | null = null;

async function run({ id, count, code, map, imports, files, result }: RunCell): Promise<void> {
  const cell = start(id, count);
  running = cell;
  setWatch({ signal: cell.signal, onProgress: cell.bar.at });
  stdio.begin(cell);
  leaveTo(cell);
  mapStacks(); // again: an earlier cell may have set what V8 asks for stacks
  rememberCell(id, count, map);
  modules.add(files);
  const work = async () => {
    await modules.run({ script: cellScript(id), code, imports }, variables, cell);
    const shown = result === null ? null : await shownResult(result);
    await display.settled();
    return shown;
  };
  try {
    const shown = await OwnPromise.race([work(), cell.interrupted]);
    await finish(cell, shown, null);
  } catch (error) {
    display.abandon();
    await finish(cell, null, thrownBy(error));
  }
}

function start(id: number, count: number): Running {
  const controller = new AbortController();
  let interrupt = () => {};
  const interrupted = new OwnPromise<never>((_, reject) => {
    interrupt = () => {
      const reason = new Interrupted();
      controller.abort(reason);
      reject(reason);
    };
  });
  interrupted.catch(() => {});
  const { signal } = controller;
  const isInterrupted = () => signal.aborted || interruption.isAsked(id);
  const send = (output: CellOutput) => stdio.inOrder({ type: 'output', id, output });
  const bar = new ProgressBar({ send, displayId: `layerscope-progress-${randomUUID()}` });
  return { id, count, signal, isInterrupted, bar, interrupted, interrupt };
}

async function shownResult(name: string): Promise<Shown | null> {
  const value = await variables[name];
  delete variables[name];
  return bundleOf(value);
}

async function finish(cell: Running, result: Shown | null, thrown: Thrown | null): Promise<void> {
  // What the cell's last turn of the event loop still prints is its own.
  await setImmediate();
  cell.bar.end();
  // One that was too slow to stop may find the next running.
  const isLast = running === cell;
  if (isLast) {
    running = null;
    setWatch({});
  }
  stdio.inOrder({ type: 'done', id: cell.id, result, thrown });
  if (isLast) leaveTo(null);
}

/** Tells of an error that no cell waits for. */
function complain(what: string, error: unknown): void {
  if (error instanceof Interrupted) return;
  stdio.write(2, Buffer.from(`${what}: ${thrownBy(error).stack}\n`));
}

process.on('uncaughtException', (error) => complain('Uncaught exception', error));
process.on('unhandledRejection', (error) => complain('Unhandled rejection', error));
// jupyter_client signals the whole process group; the supervisor tells us what it means.
process.on('SIGINT', () => {});
const exit = process.exit.bind(process);
process.on('disconnect', () => exit(0));
process.exit = (code) => {
  throw new Error(
    `Cannot end the process (process.exit(${code ?? ''})): cells share it; restart the kernel to start afresh`,
  );
};

process.on('message', (message: ToExecutor) => {
  switch (message.type) {
    case 'run':
      run(message).catch((error) => {
        // A cell has replaced what this program itself needs.
        if (running?.id === message.id) running = null;
        stdio.inOrder({ type: 'done', id: message.id, result: null, thrown: thrownBy(error) });
      });
      return;
    case 'interrupt':
      // What is about to end the JavaScript that runs would cut this off, or the next cell: the supervisor asks again.
      if (!interruption.notice(message.id)) return;
      if (running?.id === message.id) running.interrupt();
      stdio.atOnce({ type: 'interrupted', id: message.id });
      return;
    default:
      message satisfies never;
  }
});

new Worker(new URL('./watchdog.js', import.meta.url), { workerData: interruption.buffer }).unref();
stdio.atOnce({ type: 'ready' });
