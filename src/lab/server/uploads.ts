/**
 * Large files that a page sends in pieces, numbered from 1, the last one -1, as JupyterLab does. They gather beside the file
 * and take its name when they are whole.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { appendFile, rename, rm, writeFile } from 'node:fs/promises';
import { Refusal } from './refusal.ts';

/** Bytes of one file. */
const MAX_UPLOAD = 64e9;
/** After this time without a piece an upload counts as given up, and another of that name may begin. Milliseconds. */
const GIVEN_UP_MS = 10_000;

interface Upload {
  readonly partial: string;
  /** The number of the piece that came last. */
  piece: number;
  size: number;
  time: number;
}

export class Uploads {
  readonly #uploads = new Map<string, Upload>();

  /** Takes away what is not whole, for a server that ends. */
  removeAll(): void {
    for (const { partial } of this.#uploads.values()) rmSync(partial, { force: true });
    this.#uploads.clear();
  }

  /**
   * Takes a piece of `file`, and gives where what came so far is: `file` itself after the last piece. `shown` is for
   * messages.
   *
   * @throws Refusal for a piece out of turn, or too large a file; what the system says
   */
  async take(file: string, shown: string, piece: number, bytes: Buffer): Promise<string> {
    const upload = await this.#uploadFor(file, shown, piece, bytes.length);
    if (piece === 1) await writeFile(upload.partial, bytes, { flag: 'wx' });
    else await appendFile(upload.partial, bytes);
    if (piece !== -1) return upload.partial;
    this.#uploads.delete(file);
    await rename(upload.partial, file);
    return file;
  }

  async #uploadFor(file: string, shown: string, piece: number, bytes: number): Promise<Upload> {
    const refuse = (status: number, reason: 'changed' | 'too-large', why: string) =>
      new Refusal(status, reason, `Cannot upload ${shown}: ${why}`, { file });
    let upload = this.#uploads.get(file);
    if (piece === 1) {
      if (upload && Date.now() - upload.time < GIVEN_UP_MS) {
        throw refuse(409, 'changed', 'another upload of that name is under way; wait for it, or choose another name');
      }
      if (upload) await rm(upload.partial, { force: true });
      upload = { partial: `${file}.${randomBytes(4).toString('hex')}.partial`, piece: 0, size: 0, time: 0 };
      this.#uploads.set(file, upload);
    }
    if (!upload || (piece !== -1 && piece !== upload.piece + 1)) {
      throw refuse(409, 'changed', `piece ${piece} came after piece ${upload?.piece ?? 'none'}; upload it again`);
    }
    if (upload.size + bytes > MAX_UPLOAD) {
      this.#uploads.delete(file);
      await rm(upload.partial, { force: true });
      throw refuse(413, 'too-large', `it is larger than ${MAX_UPLOAD / 1e9} GB; put it into the folder itself`);
    }
    upload.piece = piece;
    upload.size += bytes;
    upload.time = Date.now();
    return upload;
  }
}
