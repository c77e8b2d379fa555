/** What the services ask for beside files and kernels, and the page's files. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startLab } from '../../../src/lab/server/index.ts';
import { newFolder, newLab, services } from './lab.ts';

test('the one kernelspec is ours, with its logos', async () => {
  const lab = await newLab();
  const { default: chosen, kernelspecs } = await services.KernelSpecAPI.getSpecs(lab.settings);
  expect([chosen, Object.keys(kernelspecs ?? {})]).toEqual(['layerscope', ['layerscope']]);
  expect(kernelspecs?.layerscope).toMatchObject({ display_name: 'TypeScript (Layerscope)', language: 'typescript' });
  for (const logo of Object.values(kernelspecs?.layerscope?.resources ?? {})) {
    const { status, headers } = await lab.ask(logo);
    expect([logo, status, headers['content-type']]).toEqual([logo, 200, expect.stringMatching(/^image\//)]);
  }
});

test('the server tells its version, its folder, who one is, and that it has no terminals', async () => {
  const lab = await newLab();
  expect((await lab.ask('/api')).json()).toEqual({ version: expect.stringMatching(/^2\./) });
  expect((await lab.ask('/api/status')).json()).toMatchObject({
    ...{ kernels: 0, connections: 0, started: expect.stringMatching(/Z$/) },
    layerscope: { folder: expect.stringMatching(/^layerscope-lab-/) },
  });
  expect((await lab.ask('/api/me')).json()).toMatchObject({ identity: { username: 'lab' } });
  expect((await lab.ask('/api/terminals')).json()).toEqual([]);
  expect((await lab.ask('/api/terminals', { method: 'POST' })).json().message).toMatch(/^Cannot open a terminal: /);
});

test.each(['/api/nothing', '/nowhere', '/api/kernels/none', '/api/sessions/none', '/static/none.js', '/files/none'])(
  '%s is answered 404',
  async (path) => {
    expect((await (await newLab()).ask(path)).status).toBe(404);
  },
);

test('the page comes with its files, which come again only when they changed', async (context) => {
  const isBuilt = existsSync(fileURLToPath(new URL('../../../dist/lab/page/index.html', import.meta.url)));
  const lab = await newLab();
  const page = await lab.ask('/lab');
  expect([page.status, page.text]).toEqual([200, expect.stringContaining(isBuilt ? '<script' : 'npm run build')]);
  if (!isBuilt) context.skip('skipped: the page is not built');
  const first = await lab.ask('/static/index.html');
  expect([first.status, first.headers['content-type']]).toEqual([200, 'text/html;charset=utf-8']);
  const headers = { Authorization: `token ${lab.lab.token}`, 'If-None-Match': `${first.headers.etag}` };
  expect((await lab.ask('/static/index.html', { headers })).status).toBe(304);
});

test('where it is asked to, the server listens on the other address of this machine', async (context) => {
  const folder = newFolder({ 'a.txt': '' });
  const { url, token, close } = await startLab({
    root: folder,
    port: 0,
    host: '::1',
    state: folder,
    log: () => {},
  }).catch(() => context.skip('skipped: this machine has no ::1'));
  onTestFinished(close);
  expect(url).toMatch(/^http:\/\/\[::1\]:\d+\/lab\?token=/);
  const headers = { Authorization: `token ${token}` };
  expect((await fetch(new URL('/api/contents', url), { headers })).status).toBe(200);
});

test('bodies that are no JSON object are answered 400', async () => {
  const lab = await newLab(newFolder());
  for (const body of ['{', '[]', '1', 'null', '"text"']) {
    expect((await lab.ask('/api/sessions', { method: 'POST', body })).json()).toMatchObject({ reason: 'malformed' });
  }
});
