/**
 * A kernel of the lab: the process that compiles cells, so that the server never waits for the compiler. The cells run in
 * yet another (src/notebook/supervisor). Ends with the server, however that ended.
 */
import { STRICT_VARIABLE } from '../../notebook/kernelspec.ts';
import { Kernel } from '../../notebook/protocol/kernel.ts';
import { LateSupervisor } from '../../notebook/supervisor/late_supervisor.ts';
import type { FromKernel, ToKernel } from './kernel_wire.ts';

const log = (line: string) => void process.stderr.write(`layerscope kernel: ${line}\n`);

const supervisor = new LateSupervisor({ cwd: process.cwd(), strict: process.env[STRICT_VARIABLE] === '1' });

async function end(code: number): Promise<void> {
  await supervisor.close();
  process.exit(code);
}

const tell = (message: FromKernel, whenSent = () => {}) => void process.send?.(message, whenSent);

const kernel = new Kernel({
  supervisor: supervisor.loaded,
  send: (message) => tell({ type: 'message', message }),
  onShutdown: () => tell({ type: 'ending' }, () => void end(0)),
  log,
});

process.on('message', (message: ToKernel) => {
  switch (message.type) {
    case 'request':
      void kernel.handle(message.request);
      supervisor.wasAsked();
      return;
    case 'interrupt':
      void kernel.interrupt();
      return;
    case 'end':
      void end(0);
      return;
    default:
      message satisfies never;
  }
});
process.on('disconnect', () => void end(0));
// Ctrl-C at the server's terminal reaches its whole group; the server says what it means.
process.on('SIGINT', () => {});
process.on('unhandledRejection', (error) =>
  log(error instanceof Error ? (error.stack ?? error.message) : String(error)),
);
supervisor.loaded.catch(() => void end(1));
