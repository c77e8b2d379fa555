/** Pages that go and come back: another connection, a page that does not read, and a server that was started again. */
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { WebSocket } from 'ws';
import { type Message, newHeader } from '../../../src/notebook/protocol/message.ts';
import { ended, newFolder, newLab, notebookText, send, startTestLab, type TestLab, until } from './lab.ts';

type Heard = Pick<Message, 'channel' | 'header' | 'content'> & { parent_header: { msg_id?: string } };

/** A page's connection to a kernel, by hand. */
class Page {
  readonly heard: Heard[] = [];
  readonly socket: WebSocket;
  readonly session: string;

  constructor(lab: TestLab, kernel: string, session: string) {
    this.session = session;
    this.socket = lab.socket(`/api/kernels/${kernel}/channels?session_id=${session}`);
    this.socket.on('message', (data: Buffer) => void this.heard.push(JSON.parse(data.toString())));
    this.socket.on('error', () => {});
    onTestFinished(() => this.socket.terminate());
  }

  async opened(): Promise<this> {
    if (this.socket.readyState !== this.socket.OPEN) await new Promise((resolve) => this.socket.once('open', resolve));
    return this;
  }

  /** Sends a cell and gives the message's id. */
  run(code: string): string {
    return this.ask('shell', 'execute_request', { code });
  }

  /** Sends a request and gives the message's id. */
  ask(channel: 'shell' | 'control', type: string, content: object): string {
    const header = newHeader(type, this.session);
    this.socket.send(JSON.stringify({ channel, header, parent_header: {}, metadata: {}, content }));
    return header.msg_id;
  }

  of(id: string, type: string): Heard[] {
    return this.heard.filter(({ header, parent_header }) => parent_header.msg_id === id && header.msg_type === type);
  }

  text(id: string): string {
    return this.of(id, 'stream')
      .map(({ content }) => content.text)
      .join('');
  }

  isIdle(id: string): boolean {
    return this.of(id, 'status').some(({ content }) => content.execution_state === 'idle');
  }
}

async function newKernel(lab: TestLab): Promise<string> {
  const { id } = (await lab.ask('/api/kernels', { method: 'POST' })).json();
  return `${id}`;
}

const LATER =
  "console.log('at once'); await new Promise((resolve) => setTimeout(resolve, 1500)); console.log('later'); 7";

describe('a page whose connection breaks in the middle of a cell', () => {
  test('hears all that came meanwhile when it comes back, once, in order', async () => {
    const lab = await newLab();
    const kernel = await newKernel(lab);
    const before = await new Page(lab, kernel, 'one').opened();
    const id = before.run(LATER);
    await until(() => before.text(id) === 'at once\n', 'the first output');
    before.socket.terminate();
    await until(
      async () => (await lab.ask(`/api/kernels/${kernel}`)).json().execution_state === 'idle',
      'the end of the cell',
    );
    const after = await new Page(lab, kernel, 'one').opened();
    await until(() => after.isIdle(id), 'the status idle');
    expect(after.text(id)).toBe('later\n');
    expect(after.of(id, 'execute_reply').map(({ content }) => content.status)).toEqual(['ok']);
    expect(after.of(id, 'execute_result')).toHaveLength(1);
  });

  test('does not hear what another page asked and was answered', async () => {
    const lab = await newLab();
    const kernel = await newKernel(lab);
    const [one, other] = [await new Page(lab, kernel, 'one').opened(), await new Page(lab, kernel, 'other').opened()];
    const id = one.run('1 + 1');
    await until(() => one.of(id, 'execute_reply').length > 0 && other.isIdle(id), 'the reply');
    expect(other.of(id, 'execute_reply')).toEqual([]);
    expect(other.of(id, 'execute_result')).toHaveLength(1);
  });

  test('and comes back before the server noticed takes the place of its old connection', async () => {
    const lab = await newLab();
    const kernel = await newKernel(lab);
    const old = await new Page(lab, kernel, 'one').opened();
    const end = ended(old.socket);
    const fresh = await new Page(lab, kernel, 'one').opened();
    expect(await end).toMatchObject({ code: 1000, reason: expect.stringMatching(/another connection/) });
    const id = fresh.run("console.log('heard')");
    await until(() => fresh.isIdle(id), 'the end of the cell');
    expect(fresh.text(id)).toBe('heard\n');
  });
});

