/**
 * Reads a GGUF header front to back through a window of the file, so that memory follows what was read and never what
 * the file claims. `need` makes bytes available or says that the file ends too early; the readers after it do not wait.
 */

import { GgufError } from '../errors.ts';
import type { ByteSource } from '../platform.ts';

/** Bytes fetched at a time. */
const CHUNK = 1 << 20;

/** No header of a real model comes near: a vocabulary of 256k with its merges takes 12 MB. */
const HEADER_LIMIT = 64 << 20;

// A byte order mark is a token of some vocabularies, so it must stay; bytes that are not UTF-8 are refused.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Above this length TextDecoder is faster than a loop. */
const SHORT_TEXT = 24;

export class HeaderCursor {
  /** What is being read, for errors: `the value of general.name`. */
  reading = 'the header';
  readonly #source: ByteSource;
  #window: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #windowStart = 0;
  #at = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Bytes from the start of the file. */
  get position(): number {
    return this.#windowStart + this.#at;
  }

  /** Bytes between the position and the end of the file. */
  get remaining(): number {
    return this.#source.size - this.position;
  }

  lacks(length: number): boolean {
    return this.#at + length > this.#window.length;
  }

  /** Makes the next `length` bytes available. */
  async need(length: number): Promise<void> {
    if (!this.lacks(length)) return;
    if (length > this.remaining) {
      throw this.broken(
        `it ends within ${this.reading}: ${length} bytes were expected at ${this.position}, ${this.remaining} are left`,
      );
    }
    if (this.position + length > HEADER_LIMIT) {
      throw this.error(`its header is longer than ${HEADER_LIMIT >> 20} MiB, at ${this.reading}; no model needs that`);
    }
    this.#windowStart = this.position;
    this.#at = 0;
    this.#window = await this.#source.read(this.#windowStart, Math.min(this.remaining, Math.max(length, CHUNK)));
    this.#view = new DataView(this.#window.buffer, this.#window.byteOffset, this.#window.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#step(1));
  }
  i8(): number {
    return this.#view.getInt8(this.#step(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#step(2), true);
  }
  i16(): number {
    return this.#view.getInt16(this.#step(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#step(4), true);
  }
  i32(): number {
    return this.#view.getInt32(this.#step(4), true);
  }
  f32(): number {
    return this.#view.getFloat32(this.#step(4), true);
  }
  f64(): number {
    return this.#view.getFloat64(this.#step(8), true);
  }
  u64(): number | bigint {
    return exact(this.#view.getBigUint64(this.#step(8), true));
  }
  i64(): number | bigint {
    return exact(this.#view.getBigInt64(this.#step(8), true));
  }

  /** A count or a length: like u64, but a number too large to be exact stays a (rounded) number, to be refused. */
  length(): number {
    const at = this.#step(8);
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
  }

  /** The next `length` bytes, as a copy whose memory is its own. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#step(length);
    return new Uint8Array(this.#window.subarray(at, at + length));
  }

  text(length: number): string {
    const at = this.#step(length);
    if (length <= SHORT_TEXT) {
      const text = this.#ascii(at, length);
      if (text !== undefined) return text;
    }
    try {
      return utf8.decode(this.#window.subarray(at, at + length));
    } catch {
      throw this.error(`${this.reading} is not UTF-8, near byte ${this.#windowStart + at}; convert the model again`);
    }
  }

  /** Of what no program writes, unless it was stopped. */
  broken(what: string): GgufError {
    return this.error(`${what}. The file is cut short or broken: copy or download it again`);
  }

  error(what: string): GgufError {
    return new GgufError(`Cannot read ${this.#source.name}: ${what}`, { file: this.#source.name });
  }

  #step(length: number): number {
    const at = this.#at;
    this.#at += length;
    return at;
  }

  #ascii(at: number, length: number): string | undefined {
    let text = '';
    for (let i = 0; i < length; i++) {
      const byte = this.#window[at + i]!;
      if (byte >= 0x80) return undefined;
      text += String.fromCharCode(byte);
    }
    return text;
  }
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
