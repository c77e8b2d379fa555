import { createRequire } from 'node:module';
import { version } from '../../version.ts';
import type { CellOutput, ErrorOutput } from '../cells.ts';
import { LANGUAGE_INFO } from '../kernelspec.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { type Content, type Header, type Message, Messages, PROTOCOL_VERSION, type Request } from './message.ts';
import { codePoints, utf16Offset } from './positions.ts';

export interface KernelParts {
  /** May be slow to come: the compiler loads while front ends already ask who we are. */
  readonly supervisor: Promise<Supervisor>;
  send(message: Message): void;
  /** A front end asked to end the process. */
  onShutdown(): void;
  /** For the kernel's own log. */
  log(line: string): void;
}

/** What one request is answered with. */
type Reply = (content: Content) => void;

const OK = { status: 'ok' } as const;

/** The compiler's version, told before it is loaded. */
const { version: TYPESCRIPT } = createRequire(import.meta.url)('typescript/package.json') as { version: string };

/** The session of history: one runs, and of those before nothing is kept. */
const SESSION = 1;

export class Kernel {
  readonly #parts: KernelParts;
  readonly #messages: Messages;
  /** Cells that ran, for consoles: session, line, source. */
  readonly #history: [session: number, line: number, source: string][] = [];
  #queue: Promise<void> = Promise.resolve();
  /** Requests to execute that came, and up to which of them all are aborted. */
  #arrived = 0;
  #abortedUpTo = 0;
  #running: Header | null = null;

  constructor(parts: KernelParts) {
    this.#parts = parts;
    this.#messages = new Messages((message) => parts.send(message));
    this.#messages.publish('status', { execution_state: 'starting' });
  }

  /** Answers a request. Never rejects. */
  handle(request: Request): Promise<void> {
    if (request.header.msg_type === 'execute_request') {
      const turn = ++this.#arrived;
      this.#queue = this.#queue.then(() => this.#answer(request, (reply) => this.#execute(request, turn, reply)));
      return this.#queue;
    }
    return this.#answer(request, (reply) => this.#dispatch(request, reply));
  }

  /** Stops the running cell; those that wait are aborted. */
  async interrupt(): Promise<void> {
    this.#abortedUpTo = this.#arrived;
    await (await this.#parts.supervisor).interrupt();
  }

  async #answer(request: Request, work: (reply: Reply) => Promise<void>): Promise<void> {
    const { header, channel, identities } = request;
    const type = header.msg_type.replace(/_request$/, '_reply');
    let isAnswered = false;
    const reply: Reply = (content) => {
      isAnswered = true;
      this.#messages.send(channel, identities, type, content, header);
    };
    this.#messages.publish('status', { execution_state: 'busy' }, header);
    try {
      await work(reply);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#parts.log(`Cannot answer ${header.msg_type}: ${error instanceof Error ? error.stack : message}`);
      if (!isAnswered) reply({ status: 'error', ename: 'KernelError', evalue: message, traceback: [message] });
    }
    this.#messages.publish('status', { execution_state: 'idle' }, header);
    // Front ends show one state for all: while a cell runs it is busy, whatever else was answered.
    if (this.#running && this.#running !== header) {
      this.#messages.publish('status', { execution_state: 'busy' }, this.#running);
    }
  }