test('a notebook that is opened again after its kernel was shut down has its session, and in that a fresh kernel', async () => {
  const lab = await newLab(newFolder({ 'a.ipynb': notebookText('1') }));
  const openSession = async () => {
    const body = JSON.stringify({ path: 'a.ipynb', name: 'a.ipynb', type: 'notebook', kernel: { name: 'layerscope' } });
    const headers = { Authorization: `token ${lab.lab.token}` };
    const { id, kernel } = (await lab.ask('/api/sessions', { method: 'POST', headers, body })).json();
    return { id, kernel: kernel as { readonly id: string; readonly execution_state: string } };
  };
  const before = await openSession();
  const page = await new Page(lab, before.kernel.id, 'one').opened();
  const kept = page.run('const kept = 5; kept');
  await until(() => page.isIdle(kept), 'the end of the cell');
  page.ask('control', 'shutdown_request', { restart: false });
  const state = async () => (await lab.ask(`/api/kernels/${before.kernel.id}`)).json().execution_state;
  await until(async () => (await state()) === 'dead', 'the end of the kernel');
  const after = await openSession();
  expect({ ...after, kernel: after.kernel.id }).toEqual({ ...before, kernel: before.kernel.id });
  expect(after.kernel.execution_state).not.toBe('dead');
  const gone = page.run('kept');
  await until(() => page.isIdle(gone), 'the end of the cell');
  expect(page.of(gone, 'error').map(({ content }) => content.evalue)).toEqual([
    expect.stringMatching(/Cannot find name 'kept'/),
  ]);
});

test('a page that does not read is cut off and may come back; its cell ends all the same', async () => {
  const lab = await newLab();
  const kernel = await newKernel(lab);
  const page = await new Page(lab, kernel, 'one').opened();
  const end = ended(page.socket);
  const id = page.run(
    "for (let i = 0; i < 120; i++) { console.log('x'.repeat(1e6)); await new Promise(setImmediate); }",
  );
  page.socket.pause();
  await until(
    async () => (await lab.ask(`/api/kernels/${kernel}`)).json().execution_state === 'idle',
    'the end of the cell',
  );
  page.socket.resume();
  expect(await end).toMatchObject({ code: 1013, reason: expect.stringMatching(/may connect again/) });
  const again = await new Page(lab, kernel, 'one').opened();
  await until(() => again.isIdle(id), 'the status idle');
  expect(again.of(id, 'execute_reply').map(({ content }) => content.status)).toEqual(['ok']);
}, 60_000);

describe('a page that is open when the server ends and is started again', () => {
  test('saves its edits with the cookie it has; its kernel is gone, and that is said', async () => {
    const [folder, state] = [newFolder({ 'a.ipynb': notebookText('1') }), join(newFolder(), 'state')];
    const first = await startTestLab(folder, { state });
    const { port } = first.lab;
    const { cookie, xsrf } = await first.login();
    const kernel = await newKernel(first);
    await first.lab.close();
    const second = await newLab(folder, { state, port });
    expect(second.lab.token).not.toBe(first.lab.token);
    const headers = { Cookie: cookie, Origin: second.origin, 'X-XSRFToken': xsrf };
    const body = JSON.stringify({ type: 'file', format: 'text', content: 'edited' });
    expect((await send(port, '/api/contents/a.txt', { method: 'PUT', headers, body })).status).toBe(201);
    const { status, json } = await send(port, `/api/kernels/${kernel}`, { headers });
    expect([status, json().message]).toEqual([
      404,
      expect.stringMatching(/the server was started again; start a kernel/),
    ]);
    expect((await send(port, `/lab?token=${first.lab.token}`, {})).status).toBe(403);
  });

  test('is sent to the terminal where the secret could not be kept', async () => {
    const first = await startTestLab(newFolder());
    const { port } = first.lab;
    const { cookie } = await first.login();
    await first.lab.close();
    await newLab(first.folder, { port });
    const { status, json } = await send(port, '/api/contents', { headers: { Cookie: cookie } });
    expect([status, json().reason, json().message]).toEqual([
      403,
      'login',
      expect.stringMatching(/the address that the terminal shows/),
    ]);
    expect(first.logged).toEqual([expect.stringMatching(/cannot be written.*open pages have to log in again/)]);
  });
});
