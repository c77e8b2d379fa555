/**
 * The Jupyter kernel's program: `node dist/notebook/kernel.js CONNECTION_FILE`, as kernel.json has it. What it logs goes to
 * stderr, where Jupyter shows it.
 */
import { LayerscopeError, UsageError } from '../errors.ts';
import { STRICT_VARIABLE } from './kernelspec.ts';
import { type Connection, connect, readConnectionFile } from './protocol/connection.ts';
import { Kernel } from './protocol/kernel.ts';
import { endWithParent } from './protocol/parent.ts';
import { Supervisor } from './supervisor/supervisor.ts';

const log = (line: string) => void process.stderr.write(`layerscope kernel: ${line}\n`);

async function main(): Promise<void> {
  const [path] = process.argv.slice(2);
  if (path === undefined)
    throw new UsageError('Cannot start the kernel: Jupyter gives it a connection file; none was given');
  const file = readConnectionFile(path);
  let supervisor: Supervisor | undefined;
  let isEnding = false;
  const end = async (code: number) => {
    if (isEnding) return;
    isEnding = true;
    await supervisor?.close();
    await connection.close();
    process.exit(code);
  };
  let made: (supervisor: Supervisor) => void = () => {};
  const connection: Connection = await connect(file, { onRequest: (request) => void kernel.handle(request), log });
  const kernel: Kernel = new Kernel({
    supervisor: new Promise((resolve) => {
      made = resolve;
    }),
    send: (message) => connection.send(message),
    onShutdown: () => void end(0),
    log,
  });
  endWithParent(() => void end(0));
  process.on('SIGINT', () => void kernel.interrupt());
  process.on('SIGTERM', () => void end(0));
  // A turn of the event loop for whoever asks who we are: the compiler takes a second to load.
  setImmediate(() => {
    supervisor = new Supervisor({ cwd: process.cwd(), strict: process.env[STRICT_VARIABLE] === '1' });
    made(supervisor);
  });
}

process.on('unhandledRejection', (error) =>
  log(error instanceof Error ? (error.stack ?? error.message) : String(error)),
);
main().catch((error) => {
  log(error instanceof LayerscopeError ? error.message : String(error instanceof Error ? error.stack : error));
  process.exit(1);
});
