/** A table of sums as a column: what a model gives of the same text, row by row, and how far the two are apart. */
import type { Model } from '../engine/model.ts';
import { passesOf } from '../trace/passes.ts';
import type { Trace, TraceRow } from '../trace/trace.ts';

/** A row's sum, and what a sum of such numbers is the size of where their signs are drawn. */
export interface Sum {
  readonly sum: number;
  readonly size: number;
}

/** The rows of a trace that tell a sum of a tensor that the model has. */
export function columnOf(trace: Trace, { steps }: Model): TraceRow[] {
  return trace.entries.filter((row) => tellsSum(row) && steps.some(({ name }) => name === row.name));
}

function tellsSum({ partly, statistics }: TraceRow): boolean {
  return (partly === undefined || partly.known.includes('sum')) && Number.isFinite(statistics.sum);
}

/** Of a run of the same text in the same passes, by name and pass. */
export async function sumsOf(model: Model, tokens: readonly number[], trace: Trace): Promise<ReadonlyMap<string, Sum>> {
  const ends = passesOf(trace).map(({ pos0, nTokens }) => pos0 + nTokens);
  const cuts = ends.some((end) => end > 0) ? ends : [tokens.length];
  const run = model.start(tokens.slice(0, cuts[0]), { budget: 0 });
  try {
    await run.toEnd();
    for (const [i, end] of cuts.slice(1).entries()) {
      await run.append(tokens.slice(cuts[i], end));
      await run.toEnd();
    }
    return new Map(
      run.trace.entries.map(({ name, pass, statistics: { sum, rms, n } }) => [
        `${name} ${pass}`,
        { sum, size: rms * Math.sqrt(n) },
      ]),
    );
  } finally {
    run.close();
  }
}

/** Root mean square over the column of how far the sums are apart, each relative to its size and none counted above 1. */
export function distanceOf(column: readonly TraceRow[], sums: ReadonlyMap<string, Sum>): number {
  const squared = column.map(({ name, pass, statistics }) => {
    const found = sums.get(`${name} ${pass}`);
    if (!found) return 1;
    const error = Math.abs(found.sum - statistics.sum);
    return error === 0 ? 0 : Math.min(1, error / found.size) ** 2;
  });
  return Math.sqrt(squared.reduce((sum, each) => sum + each, 0) / squared.length);
}
