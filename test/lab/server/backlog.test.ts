/** What is kept for a page that is away. */
import { expect, test } from 'vitest';
import { Backlog } from '../../../src/lab/server/backlog.ts';
import { type Channel, type Message, newHeader } from '../../../src/notebook/protocol/message.ts';

const asked = newHeader('execute_request', 'page');

function message(type: string, content: Message['content'], channel: Channel = 'iopub'): Message {
  return { channel, identities: [], header: newHeader(type, 'kernel'), parent: asked, metadata: {}, content };
}

const stream = (text: string) => message('stream', { name: 'stdout', text });
const typesOf = (backlog: Backlog) => backlog.messages().map(({ header, content }) => [header.msg_type, content.text]);

test('everything is kept in order while there is room', () => {
  const backlog = new Backlog(1000);
  for (const each of [stream('a'), message('status', {}), stream('b')]) backlog.push(each);
  expect(typesOf(backlog)).toEqual([
    ['stream', 'a'],
    ['status', undefined],
    ['stream', 'b'],
  ]);
});

test('outputs without room are counted and said before the cell ends; replies and states are kept', () => {
  const backlog = new Backlog(60);
  backlog.push(stream('kept'));
  for (let i = 0; i < 5; i++) backlog.push(stream('x'.repeat(100)));
  backlog.push(message('execute_reply', { status: 'ok' }, 'shell'));
  backlog.push(message('status', { execution_state: 'idle' }));
  const note = '5 outputs are missing here: they came while the page was not connected, and were too many to keep.\n';
  expect(typesOf(backlog)).toEqual([
    ['stream', 'kept'],
    ['stream', note],
    ['execute_reply', undefined],
    ['status', undefined],
  ]);
  expect(backlog.messages()[1]).toMatchObject({ parent: asked, content: { name: 'stderr' } });
});
