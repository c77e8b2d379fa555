/** How a child process ended, told once, after all that it said was heard. */
import type { ChildProcess } from 'node:child_process';

/** How long after its death what a process still said is waited for. Milliseconds. */
const LAST_WORDS_MS = 500;

/** Calls `ended` with words that go on after "it": `ended with exit code 1`. */
export function onEnd(child: ChildProcess, ended: (how: string) => void): void {
  // Where there is no process there is no `exit`; other errors are of messages to one that has ended.
  child.on('error', (error) => child.pid === undefined && ended(`could not be started (${error.message})`));
  child.once('exit', async (code, signal) => {
    await lastWords(child);
    ended(signal ? `was ended by ${signal}` : `ended with exit code ${code}`);
  });
}

async function lastWords(child: ChildProcess): Promise<void> {
  if (!child.connected) return;
  const said = new Promise((resolve) => child.once('disconnect', resolve));
  await Promise.race([said, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))]);
}
