/**
 * A thread beside the cells. A byte on descriptor WATCHDOG ends the JavaScript that runs on the main thread, however it loops;
 * the end of that stream means that the supervisor is gone, and ends the process.
 */
import inspector from 'node:inspector';
import { Socket } from 'node:net';
import { WATCHDOG } from './wire.ts';

const socket = new Socket({ fd: WATCHDOG, readable: true, writable: false });

socket.on('data', () => {
  const session = new inspector.Session();
  session.connectToMainThread();
  session.post('Runtime.terminateExecution', () => session.disconnect());
});

const end = () => process.kill(process.pid, 'SIGKILL');
socket.on('end', end);
socket.on('error', end);
