/** Frames against those of `@jupyterlab/services`, in both protocols. */
import { createRequire } from 'node:module';
import type { KernelMessage } from '@jupyterlab/services';
import { describe, expect, test } from 'vitest';
import { frameOf, readFrame, V1_PROTOCOL } from '../../../src/lab/server/channel_messages.ts';
import { type Message, newHeader } from '../../../src/notebook/protocol/message.ts';

interface Serializer {
  serialize(message: KernelMessage.IMessage, protocol: string): string | ArrayBuffer;
  deserialize(data: string | ArrayBuffer, protocol: string): KernelMessage.IMessage;
}

const { serialize, deserialize }: Serializer = createRequire(import.meta.url)(
  '@jupyterlab/services/lib/kernel/serialize',
);

const header = newHeader('execute_request', 'session of the page');
const asked = {
  channel: 'shell',
  header,
  parent_header: {},
  metadata: {},
  content: { code: 'ä = "日本";' },
  buffers: [],
};

/** As a websocket gives it: bytes, and whether they were binary. */
function received(data: string | ArrayBuffer): [Buffer, boolean] {
  return typeof data === 'string' ? [Buffer.from(data), false] : [Buffer.from(data), true];
}

describe.each(['', V1_PROTOCOL])('protocol %j', (protocol) => {
  const read = (message: object) =>
    readFrame(...received(serialize(message as KernelMessage.IMessage, protocol)), protocol);

  test('a request of the page is read, with binary buffers after it too', () => {
    const { channel, content } = asked;
    expect(read({ ...asked })).toEqual({ channel, header, content });
    expect(read({ ...asked, buffers: [new Uint8Array([1, 2, 3]).buffer] })).toEqual({ channel, header, content });
  });

  test('what the kernel does not answer is null', () => {
    expect(read({ ...asked, channel: 'stdin' })).toBeNull();
    expect(read({ ...asked, channel: 'iopub' })).toBeNull();
  });

  test('a message of the kernel is read by the page as it was', () => {
    const message: Message = {
      ...{ channel: 'iopub', identities: [], header: newHeader('stream', 'k'), parent: header, metadata: { a: 1 } },
      content: { name: 'stdout', text: 'ä 日本\n' },
    };
    const frame = frameOf(message, protocol);
    const data = typeof frame === 'string' ? frame : new Uint8Array(frame).buffer;
    const { identities: _, parent, ...rest } = message;
    expect(deserialize(data, protocol)).toEqual({ ...rest, parent_header: parent, buffers: [] });
  });

  test.each([
    ['no msg_id', { ...asked, header: { ...header, msg_id: undefined } }, /no msg_type, msg_id or session/],
    ['a number as session', { ...asked, header: { ...header, session: 1 } }, /no msg_type, msg_id or session/],
    ['a list as content', { ...asked, content: [] }, /its content is not an object/],
  ])('a message with %s is refused', (_, message, why) => {
    expect(() => read(message)).toThrow(why);
  });
});

test.each([
  ['nothing', Buffer.alloc(0), /0 offsets/],
  ['too few parts', Buffer.from(new BigUint64Array([2n, 24n, 24n]).buffer), /2 offsets/],
  ['offsets that go back', Buffer.from(new BigUint64Array([6n, 99n, 56n, 56n, 56n, 56n, 56n]).buffer), /from 99 to 56/],
  [
    'offsets beyond the frame',
    Buffer.from(new BigUint64Array([6n, 56n, 2n ** 60n, 56n, 56n, 56n, 56n]).buffer),
    /of 56/,
  ],
])('a binary frame of %s is refused', (_, data, why) => {
  expect(() => readFrame(data, true, V1_PROTOCOL)).toThrow(why);
});
