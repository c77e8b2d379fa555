/** `/files/<path>`: a file of the lab's folder as it is, whole or one range of its bytes (RFC 9110, section 14). */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { FILE_POLICY } from './answer.ts';
import { mediaType } from './media_types.ts';
import { Refusal, systemRefusal } from './refusal.ts';
import type { Root } from './root.ts';

/** Answers with the file. Throws Refusal where there is none to read. */
export async function sendFile(
  root: Root,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { file, name } = await root.locate(path);
  const found = await stat(file).catch((cause) => {
    throw systemRefusal(`open ${path}`, cause);
  });
  if (!found.isFile()) throw new Refusal(400, 'unsupported', `Cannot open ${path}: it is no file; choose one in it`);
  const { size, mtime } = found;
  const etag = `"${size}-${mtime.getTime()}"`;
  response.setHeader('Content-Type', mediaType(name) ?? 'application/octet-stream');
  response.setHeader('Content-Security-Policy', FILE_POLICY);
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('Last-Modified', mtime.toUTCString());
  response.setHeader('ETag', etag);
  // A part of another version of the file would not fit to what the reader has.
  const isSameVersion = (request.headers['if-range'] ?? etag) === etag;
  const range = isSameVersion ? rangeIn(request.headers.range, size) : 'whole';
  if (range === 'outside') {
    response.writeHead(416, { 'Content-Range': `bytes */${size}` }).end();
    return;
  }
  const [start, end] = range === 'whole' ? [0, size - 1] : range;
  if (range !== 'whole') response.setHeader('Content-Range', `bytes ${start}-${end}/${size}`);
  response.writeHead(range === 'whole' ? 200 : 206, { 'Content-Length': end - start + 1 });
  if (request.method === 'HEAD' || size === 0) return void response.end();
  // Who goes away in the middle has enough; a file that ends early must not look whole.
  await pipeline(createReadStream(file, { start, end }), response).catch(() => response.destroy());
}

/** First and last byte. Several ranges, and what is no range at all, may be answered with the whole. */
export function rangeIn(header: string | undefined, size: number): readonly [number, number] | 'whole' | 'outside' {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return 'whole';
  const [start, end] =
    first === '' ? [Math.max(0, size - Number(last)), size - 1] : [Number(first), Number(last || size - 1)];
  if (first !== '' && last !== '' && end < start) return 'whole';
  return start >= size ? 'outside' : [start, Math.min(end, size - 1)];
}
