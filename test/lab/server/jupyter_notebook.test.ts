/** Debian's own `jupyter-notebook` with our kernel, driven by the services that drive our server: both serve alike. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { findJupyterPython } from '../../../src/node/host.ts';
import { installKernel } from '../../../src/notebook/kernelspec_install.ts';
import { have } from '../../skip.ts';
import { newFolder, newLab, run, services, until } from './lab.ts';

vi.spyOn(console, 'debug').mockImplementation(() => {});
vi.spyOn(console, 'warn').mockImplementation(() => {});

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const NOTEBOOK = 'notebooks/01_first_look.ipynb';

interface Address {
  readonly origin: string;
  readonly token: string;
}

/** Jupyter's server on the project, which knows our kernel and no user's settings; it ends with the test. */
async function startJupyter(python: string): Promise<Address> {
  const folder = newFolder();
  await installKernel(join(folder, 'kernels'));
  const token = 'a-token-for-this-test';
  const env = {
    ...process.env,
    JUPYTER_PATH: folder,
    JUPYTER_CONFIG_DIR: folder,
    JUPYTER_DATA_DIR: folder,
    JUPYTER_RUNTIME_DIR: folder,
  };
  const args = [
    '-m',
    'notebook',
    '--no-browser',
    '--allow-root',
    '--ip=127.0.0.1',
    '--port=8999',
    `--NotebookApp.token=${token}`,
  ];
  const child = spawn(python, [...args, `--notebook-dir=${ROOT}`], { cwd: ROOT, env });
  onTestFinished(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  });
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    told += text;
  });
  const running = () => /http:\/\/127\.0\.0\.1:\d+\//.exec(told)?.[0];
  await until(() => running() !== undefined || child.exitCode !== null, 'the address of jupyter-notebook');
  const origin = running()?.replace(/\/$/, '');
  if (!origin) throw new Error(`jupyter-notebook ended: ${told}`);
  return { origin, token };
}

/** Opens the notebook, runs its code cells in order, and gives how each ended and the MIME types of each one's result. */
async function runFirstLook({ origin, token }: Address): Promise<{ statuses: string[]; mimes: string[][] }> {
  const wsUrl = `${origin.replace('http', 'ws')}/`;
  const serverSettings = services.ServerConnection.makeSettings({
    baseUrl: `${origin}/`,
    wsUrl,
    token,
    appendToken: true,
  });
  const contents = new services.ContentsManager({
    defaultDrive: new services.Drive({ serverSettings }),
    serverSettings,
  });
  const { content } = await contents.get(NOTEBOOK);
  const kernelManager = new services.KernelManager({ serverSettings });
  const sessions = new services.SessionManager({ serverSettings, kernelManager });
  const session = await sessions.startNew({
    path: NOTEBOOK,
    name: '',
    type: 'notebook',
    kernel: { name: 'layerscope' },
  });
  try {
    const statuses: string[] = [];
    const mimes: string[][] = [];
    for (const { cell_type, source } of content.cells as { cell_type: string; source: string }[]) {
      if (cell_type !== 'code' || !session.kernel) continue;
      const { status, messages } = await run(session.kernel, source);
      statuses.push(status);
      const results = messages.filter(({ header }) => header.msg_type === 'execute_result');
      mimes.push(results.flatMap(({ content }) => Object.keys((content as { data: object }).data)));
    }
    return { statuses, mimes };
  } finally {
    await session.shutdown();
    sessions.dispose();
    kernelManager.dispose();
    contents.dispose();
  }
}

test("01_first_look runs on Jupyter's server and on ours alike, every cell with success and charts among them", async (context) => {
  const python = have(context, findJupyterPython(), "no Python with Jupyter's notebook on this machine");
  const theirs = await runFirstLook(await startJupyter(python));
  const { lab, origin } = await newLab(ROOT);
  const ours = await runFirstLook({ origin, token: lab.token });
  expect(new Set(theirs.statuses)).toEqual(new Set(['ok']));
  expect(theirs.mimes.flat()).toContain('application/vnd.vegalite.v5+json');
  expect(ours).toEqual(theirs);
}, 240_000);
