/**
 * Puts together what an executor says on three descriptors: text on stdout and stderr, messages on a third. Marks in the text
 * say where they meet (executor/wire.ts); what comes before a meeting in one comes before what follows it in another.
 */
import { StringDecoder } from 'node:string_decoder';
import { type FromExecutor, type Mark, MarkReader } from '../executor/wire.ts';

export type StreamName = 'stdout' | 'stderr';

export interface OrderedOutputSink {
  /** `id` is the run of a cell that it belongs to; null where none was running. */
  text(id: number | null, name: StreamName, text: string): void;
  message(message: FromExecutor): void;
}

interface Lane {
  readonly name: StreamName;
  readonly decoder: StringDecoder;
  readonly reader: MarkReader;
  /** What was read and not given out: it waits for another lane. */
  readonly waiting: (string | Mark)[];
  id: number | null;
}

/** Messages that do not wait for text. */
const AT_ONCE: readonly FromExecutor['type'][] = ['ready', 'interrupted'];

export class OrderedOutput {
  readonly #sink: OrderedOutputSink;
  readonly #lanes: readonly [Lane, Lane];
  readonly #messages: FromExecutor[] = [];
  #line = '';

  constructor(session: string, sink: OrderedOutputSink) {
    this.#sink = sink;
    const lane = (name: StreamName): Lane => ({
      name,
      decoder: new StringDecoder('utf8'),
      reader: new MarkReader(session),
      waiting: [],
      id: null,
    });
    this.#lanes = [lane('stdout'), lane('stderr')];
  }

  /** Bytes from one of the two streams. */
  read(name: StreamName, bytes: Buffer): void {
    const lane = this.#lanes[name === 'stdout' ? 0 : 1];
    lane.waiting.push(...lane.reader.read(lane.decoder.write(bytes)));
    this.#giveOut();
  }

  /** Text from the descriptor of messages. */
  readMessages(text: string): void {
    const lines = text.split('\n');
    lines[0] = this.#line + lines[0];
    this.#line = lines.pop() ?? '';
    for (const line of lines) {
      const message = JSON.parse(line) as FromExecutor;
      if (AT_ONCE.includes(message.type)) this.#sink.message(message);
      else this.#messages.push(message);
    }
    this.#giveOut();
  }

  /** The executor is gone: gives out what is left, as it came. */
  end(): void {
    for (const lane of this.#lanes) {
      lane.waiting.push(lane.reader.end());
      for (const part of lane.waiting.splice(0)) {
        if (typeof part === 'string') this.#text(lane, part);
        else if (part.type === 'cell') lane.id = part.id;
      }
    }
    for (const message of this.#messages.splice(0)) this.#sink.message(message);
  }

  #giveOut(): void {
    for (;;) {
      const heads = this.#lanes.map((lane) => this.#upToMeeting(lane));
      const [first, second] = heads;
      if (!first || !second) return;
      if (first.type === 'message') {
        const message = this.#messages.shift();
        if (!message) return;
        this.#sink.message(message);
      }
      for (const lane of this.#lanes) lane.waiting.shift();
    }
  }

  /** Gives out a lane's text up to where it must wait for the other; gives that mark, which is left in place. */
  #upToMeeting(lane: Lane): Mark | undefined {
    for (;;) {
      const part = lane.waiting[0];
      if (part === undefined) return undefined;
      if (typeof part !== 'string' && part.type !== 'cell') return part;
      lane.waiting.shift();
      if (typeof part === 'string') this.#text(lane, part);
      else lane.id = part.id;
    }
  }

  #text(lane: Lane, text: string): void {
    if (text !== '') this.#sink.text(lane.id, lane.name, text);
  }
}
