/** The kernel without sockets and without cells: a supervisor that does what the test says, and the messages that come of it. */
import { describe, expect, test } from 'vitest';
import type { CellOutput, CellReply, ErrorOutput } from '../../../src/notebook/cells.ts';
import { Kernel } from '../../../src/notebook/protocol/kernel.ts';
import { type Content, type Message, newHeader, type Request } from '../../../src/notebook/protocol/message.ts';
import type { Supervisor } from '../../../src/notebook/supervisor/supervisor.ts';

/** What a cell of the fake supervisor does. */
type Cell = (onOutput: (output: CellOutput) => void) => void | Promise<void>;

const failed: ErrorOutput = { type: 'error', ename: 'Bad', evalue: 'wrong', traceback: ['Bad: wrong'] };
const printed = (text: string): CellOutput => ({ type: 'stream', name: 'stdout', text });

/** Cells by their code; those that throw an ErrorOutput fail by it. */
class FakeSupervisor {
  readonly ran: string[] = [];
  readonly cells: Record<string, Cell>;
  interrupts = 0;
  nextCount = 1;

  constructor(cells: Record<string, Cell> = {}) {
    this.cells = cells;
  }

  async execute(code: string, onOutput: (output: CellOutput) => void, { counts = true } = {}): Promise<CellReply> {
    this.ran.push(code);
    const executionCount = counts ? this.nextCount++ : this.nextCount;
    try {
      await this.cells[code]?.(onOutput);
      return { status: 'ok', executionCount, error: null };
    } catch (error) {
      if (error !== failed) throw error;
      onOutput(failed);
      return { status: 'error', executionCount, error: failed };
    }
  }

  complete = (_code: string, offset: number) => ({
    ...{ start: offset - 1, end: offset },
    matches: [{ text: 'match', kind: 'const' }],
  });

  inspect = (code: string) => (code === 'known' ? { signature: 'const known: 1', documentation: 'Its *text*.' } : null);

  async interrupt(): Promise<void> {
    this.interrupts++;
  }
}

interface Driven {
  readonly kernel: Kernel;
  readonly fake: FakeSupervisor;
  /** All messages, oldest first. */
  readonly sent: Message[];
  readonly logged: string[];
  readonly shutdowns: number[];
  /** Sends a request; done when it is answered. */
  ask(type: string, content?: Content): Promise<Asked>;
}

interface Asked {
  readonly request: Request;
  /** `busy`, `execute_input`, … in order, of this request. */
  readonly types: () => string[];
  readonly reply: () => Content | undefined;
  readonly published: (type: string) => Content[];
}

function drive(cells: Record<string, Cell> = {}): Driven {
  const fake = new FakeSupervisor(cells);
  const [sent, logged, shutdowns]: [Message[], string[], number[]] = [[], [], []];
  const kernel = new Kernel({
    supervisor: Promise.resolve(fake as unknown as Supervisor),
    send: (message) => sent.push(message),
    onShutdown: () => shutdowns.push(1),
    log: (line) => logged.push(line),
  });
  const ask = async (type: string, content: Content = {}): Promise<Asked> => {
    const request: Request = {
      ...{ channel: 'shell', identities: [Buffer.from('client')] },
      ...{ header: newHeader(type, 'client'), content },
    };
    const mine = () => sent.filter(({ parent }) => parent.msg_id === request.header.msg_id);
    const asked: Asked = {
      request,
      types: () => mine().map(({ header, content }) => `${content.execution_state ?? header.msg_type}`),
      reply: () => mine().find(({ channel }) => channel === 'shell')?.content,
      published: (type) => mine().flatMap(({ header, content }) => (header.msg_type === type ? [content] : [])),
    };
    await kernel.handle(request);
    return asked;
  };
  return { kernel, fake, sent, logged, shutdowns, ask };
}

const execute = (code: string, more: Content = {}): Content => ({ code, ...more });

