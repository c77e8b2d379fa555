/**
 * A thread beside the cells, for when their own never looks up. A line on descriptor WATCHDOG marks a cell as interrupted, which
 * its next await finds; where that is not noticed, the JavaScript that runs is ended, however it loops. The end of that stream
 * means that the supervisor is gone, and ends the process.
 */
import inspector from 'node:inspector';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { workerData } from 'node:worker_threads';
import { Interruption } from './interruption.ts';
import { WATCHDOG } from './wire.ts';

/** It is looked so often whether the interrupt was noticed. */
const TICK_MS = 20;
/**
 * Ticks until the JavaScript is ended. They are counted and not timed: where the whole process got no time, the cells' thread
 * had none to notice anything.
 */
const PATIENCE = 5;
/** The same while a package loads, which must not be cut off for no more than being large. */
const PATIENCE_WHILE_LOADING = 500;
/** Ticks between attempts. Not every one takes: where V8 is inside Node's own callbacks, the end is swallowed. */
const ATTEMPT = 5;

const socket = new Socket({ fd: WATCHDOG, readable: true, writable: false });
const interruption = new Interruption(workerData as SharedArrayBuffer);
let ticking: NodeJS.Timeout | undefined;

/** Each line is the id of a run. */
createInterface({ input: socket }).on('line', (line) => {
  const id = Number(line);
  interruption.ask(id);
  let ticks = 0;
  clearInterval(ticking);
  ticking = setInterval(() => {
    ticks++;
    const patience = interruption.isLoading ? PATIENCE_WHILE_LOADING : PATIENCE;
    if (interruption.isNoticed(id)) clearInterval(ticking);
    else if (ticks >= patience && ticks % ATTEMPT === 0 && interruption.beginEnding(id)) endJavaScript();
  }, TICK_MS);
});

function endJavaScript(): void {
  const session = new inspector.Session();
  session.connectToMainThread();
  session.post('Runtime.terminateExecution', () => {
    interruption.ended();
    session.disconnect();
  });
}

const end = () => process.kill(process.pid, 'SIGKILL');
socket.on('end', end);
socket.on('error', end);
