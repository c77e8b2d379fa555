/** The inspector's websocket with a process that stands for the inspector's. */
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { WebSocket } from 'ws';
import { ended, newFolder, newLab, type TestLab, until } from './lab.ts';

const inspector = fileURLToPath(new URL('fake_inspector.mjs', import.meta.url));

const newInspectorLab = () => newLab(newFolder(), { inspector });

/** An open websocket, and what it says next. */
async function opened(lab: TestLab): Promise<WebSocket> {
  const socket = lab.socket('/inspector/socket');
  onTestFinished(() => socket.terminate());
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return socket;
}

const next = (socket: WebSocket): Promise<[data: Buffer, isBinary: boolean]> =>
  new Promise((resolve) => socket.once('message', (data: Buffer, isBinary) => resolve([data, isBinary])));

async function said(socket: WebSocket, text: string): Promise<string> {
  const answer = next(socket);
  socket.send(text);
  return (await answer)[0].toString();
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('frames go both ways as they are, text and binary, and the process knows the folder', async () => {
  const lab = await newInspectorLab();
  const socket = await opened(lab);
  expect(await said(socket, 'folder')).toBe(lab.folder);
  expect(await said(socket, 'ä 日本')).toBe('ä 日本');
  const bytes = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, i) => i % 251));
  const answer = next(socket);
  socket.send(bytes);
  expect(await answer).toEqual([bytes, true]);
});

test('each connection has a process of its own, which ends with it', async () => {
  const lab = await newInspectorLab();
  const sockets = [await opened(lab), await opened(lab)];
  const pids = await Promise.all(sockets.map(async (socket) => Number(await said(socket, 'pid'))));
  expect(new Set(pids).size).toBe(2);
  for (const socket of sockets) socket.close();
  await until(() => !pids.some(isAlive), 'the end of the processes');
});

test('the death of the process closes the connection with the reason, and another can be opened', async () => {
  const lab = await newInspectorLab();
  for (const [kill, how] of [
    [async (socket: WebSocket) => socket.send('exit'), 'ended with exit code 3'],
    [async (socket: WebSocket) => process.kill(Number(await said(socket, 'pid')), 'SIGKILL'), 'was ended by SIGKILL'],
  ] as const) {
    const socket = await opened(lab);
    const end = ended(socket);
    await kill(socket);
    expect(await end).toMatchObject({
      code: 1011,
      reason: `Cannot go on: the inspector's process ${how}. Do it again: another is started`,
    });
  }
});

test('a program that is not there closes the connection with a reason', async () => {
  const lab = await newLab(newFolder(), { inspector: '/nowhere/inspector.js' });
  expect(await ended(lab.socket('/inspector/socket'))).toMatchObject({
    code: 1011,
    reason: expect.stringMatching(/exit code 1/),
  });
});

test('a page that does not read is cut off', async () => {
  const lab = await newInspectorLab();
  const socket = await opened(lab);
  const end = ended(socket);
  socket.send('flood');
  socket.pause();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  socket.resume();
  expect(await end).toMatchObject({ code: 1013, reason: expect.stringMatching(/does not read/) });
}, 30_000);

test('no more than twelve are opened; the next is refused', async () => {
  const lab = await newInspectorLab();
  const sockets = await Promise.all(Array.from({ length: 12 }, () => opened(lab)));
  expect((await ended(lab.socket('/inspector/socket'))).code).toBe(503);
  sockets[0]?.terminate();
  await until(async () => {
    const socket = lab.socket('/inspector/socket').on('error', () => {});
    const isOpen = await new Promise<boolean>((resolve) =>
      socket.on('open', () => resolve(true)).on('unexpected-response', () => resolve(false)),
    );
    socket.terminate();
    return isOpen;
  }, 'room for another');
});

test('the server takes them with it', async () => {
  const lab = await newInspectorLab();
  const socket = await opened(lab);
  const pid = Number(await said(socket, 'pid'));
  await lab.lab.close();
  await until(() => !isAlive(pid), 'the end of the process');
});
