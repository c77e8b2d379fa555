/** Traces made of another with some values changed: what an engine with a bug, or with other rounding, would have recorded. */
import { statisticsOf } from '../../src/trace/statistics.ts';
import { RowTrace, type Trace, type TraceRow } from '../../src/trace/trace.ts';

/** The same trace where `change` gives other values for a row; null leaves it as it is. */
export async function changedTrace(
  trace: Trace,
  change: (row: TraceRow, values: Float32Array) => Float32Array | null,
): Promise<Trace> {
  const changed = new Map<string, Float32Array>();
  const entries: TraceRow[] = [];
  for (const row of trace.entries) {
    const { data } = await trace.tensor(row.name, { pass: row.pass });
    const values = change(row, data);
    if (values) changed.set(keyOf(row), values);
    entries.push(values ? withStatistics(row, values) : row);
  }
  return new RowTrace({
    manifest: trace.manifest,
    end: trace.end,
    entries,
    values: async (row) => changed.get(keyOf(row)) ?? (await trace.tensor(row.name, { pass: row.pass })).data,
    source: 'a changed trace',
  });
}

/** Rows are getters on a run: a copy must not ask them again. */
function withStatistics(row: TraceRow, values: Float32Array): TraceRow {
  return Object.defineProperty({ ...row }, 'statistics', { value: statisticsOf(values), enumerable: true });
}

function keyOf({ name, pass }: TraceRow): string {
  return `${name} ${pass}`;
}
