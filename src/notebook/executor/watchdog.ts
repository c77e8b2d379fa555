/**
 * A thread beside the cells, for when their own never looks up. ASK on descriptor WATCHDOG marks the cell as interrupted, which
 * its next await finds; END ends the JavaScript that runs, however it loops. The end of that stream means that the supervisor is
 * gone, and ends the process.
 */
import inspector from 'node:inspector';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { workerData } from 'node:worker_threads';
import { Interruption } from './interruption.ts';
import { ASK, END, WATCHDOG } from './wire.ts';

const socket = new Socket({ fd: WATCHDOG, readable: true, writable: false });

const interruption = new Interruption(workerData as SharedArrayBuffer);

/** Each line is ASK or END and the id of a run. */
createInterface({ input: socket }).on('line', (line) => {
  const id = Number(line.slice(1));
  if (line.startsWith(ASK)) interruption.ask(id);
  if (!line.startsWith(END) || !interruption.isUnnoticed(id)) return;
  const session = new inspector.Session();
  session.connectToMainThread();
  session.post('Runtime.terminateExecution', () => session.disconnect());
});

const end = () => process.kill(process.pid, 'SIGKILL');
socket.on('end', end);
socket.on('error', end);
