/** Jupyter's messaging protocol 5.4: which messages a request gives, in which order, and what stands in them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { version } from '../../../src/version.ts';
import type { Message } from '../jupyter.ts';
import { test } from './with_kernel.ts';

const types = (messages: readonly Message[]): string[] =>
  messages.map(({ header, content }) =>
    header.msg_type === 'status' ? String(content.execution_state) : header.msg_type,
  );

describe('kernel_info', () => {
  test('says which protocol, kernel and language this is', async ({ kernel }) => {
    expect(await kernel.request('kernel_info_request', {})).toMatchObject({
      status: 'ok',
      protocol_version: '5.4',
      implementation: 'layerscope',
      implementation_version: version,
      banner: expect.stringContaining('Layerscope'),
      language_info: {
        name: 'typescript',
        version: expect.stringMatching(/^\d+\.\d+\.\d+/),
        mimetype: expect.stringMatching(/typescript/),
        file_extension: '.ts',
      },
    });
  });
});

describe('a cell', () => {
  test('gives busy, its input, its output, its value and idle, all for its request', async ({ kernel }) => {
    const cell = await kernel.begin("console.log('hello'); 40 + 2");
    const { messages } = await cell.done();
    expect(types(messages)).toEqual(['busy', 'execute_input', 'stream', 'execute_result', 'idle']);
    expect(new Set(messages.map(({ parent_header }) => parent_header.msg_type))).toEqual(new Set(['execute_request']));
    expect(cell.reply).toMatchObject({ channel: 'shell', header: { msg_type: 'execute_reply' } });
    expect(cell.reply?.parent_header.msg_id).toBe(messages[0]?.parent_header.msg_id);
  });

  test('has one number in its input, its value and its reply, and the next cell has the next', async ({ kernel }) => {
    const code = "'日本' + 1";
    const { messages, reply, result } = await kernel.execute(code);
    const count = Number(reply.execution_count);
    expect(reply).toMatchObject({ status: 'ok', payload: [], user_expressions: {} });
    expect(messages.find(({ header }) => header.msg_type === 'execute_input')?.content).toEqual({
      code,
      execution_count: count,
    });
    expect(messages.find(({ header }) => header.msg_type === 'execute_result')?.content).toMatchObject({
      execution_count: count,
      metadata: {},
    });
    expect(result).toMatchObject({ 'text/plain': expect.stringContaining('日本1') });
    expect((await kernel.execute('2')).reply.execution_count).toBe(count + 1);
  });

  test('without a value gives no result', async ({ kernel }) => {
    for (const code of ['const nothing = 1', 'undefined', 'void 0', 'if (true) {}']) {
      const { reply, result } = await kernel.execute(code);
      expect([code, reply.status, result]).toEqual([code, 'ok', undefined]);
    }
  });

  test('that throws gives the same error on iopub and in its reply, and no result', async ({ kernel }) => {
    const { messages, reply } = await kernel.execute("throw new RangeError('too far')");
    expect(types(messages)).toEqual(['busy', 'execute_input', 'error', 'idle']);
    const { content } = messages[2] as Message;
    expect(content).toMatchObject({ ename: 'RangeError', evalue: 'too far' });
    expect(content.traceback).toEqual(expect.arrayContaining([expect.stringContaining('too far')]));
    expect(reply).toMatchObject({ ...content, status: 'error', execution_count: expect.any(Number) });
  });

  test('keeps quiet when silent: neither input nor value is shown, and it is not counted', async ({ kernel }) => {
    const before = Number((await kernel.execute('0')).reply.execution_count);
    const { messages, reply } = await kernel.execute('const quiet = 5; quiet', { silent: true });
    expect(reply.status).toBe('ok');
    expect(types(messages)).toEqual(['busy', 'idle']);
    const { reply: next, result } = await kernel.execute('quiet');
    expect([result?.['text/plain'], next.execution_count]).toEqual(['5', before + 1]);
  });

  test('that is not stored in the history shows its value and is not counted', async ({ kernel }) => {
    const before = Number((await kernel.execute('0')).reply.execution_count);
    const { result } = await kernel.execute("'unstored'", { store_history: false });
    expect(result).toBeDefined();
    expect((await kernel.execute('0')).reply.execution_count).toBe(before + 1);
    const { history } = await kernel.request('history_request', tail(1));
    expect(JSON.stringify(history)).not.toContain('unstored');
  });

  test('evaluates user expressions after its code, each with its own value or error', async ({ kernel }) => {
    const { reply } = await kernel.execute('let seen = 3', {
      user_expressions: { good: 'seen * 2', bad: "JSON.parse('{')" },
    });
    expect(reply).toMatchObject({
      status: 'ok',
      user_expressions: {
        good: { status: 'ok', data: { 'text/plain': '6' }, metadata: {} },
        bad: { status: 'error', ename: 'SyntaxError', evalue: expect.any(String), traceback: expect.any(Array) },
      },
    });
  });
});

/** Code that waits for a file, and what makes that file. */
interface Gate {
  readonly waits: string;
  readonly open: () => void;
}

