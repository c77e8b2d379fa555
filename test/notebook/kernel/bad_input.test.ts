/** Cells that are wrong, hostile or huge: the user is told what happened, and the kernel lives. */
import { describe, expect } from 'vitest';
import { prints } from '../jupyter.ts';
import { test } from './with_kernel.ts';

describe('syntax errors', () => {
  test.for([
    ['const = 3;', /1:7/],
    ['let a = 1;\nif (a {\n}', /2:7/],
    ['"open', /1:6|1:1/],
    ['class { }', /1:1/],
    ['a b c', /1:3/],
    ['return 3', /1:1/],
    ['const s = `${', /1:\d+/],
  ] as const)('%j is shown with its place', async ([code, place], { kernel }) => {
    const { reply, traceback } = await kernel.execute(code);
    expect(reply).toMatchObject({
      status: 'error',
      ename: expect.stringMatching(/./),
      evalue: expect.stringMatching(/./),
    });
    expect(traceback).toMatch(place);
  });
});

describe('what is thrown', () => {
  test.for([
    ["throw 'just text'", /just text/],
    ['throw 42', /42/],
    ['throw undefined', /undefined/],
    ['throw null', /null/],
    ['throw { code: 7 }', /code: 7/],
    ["throw Symbol('s')", /Symbol\(s\)/],
    ['throw Object.create(null)', /null prototype/],
    ['throw new Proxy({}, { get() { throw new Error("trap"); } })', /./],
    ["throw Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('y'); } })", /./],
    ["throw Object.assign(new Error('odd'), { stack: 12 })", /Error: odd/],
    [
      "throw new AggregateError([new Error('one'), new TypeError('two')], 'both')",
      /AggregateError: both[\s\S]*Error: one[\s\S]*TypeError: two/,
    ],
    ["await Promise.reject(new Error('rejected'))", /Error: rejected/],
    ['const deep = (): number => deep() + 1; deep()', /RangeError.*call stack/],
    ['const looped: { own?: unknown } = {}; looped.own = looped; throw looped', /Circular/],
    ["throw new (class Custom extends Error { override name = 'Custom'; })('mine')", /Custom: mine/],
  ] as const)('%s: is told', async ([code, told], { kernel }) => {
    const { reply, traceback } = await kernel.execute(code);
    expect(reply).toMatchObject({ status: 'error', ename: expect.any(String), evalue: expect.any(String) });
    expect(traceback).toMatch(told);
  });

  test.for([
    ['({ get a() { throw new Error("getter"); } })', /a/],
    ['new Proxy({}, { get() { throw new Error("trap"); }, ownKeys() { throw new Error("trap"); } })', /./],
    ["({ [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('inspect'); } })", /./],
    ["({ [Symbol.for('Jupyter.display')]() { throw new Error('display'); } })", /./],
    ['const ring: { own?: unknown } = {}; ring.own = ring; ring', /Circular/],
    ['Symbol.iterator', /Symbol/],
    ['class Empty {} Empty', /class Empty/],
    ['new Map([[{ a: 1 }, new Set([1n])]])', /Map\(1\)/],
    ['null', /null/],
  ] as const)('a value that is hard to show, %s, does not harm', async ([code, shown], { kernel }) => {
    const { reply, result, traceback } = await kernel.execute(code);
    expect(`${result?.['text/plain'] ?? ''}${traceback}`).toMatch(shown);
    expect(['ok', 'error']).toContain(reply.status);
  });
});

describe('what goes wrong beside the cell', () => {
  test.for([
    ["void Promise.reject(new Error('nobody waits'))", /nobody waits/],
    ["setTimeout(() => { throw new Error('in a timer'); }, 5)", /in a timer/],
    ["process.nextTick(() => { throw new Error('in a tick'); })", /in a tick/],
    ["process.emit('uncaughtException', new Error('emitted'))", /emitted/],
    ["new (await import('node:events')).EventEmitter().emit('error', new Error('unheard'))", /unheard/],
  ] as const)('%s: is told and harms nothing', async ([code, told], { kernel }) => {
    await kernel.execute('var survived = 1;');
    const cell = await kernel.begin(`${code};`);
    await cell.done();
    await cell.until(
      (message) =>
        prints(told.source)(message) || (message.header.msg_type === 'error' && told.test(`${message.content.evalue}`)),
    );
    expect((await kernel.execute('survived')).result?.['text/plain']).toBe('1');
  });
});

