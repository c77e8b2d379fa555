/** Kernels and sessions as `@jupyterlab/services` drives them, with real kernels. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Kernel, KernelMessage, Session } from '@jupyterlab/services';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { newFolder, newLab, notebookText, type Ran, run, services, startTestLab, type TestLab, until } from './lab.ts';

/** The services tell of every connection. */
vi.spyOn(console, 'debug').mockImplementation(() => {});
vi.spyOn(console, 'warn').mockImplementation(() => {});

const MODEL = JSON.stringify(fileURLToPath(new URL('../../../fixtures/lily-4m-q8_0.gguf', import.meta.url)));

type Connection = Kernel.IKernelConnection;

const typesOf = ({ messages }: Ran): string[] => messages.map(({ header }) => header.msg_type);

async function newSession(lab: TestLab, path = 'a.ipynb'): Promise<Session.ISessionConnection> {
  const session = await lab.sessions.startNew({ path, name: path, type: 'notebook', kernel: { name: 'layerscope' } });
  onTestFinished(() => session.dispose());
  return session;
}

const kernelOf = ({ kernel }: Session.ISessionConnection): Connection => {
  if (!kernel) throw new Error('the session has no kernel');
  return kernel;
};

const newKernelLab = () => newLab(newFolder({ 'a.ipynb': notebookText('1'), 'sub/b.ipynb': notebookText('1') }));

describe('a session', () => {
  test('runs cells in the folder of its notebook; a chart comes as display data, a value as result', async () => {
    const lab = await newKernelLab();
    const kernel = kernelOf(await newSession(lab, 'sub/b.ipynb'));
    const { implementation, language_info } = await kernel.info;
    expect([implementation, language_info.name]).toEqual(['layerscope', 'typescript']);
    const first = await run(kernel, "console.log(process.cwd()); display({ 'text/plain': 'shown' }); 6 * 7");
    expect(first.status).toBe('ok');
    expect(typesOf(first)).toEqual(['status', 'execute_input', 'stream', 'display_data', 'execute_result', 'status']);
    expect(first.text).toContain('/sub');
    const chart = await run(
      kernel,
      `const run = await (await openModel(${MODEL}, { backend: 'reference' })).start('Tom').layer(0);\ncharts.attention(run, { layer: 0, head: 0 })`,
    );
    expect(chart.messages.at(-2)?.content).toMatchObject({ data: { 'application/vnd.vegalite.v5+json': {} } });
  });

  test('completes and explains while a cell runs', async () => {
    const kernel = kernelOf(await newSession(await newKernelLab()));
    const running = run(kernel, 'await new Promise((resolve) => setTimeout(resolve, 3000)); 1');
    const completed = await kernel.requestComplete({ code: 'openMo', cursor_pos: 6 });
    const inspected = await kernel.requestInspect({ code: 'openModel', cursor_pos: 3, detail_level: 0 });
    expect((completed.content as { matches: string[] }).matches).toContain('openModel');
    expect((inspected.content as { found: boolean }).found).toBe(true);
    expect((await running).status).toBe('ok');
  });

  test('is shared by two pages that open one notebook at once; both hear what it says', async () => {
    const lab = await newKernelLab();
    const [one, other] = await Promise.all([newSession(lab), newSession(lab)]);
    expect(other.id).toBe(one.id);
    expect((await lab.ask('/api/kernels')).json()).toHaveLength(1);
    await Promise.all([kernelOf(one).info, kernelOf(other).info]);
    const heard: unknown[] = [];
    kernelOf(other).iopubMessage.connect((_, { header, content }) => {
      if (header.msg_type === 'stream') heard.push(content);
    });
    await run(kernelOf(one), "console.log('for all')");
    await until(() => heard.length > 0, 'the stream at the other page');
    expect(heard).toEqual([{ name: 'stdout', text: 'for all\n' }]);
  });

  test('follows its notebook to another name, and goes with its kernel', async () => {
    const lab = await newKernelLab();
    const session = await newSession(lab);
    await session.setPath('c.ipynb');
    expect((await lab.ask(`/api/sessions/${session.id}`)).json()).toMatchObject({ path: 'c.ipynb', type: 'notebook' });
    await session.shutdown();
    expect((await lab.ask('/api/sessions')).json()).toEqual([]);
    expect((await lab.ask('/api/kernels')).json()).toEqual([]);
  });

  test.each([
    [
      'of another kernel is refused with the name of ours',
      { path: 'a.ipynb', kernel: { name: 'python3' } },
      501,
      'unsupported',
    ],
    ['without a path is refused', { kernel: { name: 'layerscope' } }, 400, 'malformed'],
    ['in a folder that is gone is refused', { path: 'gone/a.ipynb' }, 404, 'missing'],
    ['outside the folder is refused', { path: '../a.ipynb' }, 400, 'path'],
  ])('%s', async (_, body, status, reason) => {
    const lab = await newKernelLab();
    const answered = await lab.ask('/api/sessions', {
      method: 'POST',
      headers: { Authorization: `token ${lab.lab.token}` },
      body: JSON.stringify(body),
    });
    expect([answered.status, answered.json().reason]).toEqual([status, reason]);
    expect(answered.json().message).toMatch(/^Cannot \w+ .*; \w+|^Cannot \w+ .*"layerscope"/);
  });
});

