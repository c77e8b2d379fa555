/** Raw files by ranges: what a reader of a large model asks for. */
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readlinkSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { rangeIn } from '../../../src/lab/server/raw_files.ts';
import { newFolder, newLab, type TestLab, until } from './lab.ts';

const ranged = (lab: TestLab, path: string, range: string, more: Record<string, string> = {}) =>
  lab.ask(`/files/${path}`, { headers: { Authorization: `token ${lab.lab.token}`, Range: range, ...more } });

test.each([
  ['bytes=0-0', [0, 0]],
  ['bytes=2-5', [2, 5]],
  ['bytes=2-', [2, 9]],
  ['bytes=-3', [7, 9]],
  ['bytes=-99', [0, 9]],
  ['bytes=5-99', [5, 9]],
  ['bytes=10-', 'outside'],
  ['bytes=-0', 'outside'],
  ['bytes=5-2', 'whole'],
  ['bytes=0-1,3-4', 'whole'],
  ['bytes=-', 'whole'],
  ['lines=1-2', 'whole'],
  [undefined, 'whole'],
])('the range %s of ten bytes is %j', (header, range) => {
  expect(rangeIn(header, 10)).toEqual(range);
});

test('a file comes whole, in part, or as 416, and says how large it is', async () => {
  const lab = await newLab(newFolder({ 'a b#.txt': '0123456789' }));
  const path = 'a%20b%23.txt';
  expect(await lab.ask(`/files/${path}`)).toMatchObject({
    ...{ status: 200, text: '0123456789' },
    headers: { 'accept-ranges': 'bytes', 'content-length': '10', 'content-type': 'text/plain' },
  });
  const part = await ranged(lab, path, 'bytes=-4');
  expect(part).toMatchObject({ status: 206, text: '6789', headers: { 'content-range': 'bytes 6-9/10' } });
  expect(await ranged(lab, path, 'bytes=10-')).toMatchObject({
    status: 416,
    headers: { 'content-range': 'bytes */10' },
  });
  expect(await lab.ask(`/files/${path}`, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
  writeFileSync(join(lab.folder, 'a b#.txt'), 'another version');
  const stale = await ranged(lab, path, 'bytes=0-1', { 'If-Range': `${part.headers.etag}` });
  expect(stale).toMatchObject({ status: 200, text: 'another version' });
});

test('an empty file is empty', async () => {
  const lab = await newLab(newFolder({ empty: '' }));
  expect(await lab.ask('/files/empty')).toMatchObject({ status: 200, text: '', headers: { 'content-length': '0' } });
});

test('the end of a 5 GB file is read at once, and no more of it', async () => {
  const lab = await newLab(newFolder({ 'large.gguf': 'GGUF' }));
  const file = join(lab.folder, 'large.gguf');
  truncateSync(file, 5e9);
  const handle = openSync(file, 'r+');
  writeSync(handle, 'tail', 5e9 - 4);
  closeSync(handle);
  const before = process.memoryUsage().rss;
  expect((await ranged(lab, 'large.gguf', 'bytes=0-3')).text).toBe('GGUF');
  const end = await ranged(lab, 'large.gguf', 'bytes=4999999990-');
  expect([end.text.slice(-4), end.headers['content-range']]).toEqual([
    'tail',
    'bytes 4999999990-4999999999/5000000000',
  ]);
  expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
});

test.runIf(process.platform === 'linux')('a reader that goes away in the middle leaves the file closed', async () => {
  const lab = await newLab(newFolder({ 'large.bin': '' }));
  const file = join(lab.folder, 'large.bin');
  truncateSync(file, 1e9);
  const opened = () => readdirSync('/proc/self/fd').filter((fd) => linkOf(`/proc/self/fd/${fd}`) === file).length;
  const socket = connect(lab.lab.port, '127.0.0.1');
  socket.write(`GET /files/large.bin HTTP/1.1\r\nHost: localhost\r\nAuthorization: token ${lab.lab.token}\r\n\r\n`);
  await once(socket, 'data');
  expect(opened()).toBe(1);
  socket.destroy();
  await until(() => opened() === 0, 'the end of reading');
});

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // Closed by now.
  }
}
