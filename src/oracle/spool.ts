/**
 * Where a capture's values lie until somebody asks: a file in the system's temporary folder (TMPDIR) that has no name, so
 * that it is gone with the last process that holds it open, however that ends. The child writes it, the parent reads it.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, read, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TraceError } from '../errors.ts';

const readDescriptor = promisify(read);

/** Node reads and writes less than 2 GiB at a time. */
const MAX_BYTES = 1 << 30;

/** No room, no more of this user's share, no longer a file than this. */
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** A file that only its descriptor leads to. */
export function namelessFile(): number {
  const { path, descriptor } = newFile();
  rmSync(path, { force: true });
  return descriptor;
}

function newFile(): { path: string; descriptor: number } {
  const path = join(tmpdir(), `layerscope-${randomUUID()}`);
  return { path, descriptor: openSync(path, 'wx+', 0o600) };
}

/** Descriptors of spools that nothing leads to any more. */
const forgotten = new FinalizationRegistry<number>((descriptor) => closeSync(descriptor));

/** The parent's side. */
export class Spool {
  /** The file's name, until `takeName`. */
  readonly path: string;
  readonly #descriptor: number;
  #isOpen = true;

  constructor() {
    const { path, descriptor } = newFile();
    this.path = path;
    this.#descriptor = descriptor;
    forgotten.register(this, descriptor, this);
  }

  /** `length` numbers from byte `offset`. Throws TraceError once it is closed. */
  async read(offset: number, length: number, name: string): Promise<Float32Array> {
    const bytes = new Uint8Array(4 * length);
    for (let done = 0; done < bytes.length; ) {
      if (!this.#isOpen) {
        throw new TraceError(`Cannot read tensor ${name} of llama.cpp: its trace was closed; trace again`, {
          tensor: name,
        });
      }
      const part = Math.min(MAX_BYTES, bytes.length - done);
      const { bytesRead } = await readDescriptor(this.#descriptor, bytes, done, part, offset + done);
      if (bytesRead === 0) throw new TraceError(`Cannot read tensor ${name} of llama.cpp: its file ends before it`);
      done += bytesRead;
    }
    return new Float32Array(bytes.buffer);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    forgotten.unregister(this);
    closeSync(this.#descriptor);
    rmSync(this.path, { force: true }); // Where the child did not come to it.
  }
}

/** The child's side. */
export class SpoolWriter {
  readonly #descriptor: number;
  #length = 0;

  /** Opens the file and takes its name away. */
  constructor(path: string) {
    this.#descriptor = openSync(path, 'r+');
    rmSync(path, { force: true });
  }

  /** The offset, in bytes, at which they lie now. Throws TraceError where the disk takes no more. */
  append(data: Float32Array): number {
    const offset = this.#length;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    // A disk that is nearly full writes a part and says so only at the next try.
    for (let done = 0; done < bytes.length; ) {
      const part = Math.min(MAX_BYTES, bytes.length - done);
      done += this.#write(bytes, done, part, offset + done);
    }
    this.#length += bytes.length;
    return offset;
  }

  #write(bytes: Uint8Array, from: number, length: number, position: number): number {
    try {
      return writeSync(this.#descriptor, bytes, from, length, position);
    } catch (cause) {
      const { code = '', message } = cause as NodeJS.ErrnoException;
      const why = FULL.has(code) ? 'the disk is full' : message;
      throw new TraceError(
        `Cannot keep llama.cpp's values: ${why}; make room, trace fewer nodes, or set TMPDIR to a folder with more room`,
        { cause },
      );
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
