/** Connection files: what is wrong with one is said. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connect, readConnectionFile } from '../../../src/notebook/protocol/connection.ts';
import { temporaryFolder } from '../compiler/temporary_folder.ts';

const folder = temporaryFolder();
const ports = { shell_port: 1, control_port: 2, iopub_port: 3, stdin_port: 4, hb_port: 5 };

function file(content: unknown): string {
  const path = join(folder, 'connection.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

test('what a connection file leaves out is what Jupyter takes for it', () => {
  expect(readConnectionFile(file(ports))).toEqual({ transport: 'tcp', ip: '127.0.0.1', key: '', ...ports });
  expect(readConnectionFile(file({ ...ports, key: 'k', signature_scheme: 'hmac-sha256' })).key).toBe('k');
});

test.for([
  ['is empty', '', /cannot be read/],
  ['is no JSON', '{', /cannot be read/],
  ['is null', 'null', /is no object/],
  ['is a list', '[]', /has no shell_port, control_port/],
  ['lacks ports', { ...ports, hb_port: undefined, iopub_port: '3' }, /has no iopub_port, hb_port/],
  ['wants other signatures', { ...ports, signature_scheme: 'hmac-md5' }, /by hmac-md5; wanted hmac-sha256/],
] as const)('a connection file that %s is refused by name', ([, content, why]) => {
  const path = file(content);
  expect(() => readConnectionFile(path)).toThrow(why);
  expect(() => readConnectionFile(path)).toThrow(`Cannot start the kernel: the connection file ${path}`);
});

test('a connection file that is not there is refused by name', () => {
  expect(() => readConnectionFile('/no/such.json')).toThrow(
    /Cannot start the kernel: .*\/no\/such\.json cannot be read/,
  );
});

test('a port that is taken is named', async () => {
  const sockets = { transport: 'ipc', ip: join(folder, 'kernel'), key: '' };
  const handlers = { onRequest: () => {}, log: () => {} };
  const first = await connect({ ...sockets, ...ports }, handlers);
  await expect(connect({ ...sockets, ...ports, ip: '/no/such/folder/kernel' }, handlers)).rejects.toThrow(
    /^Cannot start the kernel: ipc:\/\/\/no\/such\/folder\/kernel-1 cannot be bound \(.+\); start it again$/,
  );
  await first.close();
});
