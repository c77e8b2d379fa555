/** What is refused, and that the server answers afterwards: each attack runs against a real server. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MAX_FRAME } from '../../../src/lab/server/sockets.ts';
import { type Asked, ended, newFolder, newLab, notebookText, send, type TestLab, until } from './lab.ts';

/** Every test ends with this: who may ask is answered, at once. */
async function mustAnswer(lab: TestLab): Promise<void> {
  const began = Date.now();
  const { status } = await lab.ask('/api/contents');
  expect(status).toBe(200);
  expect(Date.now() - began).toBeLessThan(3000);
  expect(lab.logged.filter((line) => !line.includes('open pages have to log in again'))).toEqual([]);
}

describe('who has not shown the token', () => {
  const PATHS = [
    '/api/contents',
    '/api/kernels',
    '/api/status',
    '/api/me',
    '/files/a.txt',
    '/static/index.js',
    '/nowhere',
  ];
  const CREDENTIALS: readonly (readonly [string, Asked['headers'], string])[] = [
    ['nothing', {}, ''],
    ['a wrong token in a header', { Authorization: 'token wrong' }, ''],
    ['an empty token', { Authorization: 'token ' }, ''],
    ['a wrong token in the address', {}, '?token=wrong'],
    ['a wrong cookie', { Cookie: 'layerscope-lab-80=wrong' }, ''],
  ];

  test.each(CREDENTIALS)(
    'and shows %s is answered 403 on every path, and told how to log in',
    async (_, headers, query) => {
      const lab = await newLab(newFolder({ 'a.txt': 'secret' }));
      for (const path of PATHS) {
        const answered = await lab.ask(path + query, { headers: { ...headers } });
        expect([path, answered.status, answered.json().reason]).toEqual([path, 403, 'login']);
      }
      const page = await lab.ask(`/lab${query}`, { headers: { ...headers } });
      expect([page.status, page.headers['set-cookie']]).toEqual([403, undefined]);
      expect(page.text).toContain('Open the address that the terminal shows');
      expect(page.text).not.toContain('<script');
      await mustAnswer(lab);
    },
  );

  test('opens no websocket', async () => {
    const lab = await newLab();
    for (const path of ['/inspector/socket', '/api/kernels/x/channels', '/inspector/socket?token=wrong']) {
      const { code, opened } = await ended(lab.socket(path, { headers: {} }));
      expect([code, opened]).toEqual([403, false]);
    }
    await mustAnswer(lab);
  });

  test('and sends a large body is answered before it is read', async () => {
    const lab = await newLab();
    const socket = connect(lab.lab.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write(`PUT /api/contents/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\n`);
    expect(await textOf(socket)).toMatch(/^HTTP\/1\.1 403 /);
    await mustAnswer(lab);
  });
});

describe('a page with the cookie', () => {
  test('is given it for the token, HttpOnly and SameSite=Strict, and an address without the token', async () => {
    const lab = await newLab();
    const { status, headers } = await lab.ask(`/lab?notebook=a%20b.ipynb&token=${lab.lab.token}`, { headers: {} });
    expect([status, headers.location]).toEqual([303, '/lab?notebook=a+b.ipynb']);
    const [login, xsrf] = headers['set-cookie'] ?? [];
    expect(login).toMatch(/^layerscope-lab-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(xsrf).toMatch(/^_xsrf=[\w-]{32}; Path=\/; SameSite=Strict$/);
    expect(login).not.toContain(lab.lab.token);
  });

  test('that a link of another site opened gets it too, and goes on by a step of its own', async () => {
    const lab = await newLab();
    const headers = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' };
    const { status, text } = await lab.ask(`/lab?notebook="<b>&token=${lab.lab.token}`, { headers });
    expect([status, text]).toEqual([200, expect.stringContaining('url=/lab?notebook=%22%3Cb%3E"')]);
  });

  test('changes something only with the origin and the XSRF token of the page', async () => {
    const lab = await newLab();
    const { cookie, xsrf } = await lab.login();
    const { origin } = lab;
    const body = JSON.stringify({ type: 'file', format: 'text', content: 'x' });
    const save = async (headers: Record<string, string>, query = '') => {
      const answered = await lab.ask(`/api/contents/a.txt${query}`, {
        method: 'PUT',
        headers: { Cookie: cookie, ...headers },
        body,
      });
      return answered.status < 300 ? answered.status : answered.json().reason;
    };
    expect(await save({ Origin: origin })).toBe('foreign');
    expect(await save({ Origin: origin, 'X-XSRFToken': 'x'.repeat(xsrf.length) })).toBe('foreign');
    expect(await save({ 'X-XSRFToken': xsrf })).toBe('foreign');
    expect(await save({ Origin: origin, 'X-XSRFToken': '', Cookie: cookie.replace(/_xsrf=[^;]*/, '_xsrf=') })).toBe(
      'foreign',
    );
    expect((await lab.ask('/api/contents/a.txt')).status).toBe(404);
    expect(await save({ Origin: origin, 'X-XSRFToken': xsrf })).toBe(201);
    expect(await save({ Origin: origin }, `?_xsrf=${xsrf}`)).toBe(200);
    await mustAnswer(lab);
  });

  test('opens a websocket with its origin, and none without', async () => {
    const lab = await newLab(newFolder({ 'a.ipynb': notebookText('1') }));
    const { cookie } = await lab.login();
    const kernel = (await lab.ask('/api/kernels', { method: 'POST' })).json();
    const path = `/api/kernels/${kernel.id}/channels`;
    const socket = lab.socket(path, { headers: { Cookie: cookie, Origin: lab.origin } });
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    socket.terminate();
    expect(await ended(lab.socket(path, { headers: { Cookie: cookie } }))).toMatchObject({ code: 403, opened: false });
  });
});

describe('a request from another site', () => {
  const FOREIGN: readonly (readonly [string, Record<string, string>])[] = [
    ['another host', { Origin: 'http://evil.example' }],
    ['another port of this machine', { Origin: 'http://127.0.0.1:1' }],
    ['another scheme', { Origin: 'https://127.0.0.1' }],
    ['a file', { Origin: 'null' }],
    ['a name that begins with ours', { Origin: 'http://127.0.0.1.evil.example' }],
    ['a picture of another site', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' }],
    ['a script of another port', { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Mode': 'cors' }],
  ];

  test.each(FOREIGN)('(%s) is refused, even with the token and the cookies', async (_, headers) => {
    const lab = await newLab(newFolder({ 'a.txt': 'secret' }));
    const { cookie, xsrf } = await lab.login();
    const all = { ...headers, Cookie: cookie, 'X-XSRFToken': xsrf, Authorization: `token ${lab.lab.token}` };
    for (const [method, path] of [
      ['GET', '/api/contents'],
      ['GET', '/files/a.txt'],
      ['PUT', '/api/contents/b'],
      ['DELETE', '/api/contents/a.txt'],
    ] as const) {
      const { status, text } = await lab.ask(path, { method, headers: all });
      expect([status, JSON.parse(text).reason]).toEqual([403, 'foreign']);
      expect(text).not.toContain('secret');
    }
    if (headers.Origin) {
      expect(await ended(lab.socket('/inspector/socket', { headers: all }))).toMatchObject({
        code: 403,
        opened: false,
      });
    }
    await mustAnswer(lab);
  });

  test.each([
    'evil.example',
    'evil.example:80',
    '127.0.0.1.evil.example',
    '127.0.0.1@evil.example',
    '0.0.0.0',
    '192.168.1.2',
    'localhost.evil.example',
    '[::2]',
  ])('that calls the server %j, as a rebound name does, is refused with the token', async (host) => {
    const lab = await newLab();
    const { status, text } = await lab.ask('/api/contents', {
      headers: { Host: host, Authorization: `token ${lab.lab.token}` },
    });
    expect([status, JSON.parse(text).reason]).toEqual([403, 'foreign']);
    await mustAnswer(lab);
  });

  test('that does not say whom it calls is refused', async () => {
    const lab = await newLab();
    const socket = connect(lab.lab.port, '127.0.0.1');
    socket.write(`GET /api/contents HTTP/1.0\r\nAuthorization: token ${lab.lab.token}\r\n\r\n`);
    expect(await textOf(socket)).toMatch(/^HTTP\/1\.1 403 [\s\S]*"foreign"/);
    await mustAnswer(lab);
  });

  test.each(['127.0.0.1:9000', 'localhost:9000', 'LOCALHOST', '[::1]:9000'])(
    'that calls it %s, as a tunnel does, is answered',
    async (host) => {
      const lab = await newLab();
      const { status } = await lab.ask('/api/contents', {
        headers: { Host: host, Authorization: `token ${lab.lab.token}` },
      });
      expect(status).toBe(200);
    },
  );
});

/** Spellings of a way to ../secret.txt, and to other places that are not the lab's. */
const TRAVERSALS = [
  '../secret.txt',
  '..%2fsecret.txt',
  '..%2Fsecret.txt',
  '%2e%2e/secret.txt',
  '%2e%2e%2fsecret.txt',
  '.%2e/secret.txt',
  '%252e%252e%252fsecret.txt',
  '%252e%252e/secret.txt',
  '..%255c..%255csecret.txt',
  '..\\secret.txt',
  '..%5csecret.txt',
  '%2e%2e%5csecret.txt',
  'sub/../../secret.txt',
  'sub/%2e%2e/%2e%2e/secret.txt',
  './../secret.txt',
  '//../secret.txt',
  '..;/secret.txt',
  '..%00/secret.txt',
  'a.txt%00.png',
  '..%c0%afsecret.txt',
  '%c0%ae%c0%ae/secret.txt',
  '..%u2216secret.txt',
  '....//secret.txt',
  '/etc/passwd',
  '%2fetc%2fpasswd',
  'C:/Windows/win.ini',
  'C:%5CWindows%5Cwin.ini',
  '%5c%5cserver%5cshare',
  '%5c%5c%3f%5cC:%5c',
  'file:///etc/passwd',
  'link.txt',
  'linked/secret.txt',
  'dangling.txt',
  '.hidden',
  '.ssh/id',
  'sub/.git/config',
];

describe('a path that leads out of the folder', () => {
  const newTrap = async (): Promise<TestLab> => {
    const outer = newFolder({
      'secret.txt': 'the secret',
      'lab/a.txt': 'inside',
      'lab/sub/b.txt': 'inside',
      'lab/.hidden': 'the secret',
      'lab/.ssh/id': 'the secret',
      'lab/sub/.git/config': 'the secret',
    });
    symlinkSync(join(outer, 'secret.txt'), join(outer, 'lab/link.txt'));
    symlinkSync(outer, join(outer, 'lab/linked'));
    symlinkSync(join(outer, 'new.txt'), join(outer, 'lab/dangling.txt'));
    return newLab(join(outer, 'lab'));
  };

  test.each(TRAVERSALS)('%s is not read, written, renamed or deleted', async (path) => {
    const lab = await newTrap();
    const body = JSON.stringify({ type: 'file', format: 'text', content: 'overwritten', path: '../moved.txt' });
    const calls: [string, string, string?][] = [
      ['GET', `/files/${path}`],
      ['GET', `/api/contents/${path}`],
      ['PUT', `/api/contents/${path}`, body],
      ['PATCH', `/api/contents/${path}`, body],
      ['DELETE', `/api/contents/${path}`],
      ['POST', `/api/contents/${path}`, JSON.stringify({ type: 'file', ext: '.txt' })],
      ['POST', `/api/contents/${path}/checkpoints`, '{}'],
      ['GET', `/static/${path}`],
    ];
    const statuses = [];
    for (const [method, url, sent] of calls) {
      const { status, text } = await lab.ask(url, {
        method,
        ...(sent ? { body: sent } : {}),
        headers: { Authorization: `token ${lab.lab.token}` },
      });
      expect(text).not.toContain('the secret');
      expect(text).not.toContain('root:');
      statuses.push(status);
    }
    expect(outside(lab)).toEqual({ files: ['lab', 'secret.txt'], secret: 'the secret' });
    // A spelling that names a file in the folder may be written there; reading finds nothing.
    expect(statuses[0]).toBeGreaterThanOrEqual(400);
    await mustAnswer(lab);
  });

  test('is none of what a list shows', async () => {
    const lab = await newTrap();
    const { content } = (await lab.ask('/api/contents')).json() as { content: { name: string }[] };
    expect(content.map(({ name }) => name)).toEqual(['a.txt', 'sub']);
  });

  test('is refused as the new path of a rename, and as the source of a copy', async () => {
    const lab = await newTrap();
    const ask = async (method: string, path: string, body: object) =>
      (await lab.ask(path, { method, body: JSON.stringify(body) })).json().reason;
    for (const to of ['../moved.txt', 'linked/moved.txt', '/../moved.txt', '..\\moved.txt', 'sub/../../moved.txt']) {
      expect([to, await ask('PATCH', '/api/contents/a.txt', { path: to })]).toEqual([to, 'path']);
    }
    for (const from of ['../secret.txt', 'link.txt', 'linked/secret.txt']) {
      expect([from, await ask('POST', '/api/contents', { copy_from: from })]).toEqual([from, 'path']);
    }
    expect(outside(lab)).toEqual({ files: ['lab', 'secret.txt'], secret: 'the secret' });
  });

  test('is not reached by way of a folder of checkpoints that is a link', async () => {
    const lab = await newTrap();
    const outer = join(lab.folder, '..');
    mkdirSync(join(outer, 'lab/own'));
    writeFileSync(join(outer, 'lab/own/a.txt'), 'x');
    symlinkSync(outer, join(outer, 'lab/own/.ipynb_checkpoints'));
    const { status } = await lab.ask('/api/contents/own/a.txt/checkpoints', { method: 'POST' });
    expect(status).toBe(403);
    expect(outside(lab).files).toEqual(['lab', 'secret.txt']);
  });
});

/** What stands beside the lab's folder. */
function outside({ folder }: TestLab): { files: string[]; secret: string } {
  const outer = join(folder, '..');
  return { files: readdirSync(outer).sort(), secret: readFileSync(join(outer, 'secret.txt'), 'utf8') };
}

describe('too much', () => {
  test('in a body is answered 413, said to be too large, and not kept', async () => {
    const lab = await newLab();
    const { status, text } = await lab.ask('/api/sessions', { method: 'POST', body: Buffer.alloc(2e6, 'x') });
    expect([status, JSON.parse(text)]).toEqual([
      413,
      { reason: 'too-large', message: expect.stringMatching(/larger than 1 MB/) },
    ]);
    const chunked = {
      method: 'POST',
      headers: { 'Transfer-Encoding': 'chunked', Authorization: `token ${lab.lab.token}` },
    };
    expect((await lab.ask('/api/sessions', { ...chunked, body: Buffer.alloc(2e6, 'x') })).status).toBe(413);
    await mustAnswer(lab);
  });

  test('in headers is answered 431', async () => {
    const lab = await newLab();
    expect((await lab.ask('/api', { headers: { 'X-Large': 'x'.repeat(40_000) } })).status).toBe(431);
    await mustAnswer(lab);
  });

  test('in a frame closes the websocket with 1009', async () => {
    const lab = await newLab();
    const { id } = (await lab.ask('/api/kernels', { method: 'POST' })).json();
    const socket = lab.socket(`/api/kernels/${id}/channels`);
    socket.on('open', () => socket.send(Buffer.alloc(MAX_FRAME + 1)));
    expect(await ended(socket)).toMatchObject({ code: 1009, opened: true });
    await mustAnswer(lab);
  });

  test.each([
    ['text that is no JSON', 'x'],
    ['JSON without a header', '{}'],
    ['a list', '[]'],
    ['binary that is no message', Buffer.from([1, 2, 3])],
    ['a table of offsets beyond the frame', Buffer.alloc(64, 255)],
    ['deep nesting', `{"header":${'['.repeat(1e5)}${']'.repeat(1e5)}}`],
  ])('nonsense in a frame (%s) closes the websocket with 1007 and a reason', async (_, data) => {
    const lab = await newLab();
    const { id } = (await lab.ask('/api/kernels', { method: 'POST' })).json();
    for (const protocol of [undefined, 'v1.kernel.websocket.jupyter.org']) {
      const socket = lab.socket(`/api/kernels/${id}/channels`, protocol ? { protocol } : {});
      socket.on('open', () => socket.send(data));
      const { code, reason } = await ended(socket);
      expect([code, reason]).toEqual([1007, expect.stringMatching(/^not a message of Jupyter: /)]);
    }
    await mustAnswer(lab);
  });

  test('time for a head or a body: the connection is ended', async () => {
    const lab = await newLab(newFolder(), { patience: { head: 1000, request: 2000 } });
    const head = connect(lab.lab.port, '127.0.0.1').on('error', () => {});
    head.write('GET /api HTTP/1.1\r\nHost: 127.0.0.1\r\n');
    const body = connect(lab.lab.port, '127.0.0.1').on('error', () => {});
    body.write(
      `PUT /api/contents/a HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: token ${lab.lab.token}\r\nContent-Length: 100\r\n\r\n{`,
    );
    const began = Date.now();
    expect(await textOf(head)).toMatch(/^HTTP\/1\.1 408 /);
    await textOf(body);
    expect(Date.now() - began).toBeLessThan(8000);
    await mustAnswer(lab);
  });

  test('of connections: a thousand that say nothing keep nobody out, and the oldest of them are cut off', async () => {
    const lab = await newLab();
    const sockets: Socket[] = [];
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    let closed = 0;
    for (let i = 0; i < 1000; i++) {
      const socket = connect(lab.lab.port, '127.0.0.1').on('error', () => {});
      socket.on('close', () => closed++);
      sockets.push(socket);
      if (i % 100 === 99) await new Promise((resolve) => socket.once('connect', resolve));
    }
    await mustAnswer(lab);
    await until(() => closed >= 800, 'the end of the oldest connections');
    expect(closed).toBeLessThan(1000);
  });

  test('of requests at once: a thousand over the connections of a page are all answered', async () => {
    const lab = await newLab();
    const agent = new Agent({ keepAlive: true, maxSockets: 64 });
    onTestFinished(() => agent.destroy());
    const asked = Array.from({ length: 1000 }, () => lab.ask('/api/kernelspecs', { agent }));
    expect(new Set((await Promise.all(asked)).map(({ status }) => status))).toEqual(new Set([200]));
    await mustAnswer(lab);
  });
});

test('every answer carries the headers that keep other sites out, and pages may run no script but ours', async () => {
  const lab = await newLab(newFolder({ 'page.html': '<script>alert(1)</script>' }));
  for (const path of ['/lab', '/api/contents', '/files/page.html', '/nowhere', '/static/nothing.js']) {
    const { headers } = await lab.ask(path);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/script-src[^;]*'unsafe-(inline|eval)'/);
    expect(policy.includes('sandbox')).toBe(path.startsWith('/files/'));
  }
});

test("the lab's other addresses lead to its page", async () => {
  const lab = await newLab();
  const leadsTo = async (path: string) => {
    const { status, headers } = await lab.ask(path);
    return [status, headers.location];
  };
  expect(await leadsTo('/')).toEqual([303, '/lab']);
  expect(await leadsTo('/?token=x')).toEqual([303, '/lab?token=x']);
  expect(await leadsTo('/lab/tree/sub/a%20b.ipynb?token=x')).toEqual([303, '/lab?token=x&notebook=sub%2Fa+b.ipynb']);
  expect(await leadsTo('/lab/tree///evil.example')).toEqual([303, '/lab?notebook=%2F%2Fevil.example']);
});

test('the server listens on this machine alone', async () => {
  const lab = await newLab();
  const others = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).filter(({ internal }) => !internal));
  for (const { address } of others) {
    const socket = connect(lab.lab.port, address);
    const outcome = await new Promise((resolve) =>
      socket.once('connect', () => resolve('connected')).once('error', () => resolve('refused')),
    );
    socket.destroy();
    expect([address, outcome]).toEqual([address, 'refused']);
  }
  expect((await send(lab.lab.port, '/', {})).status).toBe(303);
});

/** All that a socket is sent until it ends. */
function textOf(socket: Socket): Promise<string> {
  let text = '';
  return new Promise((resolve) => {
    socket.on('error', () => resolve(text));
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    socket.on('close', () => resolve(text));
  });
}