function newGate(): Gate {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-gate-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'open');
  const waits = `
    while (!(await import('node:fs')).existsSync(${JSON.stringify(file)})) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }`;
  return { waits, open: () => writeFileSync(file, '') };
}

describe('cells that wait', () => {
  test('are aborted when the one before fails, and those sent later run', async ({ kernel }) => {
    const { waits, open } = newGate();
    const before = Number((await kernel.execute('let ran = 0')).reply.execution_count);
    const failing = await kernel.begin(`${waits} throw new Error('stop here')`);
    const waiting = [await kernel.begin('ran++'), await kernel.begin('ran++')];
    await kernel.request('kernel_info_request', {}); // answered in turn, so the kernel has the cells by now
    open();
    expect((await failing.done()).reply.status).toBe('error');
    for (const cell of waiting) {
      const { messages, reply } = await cell.done();
      expect([reply.status, types(messages)]).toEqual(['aborted', ['busy', 'idle']]);
    }
    const { reply, result } = await kernel.execute('ran');
    expect([result?.['text/plain'], reply.execution_count]).toEqual(['0', before + 2]);
  });

  test('run all the same where the failing one has stop_on_error false', async ({ kernel }) => {
    const { waits, open } = newGate();
    const failing = await kernel.begin(`${waits} throw new Error('go on')`, { stop_on_error: false });
    const waiting = await kernel.begin("'went on'");
    await kernel.request('kernel_info_request', {});
    open();
    expect((await failing.done()).reply.status).toBe('error');
    expect((await waiting.done()).reply.status).toBe('ok');
  });

  test('run in the order in which they were sent, one at a time', async ({ kernel }) => {
    await kernel.execute('const order: string[] = []');
    const cells = ['a', 'b', 'c'].map((name) =>
      kernel.begin(`order.push('${name}0'); await new Promise((r) => setTimeout(r, 5)); order.push('${name}1')`),
    );
    for (const cell of cells) await (await cell).done();
    const { result } = await kernel.execute("order.join(' ')");
    expect(result?.['text/plain']).toContain('a0 a1 b0 b1 c0 c1');
  });
});

describe('a traceback', () => {
  test("names the lines and columns of the cell's own TypeScript, and nothing of the kernel", async ({ kernel }) => {
    const { traceback } = await kernel.execute(`interface Place { readonly at: number } // gone in JavaScript

type Far = Place;
function fail(place: Far): never {
  throw new RangeError('too far: ' + place.at);
}
fail({ at: 9 });`);
    expect(traceback).toMatch(/RangeError: too far: 9/);
    expect(traceback).toMatch(/fail\b.*:5:9/);
    expect(traceback).toMatch(/:7:1\b/);
    expect(traceback).not.toMatch(/node:internal|node:vm|dist\/notebook|src\/notebook|node_modules/);
  });

  test('after an await still names the line', async ({ kernel }) => {
    const { traceback } = await kernel.execute(
      'type Nothing = never;\n\nawait Promise.resolve();\nthrow new Error("after");',
    );
    expect(traceback).toMatch(/:4:7/);
  });

  test('through a function of an earlier cell names both cells', async ({ kernel }) => {
    const { reply: first } = await kernel.execute(
      "interface Gone {}\nfunction thrower(): never {\n  throw new Error('from before');\n}",
    );
    const { traceback, reply } = await kernel.execute('type AlsoGone = 1;\n\n\nthrower();');
    expect(traceback).toMatch(new RegExp(`thrower\\b.*\\b${first.execution_count}\\b.*:3:9`));
    expect(traceback).toMatch(new RegExp(`\\b${reply.execution_count}\\b.*:4:1`));
  });

  test('shows the cause of an error too', async ({ kernel }) => {
    const { traceback } = await kernel.execute("throw new Error('outer', { cause: new TypeError('inner') })");
    expect(traceback).toMatch(/outer[\s\S]*TypeError: inner/);
  });
});

