/**
 * Jupyter's messages, protocol 5.4, and how they travel over ZeroMQ: identities, a delimiter, a signature, four JSON frames,
 * buffers. Source: jupyter-client.readthedocs.io, "Messaging in Jupyter".
 */
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';

export const PROTOCOL_VERSION = '5.4';

export interface Header {
  readonly msg_id: string;
  readonly msg_type: string;
  readonly session: string;
  readonly username: string;
  readonly date: string;
  readonly version: string;
}

/** The parent of what no message asked for. */
export type ParentHeader = Header | Record<string, never>;

export type Channel = 'shell' | 'control' | 'iopub' | 'stdin';

export type Content = Readonly<Record<string, unknown>>;

/** A request as it came. */
export interface Request {
  readonly channel: 'shell' | 'control';
  /** Who sent it: the frames that a reply begins with. */
  readonly identities: readonly Uint8Array[];
  readonly header: Header;
  readonly content: Content;
}

/** A message as it goes out. */
export interface Message {
  readonly channel: Channel;
  readonly identities: readonly Uint8Array[];
  readonly header: Header;
  readonly parent: ParentHeader;
  readonly metadata: Content;
  readonly content: Content;
}

export function newHeader(type: string, session: string): Header {
  return {
    msg_id: randomUUID(),
    msg_type: type,
    session,
    username: 'kernel',
    date: new Date().toISOString(),
    version: PROTOCOL_VERSION,
  };
}

/** Makes the messages of one session, and gives each to whoever takes them. */
export class Messages {
  readonly #session = randomUUID();
  readonly #take: (message: Message) => void;

  constructor(take: (message: Message) => void) {
    this.#take = take;
  }

  /** To all who listen; `parent` is what it is about. */
  publish(type: string, content: Content, parent: ParentHeader = {}): void {
    this.send('iopub', [], type, content, parent);
  }

  send(
    channel: Channel,
    identities: readonly Uint8Array[],
    type: string,
    content: Content,
    parent: ParentHeader,
  ): void {
    this.#take({ channel, identities, header: newHeader(type, this.#session), parent, metadata: {}, content });
  }
}

const DELIMITER = '<IDS|MSG>';

/** HMAC-SHA256 over the four JSON frames, as 64 hexadecimal digits; empty where the connection has no key. */
function signature(key: string, frames: readonly Uint8Array[]): string {
  if (key === '') return '';
  const hmac = createHmac('sha256', key);
  for (const frame of frames) hmac.update(frame);
  return hmac.digest('hex');
}

export function framesOf(
  { channel, identities, header, parent, metadata, content }: Message,
  key: string,
): Uint8Array[] {
  const parts = [header, parent, metadata, content].map((part) => Buffer.from(JSON.stringify(part)));
  // Subscribers of iopub choose by its first frame.
  const first = channel === 'iopub' ? [Buffer.from(header.msg_type)] : identities;
  return [...first, Buffer.from(DELIMITER), Buffer.from(signature(key, parts)), ...parts];
}

/** Reads a request. Throws an Error that says what is wrong with it; its sender is not to be trusted then. */
export function readRequest(channel: Request['channel'], frames: readonly Uint8Array[], key: string): Request {
  const buffers = frames.map((frame) => Buffer.from(frame));
  const delimiter = buffers.findIndex((frame) => frame.equals(Buffer.from(DELIMITER)));
  if (delimiter < 0) throw new Error(`it has no ${DELIMITER}`);
  const [signed, ...rest] = buffers.slice(delimiter + 1);
  const parts = rest.slice(0, 4);
  if (!signed || parts.length < 4) throw new Error(`after ${DELIMITER} it has ${rest.length} frames of 5`);
  const wanted = Buffer.from(signature(key, parts));
  if (signed.length !== wanted.length || !timingSafeEqual(signed, wanted)) throw new Error('its signature is wrong');
  const [header, , , content] = parts.map((part, i) => objectIn(part, i));
  if (typeof header?.msg_type !== 'string' || typeof header.msg_id !== 'string') {
    throw new Error('its header has no msg_type or msg_id');
  }
  return {
    channel,
    identities: buffers.slice(0, delimiter),
    header: header as unknown as Header,
    content: content as Content,
  };
}

const PARTS = ['header', 'parent header', 'metadata', 'content'];

function objectIn(frame: Buffer, part: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(frame.toString('utf8'));
  } catch {
    throw new Error(`its ${PARTS[part]} is not JSON`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Error(`its ${PARTS[part]} is not an object`);
}