  async #dispatch({ header, content }: Request, reply: Reply): Promise<void> {
    switch (header.msg_type) {
      case 'kernel_info_request':
        return reply(kernelInfo());
      case 'complete_request':
        return reply(await this.#complete(content));
      case 'inspect_request':
        return reply(await this.#inspect(content));
      case 'is_complete_request': {
        const state = (await this.#parts.supervisor).completeness(text(content.code));
        return reply(state.isComplete ? { status: 'complete' } : { status: 'incomplete', indent: state.indent });
      }
      case 'history_request':
        return reply({ ...OK, history: this.#historyFor(content) });
      case 'comm_info_request':
        return reply({ ...OK, comms: {} });
      case 'comm_open':
        // We have no widgets: whoever opens a comm is told that it is closed.
        return this.#messages.publish('comm_close', { comm_id: content.comm_id, data: {} }, header);
      case 'comm_msg':
      case 'comm_close':
        return;
      case 'interrupt_request':
        await this.interrupt();
        return reply(OK);
      case 'shutdown_request':
        reply({ ...OK, restart: content.restart === true });
        this.#messages.publish('shutdown_reply', { ...OK, restart: content.restart === true }, header);
        return this.#parts.onShutdown();
      default:
        this.#parts.log(`Cannot answer ${header.msg_type}: this kernel knows no such message`);
    }
  }

  async #execute({ header, content }: Request, turn: number, reply: Reply): Promise<void> {
    if (turn <= this.#abortedUpTo) return reply({ status: 'aborted' });
    const code = text(content.code);
    const isSilent = content.silent === true;
    const counts = !isSilent && content.store_history !== false;
    const supervisor = await this.#parts.supervisor;
    const count = supervisor.nextCount;
    this.#running = header;
    if (!isSilent) this.#messages.publish('execute_input', { code, execution_count: count }, header);
    if (counts) this.#history.push([SESSION, count, code]);
    const onOutput = (output: CellOutput) => {
      if (!isSilent || output.type !== 'execute_result') this.#publishOutput(output, header);
    };
    const { status, executionCount, error } = await supervisor.execute(code, onOutput, { counts });
    const expressions =
      status === 'ok' ? await this.#userExpressions(supervisor, content.user_expressions, header) : {};
    this.#running = null;
    if (error) {
      if (content.stop_on_error !== false) this.#abortedUpTo = this.#arrived;
      return reply({ status, execution_count: executionCount, ...errorContent(error) });
    }
    reply({ status, execution_count: executionCount, payload: [], user_expressions: expressions });
  }

  /** Each expression's value as its cell would show it, or its error. */
  async #userExpressions(supervisor: Supervisor, expressions: unknown, header: Header): Promise<Content> {
    const values: Record<string, Content> = {};
    for (const [name, code] of Object.entries(expressions ?? {})) {
      let value: Content = { ...OK, data: {}, metadata: {} };
      const onOutput = (output: CellOutput) => {
        if (output.type === 'execute_result') value = { ...OK, data: output.data, metadata: output.metadata };
        else if (output.type !== 'error') this.#publishOutput(output, header);
      };
      const { error } = await supervisor.execute(`(${text(code)})`, onOutput, { counts: false });
      values[name] = error ? { status: 'error', ...errorContent(error) } : value;
    }
    return values;
  }

  async #complete(content: Content): Promise<Content> {
    const code = text(content.code);
    const { start, end, matches } = (await this.#parts.supervisor).complete(code, offsetIn(code, content.cursor_pos));
    const [cursor_start, cursor_end] = [codePoints(code, start), codePoints(code, end)];
    const types = matches.map(({ text, kind }) => ({ text, type: kind, start: cursor_start, end: cursor_end }));
    return {
      ...OK,
      matches: matches.map((match) => match.text),
      cursor_start,
      cursor_end,
      metadata: { _jupyter_types_experimental: types },
    };
  }

  async #inspect(content: Content): Promise<Content> {
    const code = text(content.code);
    const found = (await this.#parts.supervisor).inspect(code, offsetIn(code, content.cursor_pos));
    if (!found) return { ...OK, found: false, data: {}, metadata: {} };
    const { signature, documentation } = found;
    const data = {
      'text/plain': [signature, documentation].filter(Boolean).join('\n\n'),
      'text/markdown': [`\`\`\`typescript\n${signature}\n\`\`\``, documentation].filter(Boolean).join('\n\n'),
    };
    return { ...OK, found: true, data, metadata: {} };
  }

  #historyFor({ hist_access_type: access, session, n, start, stop, pattern, output, unique }: Content): unknown[] {
    const all = this.#history.map(([session, line, source]) =>
      output === true ? [session, line, [source, null]] : [session, line, source],
    );
    const last = typeof n === 'number' ? Math.max(0, all.length - n) : 0;
    if (access === 'range') {
      // 0 is the session that runs; of others nothing is kept.
      if (session !== undefined && session !== 0 && session !== SESSION) return [];
      const [from, to] = [start, stop].map((bound) => (typeof bound === 'number' ? bound : null));
      return all.filter(([, line]) => (line as number) >= (from ?? 0) && (line as number) < (to ?? Infinity));
    }
    if (access === 'search') {
      const matches = globMatcher(typeof pattern === 'string' ? pattern : '*');
      const sources = this.#history.map(([, , source]) => source);
      const isFound = (source: string, i: number) =>
        matches(source) && !(unique === true && sources.includes(source, i + 1));
      return all.filter((_, i) => isFound(sources[i] ?? '', i)).slice(typeof n === 'number' ? -n : 0);
    }
    return all.slice(last);
  }

  #publishOutput(output: CellOutput, parent: Header): void {
    const { type, ...content } = outputContent(output);
    this.#messages.publish(type, content, parent);
  }
}

function kernelInfo(): Content {
  return {
    ...OK,
    protocol_version: PROTOCOL_VERSION,
    implementation: 'layerscope',
    implementation_version: version,
    banner: `Layerscope ${version}: TypeScript ${TYPESCRIPT} on Node ${process.version}`,
    language_info: {
      ...LANGUAGE_INFO,
      version: TYPESCRIPT,
      pygments_lexer: 'typescript',
      nbconvert_exporter: 'script',
    },
    help_links: [
      { text: 'TypeScript', url: 'https://www.typescriptlang.org/docs/' },
      { text: 'Vega-Lite', url: 'https://vega.github.io/vega-lite/docs/' },
    ],
    supported_features: [],
  };
}

function outputContent(output: CellOutput): { readonly type: string; readonly [key: string]: unknown } {
  switch (output.type) {
    case 'display_data':
    case 'update_display_data': {
      const { type, data, metadata, displayId } = output;
      return { type, data, metadata, transient: displayId === null ? {} : { display_id: displayId } };
    }
    case 'execute_result': {
      const { type, data, metadata, executionCount } = output;
      return { type, data, metadata, execution_count: executionCount };
    }
    case 'error':
      return { type: output.type, ...errorContent(output) };
    case 'stream':
    case 'clear_output':
      return { ...output };
    default:
      return output satisfies never;
  }
}

function errorContent({ ename, evalue, traceback }: ErrorOutput) {
  return { ename, evalue, traceback };
}

/** A field that should be text. */
function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function offsetIn(code: string, position: unknown): number {
  return typeof position === 'number' ? utf16Offset(code, position) : code.length;
}

/** Jupyter's patterns: `*` is any text, `?` any character. */
function globMatcher(pattern: string): (text: string) => boolean {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[\\s\\S]*')
    .replaceAll('?', '[\\s\\S]');
  const expression = new RegExp(`^${escaped}$`);
  return (text) => expression.test(text);
}