describe('a kernel', () => {
  let lab: TestLab;
  let manager: Kernel.IManager;
  let kernel: Connection;
  const told: string[] = [];

  beforeAll(async () => {
    lab = await startTestLab(fileURLToPath(new URL('.', import.meta.url)));
    manager = new services.KernelManager({ serverSettings: lab.settings });
    kernel = await manager.startNew({ name: 'layerscope' });
    kernel.statusChanged.connect((_, status) => void told.push(status));
  });
  afterAll(async () => {
    kernel.dispose();
    manager.dispose();
    await lab.lab.close();
  });

  test('is interrupted in an endless loop, and keeps its variables', async () => {
    await run(kernel, 'const kept = 5;');
    const looping = run(kernel, 'for (;;);');
    await until(() => kernel.status === 'busy', 'the loop');
    await new Promise((resolve) => setTimeout(resolve, 300));
    await kernel.interrupt();
    const { status, text } = await looping;
    expect([status, text]).toEqual(['error', expect.stringContaining('Interrupted')]);
    expect((await run(kernel, 'kept + 1')).text).toContain('"6"');
  });

  test('forgets its variables when it is restarted, and answers again', async () => {
    await run(kernel, 'const gone = 5;');
    await kernel.restart();
    expect((await run(kernel, '1 + 1')).text).toContain('"2"');
    expect((await run(kernel, 'gone')).text).toContain('TS2304');
  });

  test('that is killed in the middle of a cell says so at the cell, starts again by itself, and answers', async () => {
    await run(kernel, '1');
    told.length = 0;
    const waiting = run(kernel, 'await new Promise(() => {})').catch(() => {}); // The page gives it up.
    await until(() => kernel.status === 'busy', 'the cell');
    const heard: KernelMessage.IIOPubMessage[] = [];
    kernel.iopubMessage.connect((_, message) => void heard.push(message));
    process.kill(kernelProcess(), 'SIGKILL');
    await waiting;
    await until(() => told.includes('autorestarting'), 'the status autorestarting');
    expect(heard.find(({ header }) => header.msg_type === 'error')?.content).toMatchObject({
      ename: 'KernelDied',
      evalue: expect.stringMatching(
        /^Cannot finish: the kernel is gone, because it was ended by SIGKILL; .*Run the cells again/,
      ),
    });
    expect((await run(kernel, '2 + 3')).text).toContain('"5"');
  });

  test('whose cells end their own process says so, and goes on', async () => {
    const { status, text } = await run(kernel, "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})");
    expect([status, text]).toEqual(['error', expect.stringContaining('ended by SIGKILL')]);
    expect((await run(kernel, '3 + 4')).text).toContain('"7"');
  });
});

/** The process that compiles: the parent of the one that runs the cells. */
function kernelProcess(): number {
  const rows = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', `${process.pid}`], { encoding: 'utf8' }).split('\n');
  return Number.parseInt(rows.find((row) => row.includes('kernel_child.js')) ?? '', 10);
}