const tail = (n: number, output = false) => ({ output, raw: true, hist_access_type: 'tail', n });

describe('history', () => {
  test('gives the last cells; values are not kept', async ({ kernel }) => {
    const { reply } = await kernel.execute('6 * 7');
    const { history } = await kernel.request('history_request', tail(1));
    expect(history).toEqual([[expect.any(Number), reply.execution_count, '6 * 7']]);
    const withOutput = await kernel.request('history_request', tail(1, true));
    expect(withOutput.history).toEqual([[expect.any(Number), reply.execution_count, ['6 * 7', null]]]);
  });

  test('gives a range, and what a pattern finds', async ({ kernel }) => {
    const first = Number((await kernel.execute("'needle 1'")).reply.execution_count);
    await kernel.execute("'needle 2'");
    const range = { output: false, raw: true, hist_access_type: 'range', session: 0, start: first, stop: first + 1 };
    const { history } = await kernel.request('history_request', range);
    expect(history).toEqual([[expect.any(Number), first, "'needle 1'"]]);
    const search = { output: false, raw: true, hist_access_type: 'search', pattern: "'needle ?'", n: 10 };
    const found = (await kernel.request('history_request', search)).history as unknown[][];
    expect(found.map((entry) => entry[2])).toEqual(["'needle 1'", "'needle 2'"]);
  });
});

describe('is_complete', () => {
  test.for([
    ['const x = 1', 'complete'],
    ['await Promise.resolve(1)', 'complete'],
    ['', 'complete'],
    ['function f() {', 'incomplete'],
    ['const text = `open', 'incomplete'],
    ['[1, 2,', 'incomplete'],
    ['const = 3', 'complete'], // to run it is how its mistake is told
  ] as const)('%j is %s', async ([code, status], { kernel }) => {
    expect(await kernel.request('is_complete_request', { code })).toMatchObject({ status });
  });

  test('an open block is to be indented', async ({ kernel }) => {
    const { indent } = await kernel.request('is_complete_request', { code: 'function f() {' });
    expect(indent).toMatch(/^\s+$/);
  });
});

describe('comms', () => {
  test('there are none, and one that is opened to nobody is closed', async ({ kernel }) => {
    expect(await kernel.request('comm_info_request', {})).toEqual({ status: 'ok', comms: {} });
    const opened = await kernel.send('comm_open', { comm_id: 'c1', target_name: 'nobody', data: {} });
    const closed = await opened.until(({ header }) => header.msg_type === 'comm_close');
    expect(closed.content).toMatchObject({ comm_id: 'c1' });
  });
});

test('messages have the protocol version, one session and an id of their own', async ({ kernel }) => {
  await kernel.execute('1');
  const headers = kernel.messages.map(({ header }) => header);
  expect(new Set(headers.map(({ msg_id }) => msg_id)).size).toBe(headers.length);
  expect(new Set(headers.map(({ session }) => session)).size).toBe(1);
  expect(headers[0]).toMatchObject({ version: '5.4', username: expect.any(String), date: expect.any(String) });
  expect(kernel.broken).toEqual([]);
});

test('a request on control is answered there', async ({ kernel }) => {
  const asked = await kernel.send('kernel_info_request', {}, 'control');
  await asked.done();
  expect(asked.reply).toMatchObject({ channel: 'control', header: { msg_type: 'kernel_info_reply' } });
});

test('shutdown is answered, and the kernel ends with code 0', async ({ startKernel }) => {
  const kernel = await startKernel();
  const asked = await kernel.send('shutdown_request', { restart: false }, 'control');
  const reply = await asked.replied();
  expect([reply.header.msg_type, reply.content]).toEqual(['shutdown_reply', { status: 'ok', restart: false }]);
  expect(await kernel.ended).toBe(0);
});
