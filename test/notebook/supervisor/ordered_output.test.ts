/**
 * Output put in order again. The executor's own side writes here what a random program prints, into three streams; those are cut
 * anywhere and brought in any order, and what comes out is what was printed, at its cell, in the order in which it was.
 */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { seeded } from '../../seeded.ts';

const written = vi.hoisted(() => ({ streams: {} as Record<number, Uint8Array[]> }));
vi.mock('node:fs', async (original) => ({
  ...(await original<typeof import('node:fs')>()),
  writeSync: (fd: number, bytes: Uint8Array) => {
    written.streams[fd] ??= [];
    written.streams[fd].push(Buffer.from(bytes));
    return bytes.length;
  },
}));

import { leaveTo } from '../../../src/notebook/executor/scope.ts';
import { Stdio } from '../../../src/notebook/executor/stdio.ts';
import type { FromExecutor } from '../../../src/notebook/executor/wire.ts';
import { OrderedOutput, type StreamName } from '../../../src/notebook/supervisor/ordered_output.ts';

const SESSION = '0123456789abcdef';
const FD = { stdout: 1, stderr: 2 } as const;
const MESSAGES = 5;

type Event = readonly [id: number | null, name: StreamName, text: string] | FromExecutor;

const scope = (id: number) => ({ id, count: id, signal: new AbortController().signal, isInterrupted: () => false });
const shown = (id: number, text: string): FromExecutor => ({
  type: 'output',
  id,
  output: { type: 'display_data', displayId: null, data: { 'text/plain': text }, metadata: {} },
});

beforeEach(() => {
  written.streams = { 1: [], 2: [], 5: [] };
});

/** A random program's output: what it is, as events, while the bytes go into `written`. */
function program(random: () => number, length: number): Event[] {
  const stdio = new Stdio(SESSION);
  const events: Event[] = [];
  let cell = 1;
  stdio.begin(scope(cell));
  leaveTo(scope(cell));
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  for (let i = 0; i < length; i++) {
    const name = pick(['stdout', 'stderr'] as const);
    const text = pick(['a', 'line\n', '日本', '🧠', '\u001b[31m', '\u001b_', 'é'.repeat(3)]);
    switch (pick(['print', 'print', 'native', 'late', 'message', 'next'] as const)) {
      case 'print':
        stdio.write(FD[name], Buffer.from(text));
        events.push([cell, name, text]);
        break;
      case 'native':
        // Native code prints to the stream that was written last, where it has its place.
        stdio.write(FD[name], Buffer.from('n'));
        written.streams[FD[name]]?.push(Buffer.from(text));
        events.push([cell, name, `n${text}`]);
        break;
      case 'late':
        // A timer of an earlier cell.
        leaveTo(scope(0));
        stdio.write(FD[name], Buffer.from(text));
        leaveTo(scope(cell));
        events.push([0, name, text]);
        break;
      case 'message':
        stdio.inOrder(shown(cell, text));
        events.push(shown(cell, text));
        break;
      case 'next':
        cell++;
        stdio.begin(scope(cell));
        leaveTo(scope(cell));
        break;
    }
  }
  // Every cell ends with a message.
  stdio.inOrder(shown(cell, 'done'));
  events.push(shown(cell, 'done'));
  leaveTo(null);
  return events;
}

/** Texts that follow each other in one stream and cell, as one. */
function joined(events: readonly Event[]): Event[] {
  const all: Event[] = [];
  for (const event of events) {
    const last = all.at(-1);
    if (isText(event) && last && isText(last) && last[0] === event[0] && last[1] === event[1]) {
      all[all.length - 1] = [event[0], event[1], last[2] + event[2]];
    } else all.push(event);
  }
  return all;
}

function isText(event: Event): event is readonly [number | null, StreamName, string] {
  return Array.isArray(event);
}

/** Cuts a stream into pieces of 1 to `most` bytes. */
function pieces(bytes: Buffer, random: () => number, most: number): Buffer[] {
  const cut: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + Math.floor(random() * most);
    cut.push(bytes.subarray(at, at + length));
    at += length;
  }
  return cut;
}

function collector(): { readonly events: Event[]; readonly output: OrderedOutput } {
  const events: Event[] = [];
  const output = new OrderedOutput(SESSION, {
    text: (id, name, text) => events.push([id, name, text]),
    message: (message) => events.push(message),
  });
  return { events, output };
}

describe('what was printed comes out in its order, however it travels', () => {
  test.for(Array.from({ length: 60 }, (_, seed) => seed))('seed %i', (seed) => {
    const random = seeded(seed);
    const expected = program(random, 40);
    const most = seed % 3 === 0 ? 1 : seed % 3 === 1 ? 7 : 300;
    const [stdout, stderr, messages] = [1, 2, MESSAGES].map((fd) =>
      pieces(Buffer.concat(written.streams[fd] ?? []), random, most),
    ) as [Buffer[], Buffer[], Buffer[]];
    const decoder = new TextDecoder();
    const { events, output } = collector();
    while (stdout.length + stderr.length + messages.length > 0) {
      const lane = [stdout, stderr, messages].filter((each) => each.length > 0)[Math.floor(random() * 3)];
      const piece = lane?.shift();
      if (!piece) continue;
      if (lane === messages) output.readMessages(decoder.decode(piece, { stream: true }));
      else output.read(lane === stdout ? 'stdout' : 'stderr', piece);
    }
    expect(joined(events)).toEqual(joined(expected));
  });
});

test('text is given out at once where it waits for nothing', () => {
  const stdio = new Stdio(SESSION);
  stdio.begin(scope(1));
  leaveTo(scope(1));
  stdio.write(1, Buffer.from('now'));
  leaveTo(null);
  const { events, output } = collector();
  output.read('stdout', Buffer.concat(written.streams[1] ?? []));
  expect(events).toEqual([[1, 'stdout', 'now']]);
});

test('messages that have no place among text come at once', () => {
  const { events, output } = collector();
  output.readMessages('{"type":"rea');
  output.readMessages('dy"}\n{"type":"interrupted","id":1}\n');
  expect(events).toEqual([{ type: 'ready' }, { type: 'interrupted', id: 1 }]);
});

test('at the end of a process that died, what it wrote comes out without what would have met it', () => {
  const stdio = new Stdio(SESSION);
  stdio.begin(scope(1));
  leaveTo(scope(1));
  stdio.write(1, Buffer.from('out'));
  stdio.inOrder(shown(1, 'shown'));
  stdio.write(2, Buffer.from('err'));
  leaveTo(null);
  const { events, output } = collector();
  output.read('stderr', Buffer.concat(written.streams[2] ?? []));
  output.readMessages(Buffer.concat(written.streams[MESSAGES] ?? []).toString());
  expect(events).toEqual([]);
  output.end();
  expect(events).toEqual([[1, 'stderr', 'err'], shown(1, 'shown')]);
});
