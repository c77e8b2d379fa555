/** `layerscope lab`: notebooks and the inspector in the browser, on a folder of this machine. */
import { Command, InvalidArgumentError } from 'commander';
import { bold } from './terminal.ts';

interface LabCommandOptions {
  readonly port?: number;
  readonly open: boolean;
}

export function labCommand(): Command {
  return new Command('lab')
    .description('notebooks and the inspector in the browser, for this machine alone; Ctrl-C ends it and its kernels')
    .argument('[folder]', 'the folder whose files it shows', '.')
    .option('--port <n>', 'where it listens (default: the first port that is free)', portOf)
    .option('--no-open', 'do not open the browser')
    .action(lab);
}

async function lab(folder: string, { port, open: opens }: LabCommandOptions): Promise<void> {
  const { startLab } = await import('../lab/server/index.ts');
  const { url } = await startLab({ root: folder, port });
  process.stdout.write(`The lab is at ${bold(url)}\nCtrl-C ends it and its kernels.\n`);
  if (opens) await openBrowser(url);
  await new Promise(() => {}); // A signal ends it (signals.ts).
}

/** Where there is no browser to be opened, the address is there to be copied. */
async function openBrowser(url: string): Promise<void> {
  const { default: open } = await import('open');
  const failed = () => void process.stderr.write('No browser could be opened: open the address above in one.\n');
  await open(url).then((child) => void child.once('error', failed), failed);
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new InvalidArgumentError('a port is a number from 0 to 65535, and 0 takes any that is free');
}
