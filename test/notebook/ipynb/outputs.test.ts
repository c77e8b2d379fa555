import { describe, expect, test } from 'vitest';
import type { CellOutput } from '../../../src/notebook/cells.ts';
import { hideFolders } from '../../../src/notebook/ipynb/folders.ts';
import { OutputCollector } from '../../../src/notebook/ipynb/outputs.ts';
import { displayed, printed, thrown } from './fake_cells.ts';

const plainText = (text: string) => ({ 'text/plain': text });
const update = (displayId: string, text: string): CellOutput => ({
  type: 'update_display_data',
  displayId,
  data: plainText(text),
  metadata: {},
});
const clear = (wait: boolean): CellOutput => ({ type: 'clear_output', wait });

/** What is kept of one cell that gave these. */
function kept(...outputs: readonly CellOutput[]) {
  const cell = new OutputCollector((text) => text).cell();
  outputs.forEach(cell.take);
  return cell.outputs;
}

describe('text', () => {
  test('of one stream joins, and keeps its place among displays and the other stream', () => {
    const streams = [printed('a'), printed('b\n'), printed('x', 'stderr'), printed('c'), printed('d')];
    expect(kept(...streams, displayed(plainText('chart')), printed('e'))).toEqual([
      printed('ab\n'),
      printed('x', 'stderr'),
      printed('cd'),
      { type: 'display_data', data: plainText('chart'), metadata: {} },
      printed('e'),
    ]);
  });

  test('joins where a bar stood that is gone', () => {
    const bar = [displayed(plainText('50 %'), 'bar'), printed('b'), update('bar', '')];
    expect(kept(printed('a'), ...bar, printed('c'))).toEqual([printed('abc')]);
  });
});

describe('a display', () => {
  test('is kept without its id, and has what the last update gave, from whatever cell', () => {
    const collector = new OutputCollector((text) => text);
    const [first, second] = [collector.cell(), collector.cell()];
    first.take(displayed(plainText('0 %'), 'bar'));
    first.take(displayed(plainText('0 %'), 'bar'));
    first.take(displayed(plainText('other'), 'another'));
    second.take(update('bar', '100 %'));
    second.take(update('nobody', 'lost'));
    const shown = first.outputs.map((output) => 'data' in output && output.data['text/plain']);
    expect(shown).toEqual(['100 %', '100 %', 'other']);
    expect(JSON.stringify(first.outputs)).not.toContain('bar');
    expect(second.outputs).toEqual([]);
  });

  test('that ended empty is not kept; one of an unknown type is', () => {
    const odd = { 'application/x-odd': 'kept' };
    expect(kept(displayed(plainText('50 %'), 'bar'), displayed(odd), displayed({}), update('bar', ''))).toEqual([
      { type: 'display_data', data: odd, metadata: {} },
    ]);
  });

  test('that was cleared takes updates no more', () => {
    expect(kept(displayed(plainText('a'), 'id'), clear(false), update('id', 'b'))).toEqual([]);
  });
});

describe('clearing', () => {
  test('takes away at once, or with the next output', () => {
    expect(kept(printed('a'), clear(false))).toEqual([]);
    expect(kept(printed('a'), clear(true))).toEqual([printed('a')]);
    expect(kept(printed('a'), clear(true), printed('b'), printed('c'))).toEqual([printed('bc')]);
  });
});

test('a result keeps its count, an error loses the folders of this machine', () => {
  const result = { type: 'execute_result', data: plainText('7'), metadata: {}, executionCount: 3 } as const;
  const collector = new OutputCollector(hideFolders({ '/home/ann/book': '', '/home/ann': '~/' }));
  const cell = collector.cell();
  cell.take(result);
  cell.take(
    thrown('Error', 'no /home/ann/book/a.gguf', 'at file:///home/ann/book/cell.ts:1:2', 'at /home/ann/b.ts:3:4'),
  );
  expect(cell.outputs).toEqual([result, thrown('Error', 'no a.gguf', 'at cell.ts:1:2', 'at ~/b.ts:3:4')]);
});

test('a folder whose name begins as another is told from it', () => {
  expect(hideFolders({ '/home/ann': '~/' })('/home/anna/x /home/ann/x')).toBe('/home/anna/x ~/x');
});
