/**
 * What cells print and show, written so that the supervisor can put all of it in order; see wire.ts. Writes are synchronous:
 * nothing is lost when the process dies, and a cell that prints faster than is read waits.
 */
import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { type CellScope, currentCell } from './scope.ts';
import { type FromExecutor, type Mark, MESSAGES, markText } from './wire.ts';

/** JavaScript's own, as it is now: cells may put another in its place. */
const { stringify } = JSON;

type Stream = 1 | 2;
const STREAMS = [1, 2] as const;

export class Stdio {
  readonly #session: string;
  /** The run of a cell that each stream was last marked with. */
  readonly #marked: Record<Stream, number | null | undefined> = { 1: undefined, 2: undefined };
  #lastStream: Stream = 1;
  #meetings = 0;

  constructor(session: string) {
    this.#session = session;
  }

  /** Takes the place of process.stdout and process.stderr. */
  install(): void {
    const stream = (fd: Stream) =>
      Object.assign(
        new Writable({
          decodeStrings: true,
          write: (bytes: Buffer, _encoding, done) => {
            this.write(fd, bytes);
            done();
          },
          // As Node's own: a pipeline that ends there, or end(), does not end it for those who print later.
          destroy(error, done) {
            done(error);
            (this as Writable & { _undestroy(): void })._undestroy();
          },
        }),
        { fd },
      );
    const streams = { stdout: stream(1), stderr: stream(2) };
    for (const [name, value] of Object.entries(streams)) {
      Object.defineProperty(process, name, { value, configurable: true, enumerable: true });
    }
  }

  /** Output from here on belongs to a cell, that of native code included. */
  begin(cell: CellScope | null): void {
    for (const fd of STREAMS) this.#markCell(fd, cell?.id ?? null);
  }

  write(fd: Stream, bytes: Uint8Array): void {
    if (fd !== this.#lastStream) this.#meet('meet');
    this.#lastStream = fd;
    this.#markCell(fd, currentCell()?.id ?? null);
    writeAll(fd, bytes);
  }

  /** A message whose place among the printed text matters. */
  inOrder(message: FromExecutor): void {
    this.#meet('message');
    this.atOnce(message);
  }

  atOnce(message: FromExecutor): void {
    writeAll(MESSAGES, Buffer.from(`${stringify(message)}\n`));
  }

  #markCell(fd: Stream, id: number | null): void {
    if (this.#marked[fd] === id) return;
    this.#marked[fd] = id;
    this.#mark(fd, { type: 'cell', id });
  }

  #meet(type: 'meet' | 'message'): void {
    const count = ++this.#meetings;
    for (const fd of STREAMS) this.#mark(fd, { type, count });
  }

  #mark(fd: Stream, mark: Mark): void {
    writeAll(fd, Buffer.from(markText(this.#session, mark)));
  }
}

const lock = new Int32Array(new SharedArrayBuffer(4));

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      // A child process or native code has made the descriptor non-blocking; 1 ms, then again.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(lock, 0, 0, 1);
    }
  }
}