describe('a cell', () => {
  test('is busy, echoed, shown, answered and idle, in that order, to who asked', async () => {
    const { ask, sent } = drive({ a: (put) => put(printed('out')) });
    const asked = await ask('execute_request', execute('a'));
    expect(asked.types()).toEqual(['busy', 'execute_input', 'stream', 'execute_reply', 'idle']);
    expect(asked.reply()).toEqual({ status: 'ok', execution_count: 1, payload: [], user_expressions: {} });
    const reply = sent.find(({ header }) => header.msg_type === 'execute_reply');
    expect([reply?.channel, `${reply?.identities[0]}`]).toEqual(['shell', 'client']);
    expect(asked.published('execute_input')).toEqual([{ code: 'a', execution_count: 1 }]);
  });

  test('that fails is answered with its error, which was shown', async () => {
    const { ask } = drive({ bad: () => Promise.reject(failed) });
    const asked = await ask('execute_request', execute('bad'));
    const { type: _, ...content } = failed;
    expect(asked.types()).toEqual(['busy', 'execute_input', 'error', 'execute_reply', 'idle']);
    expect(asked.reply()).toEqual({ status: 'error', execution_count: 1, ...content });
    expect(asked.published('error')).toEqual([content]);
  });

  test('gives each kind of output as Jupyter has it', async () => {
    const shown = { data: { 'text/plain': 'x' }, metadata: { a: 1 } };
    const { ask } = drive({
      all: (put) => {
        put({ type: 'display_data', displayId: null, ...shown });
        put({ type: 'display_data', displayId: 'd', ...shown });
        put({ type: 'update_display_data', displayId: 'd', ...shown });
        put({ type: 'clear_output', wait: true });
        put({ type: 'execute_result', executionCount: 1, ...shown });
      },
    });
    const asked = await ask('execute_request', execute('all'));
    expect(asked.published('display_data')).toEqual([
      { ...shown, transient: {} },
      { ...shown, transient: { display_id: 'd' } },
    ]);
    expect(asked.published('update_display_data')).toEqual([{ ...shown, transient: { display_id: 'd' } }]);
    expect(asked.published('clear_output')).toEqual([{ wait: true }]);
    expect(asked.published('execute_result')).toEqual([{ ...shown, execution_count: 1 }]);
  });

  test('that is silent is neither echoed, counted, stored nor shows its result, but prints', async () => {
    const { ask } = drive({
      quiet: (put) => {
        put(printed('out'));
        put({ type: 'execute_result', executionCount: 1, data: {}, metadata: {} });
      },
    });
    const asked = await ask('execute_request', execute('quiet', { silent: true }));
    expect(asked.types()).toEqual(['busy', 'stream', 'execute_reply', 'idle']);
    expect((await ask('execute_request', execute('loud'))).reply()).toMatchObject({ execution_count: 1 });
    const { history } = (await ask('history_request', { hist_access_type: 'tail', n: 9 })).reply() ?? {};
    expect(history).toEqual([[1, 1, 'loud']]);
  });

  test('evaluates its user expressions, each in brackets and with its own error', async () => {
    const { ask, fake } = drive({
      '({ a: 1 })': (put) =>
        put({ type: 'execute_result', executionCount: 2, data: { 'text/plain': 'v' }, metadata: {} }),
      '(bad)': () => Promise.reject(failed),
      '(prints)': (put) => put(printed('aside')),
    });
    const user_expressions = { good: '{ a: 1 }', bad: 'bad', none: 'prints', number: 7 };
    const asked = await ask('execute_request', execute('a', { user_expressions }));
    expect(asked.reply()?.user_expressions).toEqual({
      good: { status: 'ok', data: { 'text/plain': 'v' }, metadata: {} },
      bad: { status: 'error', ename: 'Bad', evalue: 'wrong', traceback: ['Bad: wrong'] },
      none: { status: 'ok', data: {}, metadata: {} },
      number: { status: 'ok', data: {}, metadata: {} },
    });
    expect(asked.types()).toEqual(['busy', 'execute_input', 'stream', 'execute_reply', 'idle']);
    expect(fake.nextCount).toBe(2);
  });

  test('evaluates none where it failed', async () => {
    const { ask, fake } = drive({ bad: () => Promise.reject(failed) });
    await ask('execute_request', execute('bad', { user_expressions: { a: 'a' } }));
    expect(fake.ran).toEqual(['bad']);
  });

  test('whose supervisor itself fails is answered all the same, and the next one runs', async () => {
    const { ask, logged } = drive({ broken: () => Promise.reject(new Error('inside')) });
    const asked = await ask('execute_request', execute('broken'));
    expect(asked.reply()).toMatchObject({ status: 'error', ename: 'KernelError', evalue: 'inside' });
    expect(asked.types().at(-1)).toBe('idle');
    expect(logged.join()).toMatch(/Cannot answer execute_request: Error: inside/);
    const info = await ask('kernel_info_request');
    expect(info.types()).toEqual(['busy', 'kernel_info_reply', 'idle']);
    expect((await ask('execute_request', execute('a'))).reply()).toMatchObject({ status: 'ok' });
  });
});

