import { describe, expect, test, vi } from 'vitest';
import type { CellOutput } from '../../../src/notebook/cells.ts';
import { bundleOf } from '../../../src/notebook/display/bundle.ts';
import { createDisplay, type Display } from '../../../src/notebook/display/display.ts';
import { tslabModule } from '../../../src/notebook/display/tslab.ts';

interface Page {
  readonly cell: Display;
  readonly outputs: CellOutput[];
  /** What each output says: its plain text, or its type. */
  texts(): string[];
}

function page(): Page {
  const outputs: CellOutput[] = [];
  let ids = 0;
  const cell = createDisplay({ send: (output) => void outputs.push(output), newId: () => `id-${ids++}` });
  const textOf = (output: CellOutput) =>
    'data' in output ? String(output.data['text/plain']) : output.type === 'stream' ? output.text : output.type;
  return { cell, outputs, texts: () => outputs.map(textOf) };
}

/** A promise with its two ends. */
function later<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (reason: unknown) => void } {
  let [resolve, reject]: [(value: T) => void, (reason: unknown) => void] = [() => {}, () => {}];
  const promise = new Promise<T>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  return { promise, resolve, reject };
}

describe('display', () => {
  test('sends at once what waits for nothing', () => {
    const { cell, outputs } = page();
    cell.display('now', { metadata: { a: 1 } });
    const shown = { data: { 'text/plain': 'now' }, metadata: { a: 1 } };
    expect(outputs).toEqual([{ type: 'display_data', displayId: 'id-0', ...shown }]);
  });

  test('keeps the order of the calls, however long each takes', async () => {
    const { cell, texts } = page();
    const slow = later<string>();
    cell.display(slow.promise);
    cell.display(Promise.resolve('second'));
    cell.clearOutput();
    cell.display('third');
    await new Promise(setImmediate);
    expect(texts()).toEqual([]);
    slow.resolve('first');
    await cell.settled();
    expect(texts()).toEqual(['first', 'second', 'clear_output', 'third']);
  });

  test('shows a value as it was when it was given', async () => {
    const { cell, texts } = page();
    const list = [1];
    cell.display(Promise.resolve('before'));
    cell.display(list);
    list.push(2);
    await cell.settled();
    expect(texts()).toEqual(['before', '[ 1 ]']);
  });

  test('says on stderr what cannot be shown, and goes on', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const { cell, outputs, texts } = page();
    const slow = later<string>();
    cell.display(slow.promise);
    cell.display(Promise.reject(new RangeError('no such layer')));
    cell.display(Promise.reject('a text'));
    await new Promise((resolve) => setTimeout(resolve, 5));
    slow.resolve('first');
    await cell.settled();
    expect(texts()).toEqual(['first', 'RangeError: no such layer\n', 'a text\n']);
    expect(outputs[1]).toMatchObject({ type: 'stream', name: 'stderr' });
    expect(unhandled).not.toHaveBeenCalled();
    process.removeListener('unhandledRejection', unhandled);
  });

  test('gives a handle that updates in turn, tells when it is on the page, and shows nothing itself', async () => {
    const { cell, outputs } = page();
    const slow = later<string>();
    const handle = cell.display(slow.promise, { id: 'mine' });
    handle.update('second');
    cell.updateDisplay('mine', Promise.resolve('third'));
    slow.resolve('first');
    await handle.shown;
    expect(outputs).toHaveLength(1);
    await cell.settled();
    expect(outputs.map((output) => [output.type, 'displayId' in output && output.displayId])).toEqual([
      ['display_data', 'mine'],
      ['update_display_data', 'mine'],
      ['update_display_data', 'mine'],
    ]);
    expect(await bundleOf(handle)).toBeNull();
    expect(await handle).toBe(handle);
  });

  test('of undefined sends nothing', async () => {
    const { cell, outputs } = page();
    cell.display(undefined);
    cell.display(Promise.resolve(undefined));
    await cell.settled();
    expect(outputs).toEqual([]);
  });
});

test('clearOutput says whether it waits for the next output', () => {
  const { cell, outputs } = page();
  cell.clearOutput();
  cell.clearOutput({ wait: true });
  expect(outputs).toEqual([
    { type: 'clear_output', wait: false },
    { type: 'clear_output', wait: true },
  ]);
});

test('settled waits for what is displayed while it waits', async () => {
  const { cell, texts } = page();
  cell.display(Promise.resolve('first')).shown.then(() => cell.display(Promise.resolve('second')));
  await cell.settled();
  expect(texts()).toEqual(['first', 'second']);
});

test('what was abandoned is never sent and holds back nothing', async () => {
  const { cell, texts } = page();
  const never = later<string>();
  cell.display(never.promise);
  cell.display('behind it');
  const settled = cell.settled();
  cell.abandon();
  await settled;
  cell.display('next cell');
  never.resolve('too late');
  cell.display(Promise.resolve('and on'));
  await cell.settled();
  expect(texts()).toEqual(['next cell', 'and on']);
});

describe("tslab's display", () => {
  test('sends each form under its MIME type, in turn with the others', async () => {
    const { cell, outputs } = page();
    const { display } = tslabModule(cell);
    const slow = later<string>();
    cell.display(slow.promise);
    display.html('<b>x</b>');
    display.png(Uint8Array.of(1, 2, 3));
    display.raw('text/x-mine', 'raw');
    slow.resolve('first');
    await cell.settled();
    expect(outputs.map((output) => 'data' in output && output.data)).toEqual([
      { 'text/plain': 'first' },
      { 'text/html': '<b>x</b>' },
      { 'image/png': 'AQID' },
      { 'text/x-mine': 'raw' },
    ]);
  });

  test('newDisplay has one place on the page', () => {
    const { cell, outputs } = page();
    const place = tslabModule(cell, () => 'place').newDisplay();
    place.text('one');
    place.markdown('*two*');
    expect(outputs).toMatchObject([
      { type: 'display_data', displayId: 'place', data: { 'text/plain': 'one' } },
      { type: 'update_display_data', displayId: 'place', data: { 'text/markdown': '*two*' } },
    ]);
  });
});
