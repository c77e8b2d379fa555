/**
 * Three habits of attention heads, each the mean share of attention that goes where the habit says, from 0 to 1:
 *
 *   previous token  to the token just before
 *   induction       to the token after the last earlier occurrence of this one (Olsson et al. 2022, arXiv:2209.11895)
 *   first token     to the first token, where heads with nothing to do rest (Xiao et al. 2023, arXiv:2309.17453)
 *
 * Previous and first token are scored from the third token on, because for the second they are the same. The same
 * definitions score the shipped model in fixtures/train/evaluate.py.
 */
import { TraceError } from '../errors.ts';
import type { Trace } from '../trace/trace.ts';
import { type Chart, chart, rounded, short } from './chart.ts';
import { type HeadValue, headMap, headName } from './head_map.ts';
import { type Pattern, patternOf } from './pattern.ts';
import { layersOf, type Source, textOf, traceOf } from './source.ts';

/** Which key each query should look at if the head had the habit; queries of which it says nothing are not in it. */
type Habit = ReadonlyMap<number, number>;

/**
 * Scores of every head that was run. Induction is there only where the text repeats a token, and worth most on random
 * tokens repeated once. Throws TraceError where a text has fewer than three tokens, or values were not kept.
 */
export async function headScores(source: Source): Promise<Chart> {
  const trace = traceOf(source);
  const patterns: Pattern[] = [];
  for (const layer of layersOf(trace, 'kq_soft_max', 'head scores'))
    patterns.push(await patternOf(trace, layer, 'head scores'));
  const habits = habitsOf(trace, patterns[0] as Pattern);
  const maps = [...habits].map(([title, habit]) => ({ title, values: scores(patterns, habit) }));
  const best = maps.map(({ title, values }) => {
    const top = values.reduce((a, b) => (b.value > a.value ? b : a));
    return `${title} ${headName(top)} (${short(top.value)})`;
  });
  const inductionSaid = habits.has('induction')
    ? `Induction: to the token after this one’s last occurrence; tokens that occur again: ${habits.get('induction')?.size}`
    : 'No induction: no token of this text occurs again with another after it';
  return chart(
    {
      title: 'What each head is in the habit of looking at',
      subtitle: [
        textOf(trace),
        'Mean share of attention, 0 to 1',
        inductionSaid,
        `Highest (layer.head): ${best.join(', ')}`,
      ],
      description: `Heatmaps by layer and head of how much attention follows a habit; highest (layer.head): ${best.join(', ')}.`,
    },
    {
      // Three side by side would be wider than a notebook.
      columns: 2,
      concat: maps.map(({ title, values }) =>
        headMap({ title, unit: 'mean share of attention', domain: [0, 1], values }),
      ),
    },
  );
}

function habitsOf({ manifest }: Trace, { start, end }: Pattern): Map<string, Habit> {
  const queries = Array.from({ length: end }, (_, query) => query).slice(Math.max(2, start));
  if (queries.length === 0) {
    throw new TraceError(`Cannot draw head scores: the text has ${end} tokens; give one with at least three`);
  }
  const habits = new Map<string, Habit>([
    ['previous token', new Map(queries.map((query) => [query, query - 1]))],
    ['first token', new Map(queries.map((query) => [query, 0]))],
  ]);
  const tokens = manifest.tokens ?? [];
  const after = queries.map((query) => [query, tokens.lastIndexOf(tokens[query] as number, query - 1) + 1] as const);
  const repeated = after.filter(([query, key]) => query < tokens.length && key > 0 && key < query);
  if (repeated.length > 0) habits.set('induction', new Map(repeated));
  return habits;
}

function scores(patterns: readonly Pattern[], habit: Habit): HeadValue[] {
  return patterns.flatMap((pattern) =>
    Array.from({ length: pattern.nHead }, (_, head) => {
      let sum = 0;
      for (const [query, key] of habit) sum += pattern.row(head, query)[key] as number;
      return { layer: pattern.layer, head, value: rounded(sum / habit.size) };
    }),
  );
}