describe('cells that wait', () => {
  const bad: Record<string, Cell> = { bad: () => Promise.reject(failed) };

  test('are aborted when one fails, with neither echo nor count', async () => {
    const { ask, fake } = drive(bad);
    const [, second, third] = await Promise.all([
      ask('execute_request', execute('bad')),
      ask('execute_request', execute('b')),
      ask('execute_request', execute('c')),
    ]);
    for (const aborted of [second, third]) {
      expect(aborted?.types()).toEqual(['busy', 'execute_reply', 'idle']);
      expect(aborted?.reply()).toEqual({ status: 'aborted' });
    }
    expect((await ask('execute_request', execute('d'))).reply()).toMatchObject({ status: 'ok', execution_count: 2 });
    expect(fake.ran).toEqual(['bad', 'd']);
  });

  test('run where the one that failed said so', async () => {
    const { ask, fake } = drive(bad);
    await Promise.all([
      ask('execute_request', execute('bad', { stop_on_error: false })),
      ask('execute_request', execute('b')),
    ]);
    expect(fake.ran).toEqual(['bad', 'b']);
  });

  test('are aborted by an interrupt, and those that come later are not', async () => {
    let end = () => {};
    const { kernel, ask, fake } = drive({ long: () => new Promise((resolve) => (end = resolve)) });
    const long = ask('execute_request', execute('long'));
    const waiting = ask('execute_request', execute('b'));
    await expect.poll(() => fake.ran).toEqual(['long']);
    await kernel.interrupt();
    const later = ask('execute_request', execute('c'));
    end();
    await Promise.all([long, later]);
    expect((await waiting).reply()).toEqual({ status: 'aborted' });
    expect([fake.ran, fake.interrupts]).toEqual([['long', 'c'], 1]);
  });

  test('wait while other requests are answered, and the kernel is said to be busy after each', async () => {
    let end = () => {};
    const { ask, sent } = drive({ long: () => new Promise((resolve) => (end = resolve)) });
    const long = ask('execute_request', execute('long'));
    const asked = await ask('complete_request', { code: 'x', cursor_pos: 1 });
    expect(asked.types()).toEqual(['busy', 'complete_reply', 'idle']);
    expect(sent.at(-1)).toMatchObject({
      content: { execution_state: 'busy' },
      parent: { msg_type: 'execute_request' },
    });
    end();
    expect((await long).types()).toEqual(['busy', 'execute_input', 'busy', 'execute_reply', 'idle']);
  });
});

