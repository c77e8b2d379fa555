/** What goes over HTTP: bodies read within bounds, JSON and refusals written, and the headers that every answer carries. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LayerscopeError } from '../../errors.ts';
import { Refusal } from './refusal.ts';

/**
 * What a page of ours may do: run the scripts that we serve, and talk to nobody else. 'wasm-unsafe-eval' lets it compile
 * WebAssembly (checksums), and no text; styles are set by JupyterLab's components and by Vega's SVG.
 */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "connect-src 'self'",
  "img-src 'self' data: blob:",
  "media-src 'self' data: blob:",
  "style-src 'self' 'unsafe-inline'",
  "font-src 'self' data:",
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** For files of the user's folder that are opened by themselves: a page among them may do nothing in our name. */
export const FILE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; sandbox; frame-ancestors 'none'";

export function setHeaders(response: ServerResponse): void {
  const headers = {
    'Content-Security-Policy': PAGE_POLICY,
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cache-Control': 'no-store',
  };
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, 'application/json', JSON.stringify(value));
}

export function sendHtml(response: ServerResponse, status: number, html: string): void {
  send(response, status, 'text/html; charset=utf-8', html);
}

export function sendNothing(response: ServerResponse): void {
  response.writeHead(204).end();
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  const bytes = Buffer.from(text);
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': bytes.length }).end(bytes);
}

/** Tells what went wrong, as Jupyter's server does; `log` hears of what is a bug of ours. */
export function sendError(response: ServerResponse, error: unknown, log: (line: string) => void): void {
  if (response.destroyed) return; // Who asked has gone.
  const { status, reason, message } = refusalOf(error, log);
  if (response.headersSent) return void response.destroy(); // Half an answer went out: it must not look whole.
  // What is left of a body is not read; but who sends too large a one, and may, reads no answer before it is sent.
  if (reason === 'too-large') response.req.resume();
  else if (!response.req.complete) response.setHeader('Connection', 'close');
  sendJson(response, status, { message, reason });
}

/** Any error as a refusal. */
export function refusalOf(error: unknown, log: (line: string) => void): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof LayerscopeError) return new Refusal(500, 'unreadable', error.message, { cause: error });
  log(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return new Refusal(500, 'bug', 'Cannot answer: this is a bug in layerscope; the terminal says more', {
    cause: error,
  });
}

/** The body as JSON; an empty one is {}. Throws Refusal where it is larger than `limit` bytes, or no object. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Readonly<Record<string, unknown>>> {
  const tooLarge = () =>
    new Refusal(
      413,
      'too-large',
      `Cannot take the request: its body is larger than ${Math.round(limit / 1e6)} MB; clear some outputs`,
    );
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const pieces: Buffer[] = [];
  let size = 0;
  // The connection is to bear the refusal.
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > limit) throw tooLarge();
    pieces.push(piece);
  }
  if (size === 0) return {};
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch (cause) {
    throw new Refusal(400, 'malformed', `Cannot read the request: its body is not JSON (${(cause as Error).message})`, {
      cause,
    });
  }
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  throw new Refusal(400, 'malformed', 'Cannot read the request: its body is no JSON object');
}
