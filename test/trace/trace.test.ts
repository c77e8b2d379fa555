import { describe, expect, it } from 'vitest';
import { TraceError } from '../../src/errors.ts';
import { statisticsOf } from '../../src/trace/statistics.ts';
import { RowTrace, type TraceRow } from '../../src/trace/trace.ts';
import { traceRow } from './rows.ts';

function trace(rows: TraceRow[]): RowTrace {
  return new RowTrace({
    manifest: {},
    entries: rows,
    source: 'this run',
    values: async ({ seq }) => Float32Array.of(seq, seq),
  });
}

const row = (name: string, pass: number, seq: number, over: Partial<TraceRow> = {}) =>
  traceRow({ name, pass, seq, shape: [1, 2], statistics: statisticsOf(Float32Array.of(seq, seq)), ...over });

describe('a trace', () => {
  const rows = [
    row('l_out-0', 0, 0, { hook: 'blocks.0.hook_resid_post' }),
    row('l_out-1', 0, 1, { hasValues: false }),
    row('l_out-0', 1, 2, { hook: 'blocks.0.hook_resid_post' }),
    row('l_out-0', 2, 3, { hook: 'blocks.0.hook_resid_post' }),
  ];

  it('gives the last pass unless told another, by name or alias', async () => {
    const some = trace(rows);
    expect((await some.tensor('l_out-0')).at(0, 0)).toBe(3);
    expect((await some.tensor('blocks.0.hook_resid_post', { pass: 0 })).at(0, 0)).toBe(0);
    expect((await some.tensor('l_out-0', { pass: 'all' })).map((tensor) => tensor.at(0, 0))).toEqual([0, 2, 3]);
    expect((await some.tensor('l_out-0')).dims).toEqual(['token', 'embd']);
  });

  it('has each name once and selects entries', () => {
    expect(trace(rows).names).toEqual(['l_out-0', 'l_out-1']);
    expect(
      trace(rows)
        .select('blocks.*')
        .map(({ seq }) => seq),
    ).toEqual([0, 2, 3]);
  });

  it('sees rows that were added after it was made', async () => {
    const growing = [row('embd', 0, 0)];
    const some = trace(growing);
    await some.tensor('embd');
    growing.push(row('embd', 1, 7));
    expect((await some.tensor('embd')).at(0, 0)).toBe(7);
  });

  it("gives a tensor's own name precedence over another's alias", async () => {
    const some = trace([row('a', 0, 0, { hook: 'b' }), row('b', 0, 1), row('c', 0, 2, { hf: 'b' })]);
    expect((await some.tensor('b')).name).toBe('b');
    expect((await some.tensor('b', { pass: 'all' })).map(({ name }) => name)).toEqual(['b']);
  });

  it('says what it has instead, and how to keep values', async () => {
    const some = trace(rows);
    await expect(some.tensor('l_out-7')).rejects.toThrow(
      'Cannot read tensor l_out-7 of this run: no tensor has that name or alias; wanted such as l_out-0, l_out-1',
    );
    await expect(some.tensor('l_out-0', { pass: 9 })).rejects.toThrow(
      "it has no pass 9; wanted one of 0, 1, 2, 'last'",
    );
    await expect(some.tensor('l_out-1')).rejects.toThrow(
      "only its statistics were kept; wanted a run started with select: 'l_out-1'",
    );
    await expect(some.tensor('l_out-1')).rejects.toThrow(TraceError);
  });
});
