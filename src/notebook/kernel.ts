/**
 * The Jupyter kernel's program: `node dist/notebook/kernel.js CONNECTION_FILE`, as kernel.json has it. What it logs goes to
 * stderr, where Jupyter shows it.
 */
import { LayerscopeError, UsageError } from '../errors.ts';
import { STRICT_VARIABLE } from './kernelspec.ts';
import { type Connection, connect, readConnectionFile } from './protocol/connection.ts';
import { Kernel } from './protocol/kernel.ts';
import type { Request } from './protocol/message.ts';
import { endWithParent } from './protocol/parent.ts';
import { LateSupervisor } from './supervisor/late_supervisor.ts';

const log = (line: string) => void process.stderr.write(`layerscope kernel: ${line}\n`);

/** How long a kernel that is asked to end may take to deliver what it has answered. */
const LAST_REPLIES_MS = 2000;

async function main(): Promise<void> {
  const [path] = process.argv.slice(2);
  if (path === undefined)
    throw new UsageError('Cannot start the kernel: Jupyter gives it a connection file; none was given');
  const file = readConnectionFile(path);
  let isEnding = false;
  const end = async (code: number) => {
    if (isEnding) return;
    isEnding = true;
    await supervisor.close();
    await connection.close();
    // The process ends by itself when ZeroMQ has delivered the last replies; where something else holds it, soon after.
    process.exitCode = code;
    setTimeout(() => process.exit(code), LAST_REPLIES_MS).unref();
  };
  const onRequest = (request: Request) => {
    void kernel.handle(request);
    supervisor.wasAsked();
  };
  const connection: Connection = await connect(file, { onRequest, log });
  const supervisor = new LateSupervisor({ cwd: process.cwd(), strict: process.env[STRICT_VARIABLE] === '1' });
  const kernel: Kernel = new Kernel({
    supervisor: supervisor.loaded,
    send: (message) => connection.send(message),
    onShutdown: () => void end(0),
    log,
  });
  endWithParent(() => void end(0));
  process.on('SIGINT', () => void kernel.interrupt());
  process.on('SIGTERM', () => void end(0));
  await supervisor.loaded;
}

process.on('unhandledRejection', (error) =>
  log(error instanceof Error ? (error.stack ?? error.message) : String(error)),
);
main().catch((error) => {
  log(error instanceof LayerscopeError ? error.message : String(error instanceof Error ? error.stack : error));
  process.exit(1);
});
