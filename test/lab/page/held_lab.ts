/** The lab as a process of its own, whose files' modes hold it as they hold a user's, even where it is root's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Lab } from '../../../src/lab/server/index.ts';
import { heldCommand } from '../../file_modes.ts';

const CLI = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url));

export async function startHeldLab(root: string, state: string, port: number): Promise<Pick<Lab, 'url' | 'close'>> {
  const command = [process.execPath, CLI, 'lab', root, '--no-open', '--port', `${port}`];
  const [program = '', ...args] = heldCommand(command);
  const child = spawn(program, args, {
    env: { ...process.env, LAYERSCOPE_STATE: state },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const url = await new Promise<string>((resolve, reject) => {
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      const address = /http:\S+(?=\s)/.exec(printed)?.[0];
      if (address) resolve(address);
    });
    ended.then(([code]) => reject(new Error(`Cannot start ${CLI}: it ended with ${code}: ${printed}`)), reject);
  });
  return {
    url,
    async close() {
      child.kill();
      await ended;
    },
  };
}
