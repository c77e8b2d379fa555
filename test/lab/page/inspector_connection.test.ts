/** The page's lasting connection, over sessions that answer as the test says. */
import { expect, test } from 'vitest';
import type { Experiment } from '../../../src/lab/inspector/experiment.ts';
import type { FromSession, Port, ToSession } from '../../../src/lab/inspector/port.ts';
import { lastingConnection } from '../../../src/lab/page/inspector/connection.ts';

type Asked = Extract<ToSession, { type: 'ask' }>;

/** Sessions, one after the other: what each is asked, in order, and how the newest ends. */
function sessions(answer: (asked: Asked, session: number) => unknown) {
  const asked: string[][] = [];
  let end = () => {};
  const open = async (): Promise<Port> => {
    const own: string[] = [];
    const session = asked.push(own) - 1;
    let hear: (message: FromSession) => void = () => {};
    return {
      post(message) {
        const request = message as Asked;
        own.push(`${request.request} ${JSON.stringify(request.params)}`);
        const { id } = request;
        queueMicrotask(() => {
          try {
            hear({ type: 'answer', id, result: answer(request, session) });
          } catch (error) {
            const { message } = error as Error;
            hear({ type: 'failed', id, error: { name: 'DeviceError', message, place: {} } });
          }
        });
      },
      onMessage: (listener) => {
        hear = listener;
      },
      onClose: (listener) => {
        const before = end;
        end = () => {
          before();
          listener('The lab was stopped');
        };
      },
    };
  };
  return { asked, open, stop: () => end() };
}

const experiment: Experiment = { file: 'a.gguf', backend: 'webgpu', text: 'Tom', faults: [], changes: [] };
const state = { tokens: [], drawn: 0, at: 'Qcur-0', next: 'Kcur-0', passes: 1, rows: [], stopped: null };
const START = { ...state, at: null, next: 'embd', passes: 0 };

test('when the session is another, it is lent every dropped file as what it was dropped, a dump as a dump, before anything is asked', async () => {
  const { asked, open, stop } = sessions(({ request }) => (request === 'kind' ? 'model' : null));
  const connection = lastingConnection(open);
  let renewals = 0;
  connection.onRenewed(() => renewals++);
  await connection.drop(new File(['GGUF'], 'mine.gguf'));
  await connection.drop(new File(['node,sum'], 'theirs.csv'), { isDump: true });
  const before = renewals;
  stop();
  await connection.ask('kind', { file: 'mine.gguf' });
  expect(asked[1]).toEqual([
    'drop {"name":"mine.gguf","size":4}',
    'drop {"name":"theirs.csv","size":8,"isDump":true}',
    'kind {"file":"mine.gguf"}',
  ]);
  expect(renewals).toBe(before + 1);
});

test('after the GPU was lost the run that was moved last comes to where it was, and whoever opened models is told', async () => {
  let isLost = false;
  const { asked, open } = sessions(({ request, params }) => {
    if (request === 'move') return JSON.stringify(params).includes('"drawn"') ? START : state;
    if (isLost) throw new Error('Cannot go on: the GPU was lost');
    return null;
  });
  const connection = lastingConnection(open);
  await connection.ask('move', { experiment, move: { after: 'Qcur-0' } });
  let renewals = 0;
  connection.onRenewed(() => renewals++);
  isLost = true;
  await expect(connection.ask('kind', { file: 'a.gguf' })).rejects.toThrow('the GPU was lost');
  isLost = false;
  await connection.ask('kind', { file: 'a.gguf' });
  const moves = asked[0]?.slice(2).map((said) => said.replace(/\{"experiment":\{.*?\},"move":/, ''));
  expect(moves).toEqual(['move {"drawn":0}}', 'move {"after":"Qcur-0","pass":0}}', 'kind {"file":"a.gguf"}']);
  expect(renewals).toBe(1);
});