describe('history', () => {
  const asked = async (content: Content) => {
    const { ask } = drive();
    for (const code of ['one', 'two', 'three one', 'two']) await ask('execute_request', execute(code));
    await ask('execute_request', execute('unstored', { store_history: false }));
    const { history } = (await ask('history_request', content)).reply() ?? {};
    return (history as unknown[][]).map(([, line, source]) => [line, source]);
  };

  test.for([
    [
      'the last ones',
      { hist_access_type: 'tail', n: 2 },
      [
        [3, 'three one'],
        [4, 'two'],
      ],
    ],
    ['none of them', { hist_access_type: 'tail', n: 0 }, []],
    [
      'more than there are',
      { hist_access_type: 'tail', n: 99 },
      [
        [1, 'one'],
        [2, 'two'],
        [3, 'three one'],
        [4, 'two'],
      ],
    ],
    [
      'a range, without its end',
      { hist_access_type: 'range', session: 0, start: 2, stop: 4 },
      [
        [2, 'two'],
        [3, 'three one'],
      ],
    ],
    ['a range of another session', { hist_access_type: 'range', session: -1, start: 1, stop: 4 }, []],
    [
      'what a pattern finds',
      { hist_access_type: 'search', pattern: '*one' },
      [
        [1, 'one'],
        [3, 'three one'],
      ],
    ],
    ['the last of what it finds', { hist_access_type: 'search', pattern: '*one', n: 1 }, [[3, 'three one']]],
    [
      'each once',
      { hist_access_type: 'search', pattern: 't*', unique: true },
      [
        [3, 'three one'],
        [4, 'two'],
      ],
    ],
    ['what a pattern says that is none of a regular expression', { hist_access_type: 'search', pattern: 't.o' }, []],
    ['one character for a question mark', { hist_access_type: 'search', pattern: 't?o', n: 1 }, [[4, 'two']]],
  ] as const)('gives %s', async ([, content, lines]) => {
    expect(await asked(content)).toEqual(lines);
  });

  test('gives what a cell was and that its output is not kept, where that is asked', async () => {
    const { ask } = drive();
    await ask('execute_request', execute('one'));
    const { history } = (await ask('history_request', { hist_access_type: 'tail', n: 1, output: true })).reply() ?? {};
    expect(history).toEqual([[1, 1, ['one', null]]]);
  });
});

describe('other requests', () => {
  test('completion counts in code points', async () => {
    const { ask } = drive();
    const asked = await ask('complete_request', { code: '🧠ab', cursor_pos: 2 });
    expect(asked.reply()).toMatchObject({ status: 'ok', matches: ['match'], cursor_start: 1, cursor_end: 2 });
  });

  test('inspection gives text and Markdown, or says that it found nothing', async () => {
    const { ask } = drive();
    expect((await ask('inspect_request', { code: 'known', cursor_pos: 0 })).reply()).toEqual({
      status: 'ok',
      found: true,
      data: {
        'text/plain': 'const known: 1\n\nIts *text*.',
        'text/markdown': '```typescript\nconst known: 1\n```\n\nIts *text*.',
      },
      metadata: {},
    });
    expect((await ask('inspect_request', { code: 'x' })).reply()).toEqual({
      status: 'ok',
      found: false,
      data: {},
      metadata: {},
    });
  });

  test('a shutdown is answered, published and done', async () => {
    const { ask, shutdowns, sent } = drive();
    const asked = await ask('shutdown_request', { restart: true });
    expect(asked.reply()).toEqual({ status: 'ok', restart: true });
    expect(
      sent.filter(({ channel, header }) => channel === 'iopub' && header.msg_type === 'shutdown_reply'),
    ).toHaveLength(1);
    expect(shutdowns).toEqual([1]);
  });

  test('a comm that is opened is closed, and one that is not known is passed over', async () => {
    const { ask } = drive();
    const opened = await ask('comm_open', { comm_id: 'c', target_name: 't' });
    expect(opened.types()).toEqual(['busy', 'comm_close', 'idle']);
    expect((await ask('comm_msg', { comm_id: 'c' })).types()).toEqual(['busy', 'idle']);
  });

  test('what it does not know is logged and not answered', async () => {
    const { ask, logged } = drive();
    expect((await ask('debug_request')).types()).toEqual(['busy', 'idle']);
    expect(logged).toEqual(['Cannot answer debug_request: this kernel knows no such message']);
  });

  test.for([
    ['execute_request', {}],
    ['execute_request', { code: 7, user_expressions: 'none' }],
    ['complete_request', { code: null, cursor_pos: 'x' }],
    ['inspect_request', { code: [], cursor_pos: -5 }],
    ['is_complete_request', { code: {} }],
    ['history_request', { hist_access_type: 'unknown', n: 'all' }],
  ] as const)('%s with content %j is answered', async ([type, content]) => {
    const { ask } = drive();
    expect((await ask(type, content)).reply()).toMatchObject({ status: expect.any(String) });
  });

  test('the first message says that the kernel starts, and has no parent', () => {
    const { sent } = drive();
    expect(sent[0]).toMatchObject({ channel: 'iopub', parent: {}, content: { execution_state: 'starting' } });
  });
});
