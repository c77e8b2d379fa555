/** `layerscope lab` as a process: what it prints, ports, and that nothing outlives it. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { layerscope, type Started, start, Workplace } from './layerscope.ts';

const place = new Workplace();
afterAll(() => place.remove());

interface RunningLab extends Started {
  readonly url: URL;
}

async function startLab(args: readonly string[] = []): Promise<RunningLab> {
  const started = start(['lab', place.folder, '--no-open', ...args], {
    env: { LAYERSCOPE_STATE: place.path('state') },
  });
  onTestFinished(() => void started.child.kill('SIGKILL'));
  let printed = '';
  started.child.stdout!.on('data', (text: string) => {
    printed += text;
  });
  while (!printed.includes('Ctrl-C')) {
    const hasEnded = await Promise.race([once(started.child.stdout!, 'data').then(() => false), started.ended]);
    if (hasEnded) throw new Error(`the lab ended: ${JSON.stringify(hasEnded)}`);
  }
  return { ...started, url: new URL(/http:\S+/.exec(printed)?.[0] ?? '') };
}

async function ask({ url }: RunningLab, path: string, method = 'GET'): Promise<Record<string, unknown>> {
  const headers = { Authorization: `token ${url.searchParams.get('token')}` };
  return (await fetch(new URL(path, url), { method, headers })).json() as Promise<Record<string, unknown>>;
}

/** The processes below one, with theirs. */
function below(pid: number): number[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' });
  const pairs = rows
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/).map(Number) as [number, number]);
  const children = pairs.filter(([, parent]) => parent === pid).map(([child]) => child);
  return [...children, ...children.flatMap(below)];
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** A kernel that has run a cell which never ends, so that its process looks up no more. */
async function startLooping(lab: RunningLab): Promise<number[]> {
  const { id } = await ask(lab, '/api/kernels', 'POST');
  const { WebSocket } = await import('ws');
  const socket = new WebSocket(
    `ws://${lab.url.host}/api/kernels/${id}/channels?token=${lab.url.searchParams.get('token')}`,
  );
  socket.on('error', () => {});
  await once(socket, 'open');
  const header = { msg_id: 'a', msg_type: 'execute_request', session: 's', username: '', date: '', version: '5.4' };
  const content = { code: "console.log('begins'); for (;;);" };
  socket.send(JSON.stringify({ channel: 'shell', header, parent_header: {}, metadata: {}, content }));
  for (;;) {
    const [data] = (await once(socket, 'message')) as [Buffer];
    if (data.toString().includes('begins\\n')) break;
  }
  return below(lab.child.pid ?? 0);
}

describe('layerscope lab', () => {
  test('prints an address with a token, and serves the folder that it was given', async () => {
    const lab = await startLab();
    expect(lab.url.href).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/lab\?token=[\w-]{32}$/);
    place.file('here.txt', 'x');
    const { content } = await ask(lab, '/api/contents');
    expect(content).toEqual(expect.arrayContaining([expect.objectContaining({ path: 'here.txt' })]));
    expect((await fetch(new URL('/api/contents', lab.url))).status).toBe(403);
  });

  test.for([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGKILL', null],
  ] as const)('ended by %s ends with %s and leaves no process, though a cell loops', async ([signal, code]) => {
    const lab = await startLab();
    const processes = await startLooping(lab);
    expect(processes).toHaveLength(2);
    lab.child.kill(signal);
    expect((await lab.ended).code).toBe(code);
    const end = Date.now() + 20_000;
    while (processes.some(isAlive) && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(processes.filter(isAlive)).toEqual([]);
  });

  test('takes the next free port by itself; a port that was asked for and is in use is an error with the cure', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const refused = await layerscope(['lab', place.folder, '--no-open', '--port', `${port}`]);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      `Cannot start the lab: port ${port} is in use, perhaps by another lab; end that, choose another with --port N, or leave --port out\n`,
    ]);
    const [one, other] = [await startLab(), await startLab()];
    expect(one.url.port).not.toBe(other.url.port);
  });

  test.each([
    [
      'a folder that is not there',
      ['lab', '/nowhere'],
      1,
      /^Cannot open the lab on \/nowhere: there is no such folder; /,
    ],
    [
      'a port that is none',
      ['lab', '--port', 'x'],
      2,
      /^Cannot run layerscope lab: .*a port is a number from 0 to 65535/,
    ],
    ['a port beyond', ['lab', '--port', '65536'], 2, /a port is a number/],
  ])('%s is refused', async (_, args, code, message) => {
    const refused = await layerscope(args);
    expect([refused.code, refused.stderr]).toEqual([code, expect.stringMatching(message)]);
  });
});
