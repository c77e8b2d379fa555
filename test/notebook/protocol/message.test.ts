/** Messages on the wire: what is signed is read again, and what is broken or forged is refused by name. */
import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { framesOf, type Message, newHeader, readRequest } from '../../../src/notebook/protocol/message.ts';

const KEY = 'a key';
const message: Message = {
  channel: 'shell',
  identities: [Buffer.from([0, 255]), Buffer.from('client')],
  header: newHeader('execute_request', 'session'),
  parent: {},
  metadata: { deleted: false },
  content: { code: 'π = "🧠"' },
};

/** Where the frames after the identities begin. */
const DELIMITER = message.identities.length;

describe('a message', () => {
  test.for([KEY, ''])('that is sent with the key %j is read again', (key) => {
    const { identities, header, content } = readRequest('shell', framesOf(message, key), key);
    expect({ identities: identities.map((each) => Buffer.from(each)), header, content }).toEqual({
      identities: message.identities,
      header: message.header,
      content: message.content,
    });
  });

  test('is signed by HMAC-SHA256 over its four JSON frames', () => {
    const frames = framesOf(message, KEY).map((frame) => Buffer.from(frame));
    const [delimiter, signature, ...parts] = frames.slice(DELIMITER);
    const hmac = createHmac('sha256', KEY).update(Buffer.concat(parts)).digest('hex');
    expect([`${delimiter}`, `${signature}`, parts.length]).toEqual(['<IDS|MSG>', hmac, 4]);
  });

  test('on iopub begins with its type, by which subscribers choose', () => {
    const [topic, delimiter] = framesOf({ ...message, channel: 'iopub' }, KEY);
    expect([`${topic}`, `${delimiter}`]).toEqual(['execute_request', '<IDS|MSG>']);
  });

  test('may carry buffers, which are passed over', () => {
    const frames = [...framesOf(message, KEY), Buffer.from('buffer'), Buffer.alloc(0)];
    expect(readRequest('shell', frames, KEY).content).toEqual(message.content);
  });

  test('may come from nobody', () => {
    expect(readRequest('control', framesOf(message, KEY).slice(DELIMITER), KEY).identities).toEqual([]);
  });
});

describe('a message is refused', () => {
  const frames = framesOf(message, KEY);
  const changed = (at: number, frame: string | Buffer) => frames.with(DELIMITER + at, Buffer.from(frame));
  /** Signed as it should be, with one of its parts another. */
  const signed = (part: number, text: string) => {
    const parts = frames.slice(DELIMITER + 2).with(part, Buffer.from(text));
    const hmac = createHmac('sha256', KEY).update(Buffer.concat(parts)).digest('hex');
    return [Buffer.from('<IDS|MSG>'), Buffer.from(hmac), ...parts];
  };

  test.for([
    ['without frames', [], 'it has no <IDS|MSG>'],
    ['without a delimiter', changed(0, 'no delimiter'), 'it has no <IDS|MSG>'],
    ['with too few frames', frames.slice(0, -1), 'after <IDS|MSG> it has 3 frames of 5'],
    ['with nothing after the delimiter', frames.slice(0, DELIMITER + 1), 'after <IDS|MSG> it has 0 frames of 5'],
    ['with another signature', changed(1, 'f'.repeat(64)), 'its signature is wrong'],
    ['with a short signature', changed(1, 'abc'), 'its signature is wrong'],
    ['with no signature', changed(1, ''), 'its signature is wrong'],
    ['signed by another key', framesOf(message, 'other'), 'its signature is wrong'],
    ['with another header', changed(2, '{"msg_id":"x","msg_type":"shutdown_request"}'), 'its signature is wrong'],
    ['with another content', changed(5, '{"code":"other"}'), 'its signature is wrong'],
    ['with a content that is no JSON', signed(3, '{'), 'its content is not JSON'],
    ['with a content that is a list', signed(3, '[]'), 'its content is not an object'],
    ['with metadata that is null', signed(2, 'null'), 'its metadata is not an object'],
    ['with a header that says no type', signed(0, '{"msg_id":"x"}'), 'its header has no msg_type or msg_id'],
    [
      'with a header whose id is a number',
      signed(0, '{"msg_id":1,"msg_type":"x"}'),
      'its header has no msg_type or msg_id',
    ],
  ] as const)('%s', ([, broken, why]) => {
    expect(() => readRequest('shell', broken, KEY)).toThrow(why);
  });

  test('signed, where the connection has no key', () => {
    expect(() => readRequest('shell', frames, '')).toThrow('its signature is wrong');
  });
});
