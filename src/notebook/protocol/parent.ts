/** A kernel ends with the program that started it, however that ended. */
const INTERVAL_MS = 1000;

/**
 * Calls `end` when the parent process is gone: we are another's child then, or JPY_PARENT_PID names a process that is none. On
 * Windows that variable holds no process id, and a child keeps its parent's.
 */
export function endWithParent(end: () => void, env: NodeJS.ProcessEnv = process.env): void {
  if (process.platform === 'win32') return;
  const parent = process.ppid;
  const named = Number(env.JPY_PARENT_PID ?? Number.NaN);
  setInterval(() => {
    if (process.ppid !== parent || (named > 0 && !isAlive(named))) end();
  }, INTERVAL_MS).unref();
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
