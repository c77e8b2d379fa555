/**
 * Jupyter's messages in websocket frames: the old way, one JSON text, and `v1.kernel.websocket.jupyter.org`, parts after a
 * table of their offsets (jupyter-server.readthedocs.io, "WebSocket kernel wire protocols").
 */
import type { Header, Message, Request } from '../../notebook/protocol/message.ts';

export const V1_PROTOCOL = 'v1.kernel.websocket.jupyter.org';

/** The frame of a message to a page. */
export function frameOf(message: Message, protocol: string): string | Buffer {
  const { channel, header, parent, metadata, content } = message;
  if (protocol !== V1_PROTOCOL) {
    return JSON.stringify({ channel, header, parent_header: parent, metadata, content, buffers: [] });
  }
  const parts = [
    Buffer.from(channel),
    ...[header, parent, metadata, content].map((part) => Buffer.from(JSON.stringify(part))),
  ];
  // The number of offsets, then each part's start and the last one's end.
  const table = Buffer.alloc(8 * (1 + parts.length + 1));
  table.writeBigUInt64LE(BigInt(parts.length + 1), 0);
  let offset = table.length;
  for (const [i, part] of parts.entries()) {
    table.writeBigUInt64LE(BigInt(offset), 8 * (i + 1));
    offset += part.length;
  }
  table.writeBigUInt64LE(BigInt(offset), 8 * (parts.length + 1));
  return Buffer.concat([table, ...parts]);
}

/** A message of a page that the kernel answers; null for one that it does not, such as a comm's or an answer to stdin. */
export type PageRequest = Omit<Request, 'identities'> | null;

/** Reads a frame. Throws an Error that says what is wrong with it. */
export function readFrame(data: Buffer, isBinary: boolean, protocol: string): PageRequest {
  const [channel, header, content] = isBinary && protocol === V1_PROTOCOL ? partsIn(data) : fieldsIn(data, isBinary);
  const { msg_type, msg_id, session } = header as Partial<Header>;
  if (![msg_type, msg_id, session].every((field) => typeof field === 'string')) {
    throw new Error('its header has no msg_type, msg_id or session');
  }
  if (channel !== 'shell' && channel !== 'control') return null;
  return { channel, header: header as unknown as Header, content };
}

type Json = Readonly<Record<string, unknown>>;
type Fields = readonly [channel: unknown, header: Json, content: Json];

function partsIn(data: Buffer): Fields {
  const count = Number(data.length >= 8 ? data.readBigUInt64LE(0) : 0);
  // Five parts at least; buffers after them are of comms, which we have none of.
  if (!(count >= 6 && 8 * (count + 1) <= data.length)) throw new Error(`it has ${count} offsets, of at least 6`);
  const part = (i: number): string => {
    const [start, end] = [data.readBigUInt64LE(8 * (i + 1)), data.readBigUInt64LE(8 * (i + 2))].map(Number) as [
      number,
      number,
    ];
    if (!(start <= end && end <= data.length))
      throw new Error(`its part ${i} is from ${start} to ${end} of ${data.length}`);
    return data.toString('utf8', start, end);
  };
  return [part(0), objectIn(part(1), 'header'), objectIn(part(4), 'content')];
}

function fieldsIn(data: Buffer, isBinary: boolean): Fields {
  const message = objectIn(isBinary ? jsonIn(data) : data.toString('utf8'), 'message');
  return [message.channel, object(message.header, 'header'), object(message.content, 'content')];
}

/** The JSON in a binary frame of the old protocol, where buffers come after it. */
function jsonIn(data: Buffer): string {
  const count = data.length >= 4 ? data.readUInt32BE(0) : 0;
  if (!(count >= 1 && 4 * (count + 1) <= data.length)) throw new Error(`it has ${count} parts, of at least 1`);
  return data.toString('utf8', data.readUInt32BE(4), count > 1 ? data.readUInt32BE(8) : data.length);
}

function objectIn(text: string, what: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`its ${what} is not JSON`);
  }
  return object(value, what);
}

function object(value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw new Error(`its ${what} is not an object`);
}