describe('much', () => {
  test('200,000 lines come whole', async ({ kernel }) => {
    const { stdout, reply } = await kernel.execute('for (let i = 0; i < 200_000; i++) console.log(i);');
    expect(reply.status).toBe('ok');
    const lines = stdout.split('\n');
    expect(lines.length).toBe(200_001);
    expect(lines.findIndex((line, i) => i < 200_000 && line !== `${i}`)).toBe(-1);
  });

  test('200,000 lines of a child process come whole', async ({ kernel }) => {
    const { stdout } = await kernel.execute(`
      import { spawnSync as spawnMany } from 'node:child_process';
      spawnMany(process.execPath, ['-e', 'for (let i = 0; i < 200000; i++) console.log(i)'], { stdio: 'inherit' });`);
    expect(stdout.split('\n').findIndex((line, i) => i < 200_000 && line !== `${i}`)).toBe(-1);
    expect(stdout.length).toBe(1_288_890);
  });

  test('a string of 100 MB as the value is shown in part, which is said', async ({ kernel }) => {
    const { reply, result } = await kernel.execute("'ab'.repeat(50_000_000)");
    expect(reply.status).toBe('ok');
    const text = String(result?.['text/plain']);
    expect(text.startsWith('abab')).toBe(true);
    expect(text.length).toBeLessThan(10_000_000);
    expect(text).toMatch(/more characters|100,?000,?000|100 MB/);
  });

  test('a string of 100 MB that is printed comes whole, or as much as is said', async ({ kernel }) => {
    const { reply, stdout, stderr } = await kernel.execute("console.log('ab'.repeat(50_000_000))");
    expect(reply.status).toBe('ok');
    if (stdout.length !== 100_000_001) expect(stdout.slice(-500) + stderr).toMatch(/100,?000,?00[01]|100 MB/);
  });

  test('an array of a million numbers is shown in part', async ({ kernel }) => {
    const { result } = await kernel.execute('Array.from({ length: 1_000_000 }, (_, i) => i)');
    expect(String(result?.['text/plain'])).toMatch(/more items/);
    expect(String(result?.['text/plain']).length).toBeLessThan(100_000);
  });
});

test('a chart of a tensor that was not captured names it and the cure', async ({ kernel }) => {
  const { reply, traceback } = await kernel.execute(`
    const reference = await openModel('fixtures/lily-4m-f16.gguf', { backend: 'reference' });
    charts.attention(await reference.start('Lily', { select: 'l_out-*' }).toEnd(), { layer: 0, head: 0 })`);
  expect(reply.status).toBe('error');
  expect(traceback).toMatch(/Cannot [\s\S]*kq_soft_max-0[\s\S]*select/);
});

test('a model that is not there, or is none, is told in our words', async ({ kernel }) => {
  expect((await kernel.execute("await openModel('no/such.gguf')")).traceback).toMatch(/Cannot read .*no\/such\.gguf/);
  expect((await kernel.execute("await openModel('package.json')")).traceback).toMatch(/Cannot .*package\.json/);
});

test('requests that the kernel does not know are passed over', async ({ kernel }) => {
  const asked = await kernel.send('no_such_request', { a: 1 });
  await kernel.execute('1');
  expect(asked.reply).toBeUndefined();
});

test.for([
  ['execute_request', {}],
  ['execute_request', { code: 7 }],
  ['complete_request', { code: 'x', cursor_pos: 900 }],
  ['complete_request', { code: null, cursor_pos: -1 }],
  ['inspect_request', {}],
  ['is_complete_request', { code: {} }],
  ['history_request', { hist_access_type: 'none' }],
  ['comm_msg', { comm_id: 'nobody', data: {} }],
] as const)('%s with content %j does not harm', async ([type, content], { kernel }) => {
  const asked = await kernel.send(type, content);
  await asked.until(({ header, content }) => header.msg_type === 'status' && content.execution_state === 'idle');
});
