/** The likeliest next tokens of two runs side by side, each with its rank and probability on the other side. */
import { tokenLabel } from '../trace/token_label.ts';
import { CATEGORIES, type Chart, chart, type Layers, percent, rounded } from './chart.ts';
import { type NextToken, nextTokenAt } from './next_token.ts';
import { idLabels, type Source, textOf, traceOf, type Vocabulary, vocabularyOf } from './source.ts';

export interface LogitsBesideOptions {
  /** After which token; negative counts from ours' end. Default -1, the last. */
  readonly position?: number;
  /** How many tokens of each side. Default 10. */
  readonly k?: number;
  /** What ids spell, for traces read from files; a run knows. */
  readonly tokenizer?: Vocabulary;
  /** What the two sides are called, as in “with the change” and “without the change”. Default ours and reference. */
  readonly sides?: { readonly ours: string; readonly reference: string };
}

interface Candidate {
  readonly token: string;
  readonly id: number;
  readonly rank: number;
  readonly probability: number;
  readonly rankThere: string;
  readonly probabilityThere: string;
  /** Beside the bar. */
  readonly label: string;
}

/**
 * The k likeliest tokens of each side by the softmax of `result_output` at one position. Throws TraceError where a run did
 * not come to its end, values were not kept, or there is no such position.
 */
export async function logitsBeside(
  ours: Source,
  reference: Source,
  { position = -1, k = 10, tokenizer, sides }: LogitsBesideOptions = {},
): Promise<Chart> {
  const mine = await nextTokenAt(ours, position, 'the top tokens');
  const theirs = await nextTokenAt(reference, mine.position, 'the top tokens of the reference');
  const vocabulary = vocabularyOf(ours, tokenizer) ?? vocabularyOf(reference);
  const [ourTop, theirTop] = [mine.top(k), theirs.top(k)];
  const labels = idLabels(ours, new Set([...ourTop, ...theirTop]), vocabulary);
  const trace = traceOf(ours);
  const after = tokenLabel(trace, mine.position);
  const shared = ourTop.filter((id) => theirTop.includes(id)).length;
  const nanCount = mine.nanCount + theirs.nanCount;
  const firstOf = (top: readonly number[], { probabilities }: NextToken) =>
    top[0] === undefined ? 'nothing' : `${labels.get(top[0])} with ${percent(probabilities[top[0]] as number)}`;
  return chart(
    {
      title: `What may follow ${after}, on both sides`,
      subtitle: [
        textOf(trace),
        `${sharedSaid(shared, theirTop.length, sides)}; beside each bar: how the other side has it`,
        ...(nanCount > 0 ? [`NaN logits, left out: ${nanCount}`] : []),
      ],
      description: `Two bar charts of the likeliest tokens after ${after}: ours has ${firstOf(ourTop, mine)} first, the reference ${firstOf(theirTop, theirs)}.`,
    },
    {
      hconcat: [
        panel(sides?.ours ?? 'ours', CATEGORIES[0], candidatesOf(ourTop, mine, theirs, labels)),
        panel(sides?.reference ?? 'reference', '#555555', candidatesOf(theirTop, theirs, mine, labels)),
      ],
      spacing: 30,
    },
  );
}

function sharedSaid(shared: number, count: number, sides: LogitsBesideOptions['sides']): string {
  return sides
    ? `${shared} of the ${count} likeliest ${sides.reference} are so ${sides.ours} too`
    : `${shared} of the ${count} likeliest of the reference are among ours`;
}

function candidatesOf(
  top: readonly number[],
  here: NextToken,
  there: NextToken,
  labels: ReadonlyMap<number, string>,
): Candidate[] {
  return top.map((id, i) => {
    const [probability, other] = [here.probabilities[id] as number, there.probabilities[id]];
    const rank = rankIn(there, id);
    const rankThere = rank === null ? 'none' : `${rank}`;
    const probabilityThere = other === undefined ? 'none' : percent(other);
    return {
      ...{ token: labels.get(id) as string, id, rank: i + 1, probability: rounded(probability) },
      ...{ rankThere, probabilityThere },
      label: `${percent(probability)}; there ${rank === null ? 'none' : `#${rank}, ${probabilityThere}`}`,
    };
  });
}

/** 1 is the likeliest; null where the other side has no such token, or NaN for it. */
function rankIn({ logits }: NextToken, id: number): number | null {
  const logit = logits[id];
  if (logit === undefined || Number.isNaN(logit)) return null;
  return 1 + logits.reduce((before, other, at) => before + (other > logit || (other === logit && at < id) ? 1 : 0), 0);
}

function panel(title: string, colour: string, candidates: readonly Candidate[]): Layers {
  const tooltip = [
    { field: 'token', type: 'nominal', title: 'token' },
    { field: 'id', type: 'quantitative', title: 'id', format: 'd' },
    { field: 'rank', type: 'quantitative', title: 'rank here', format: 'd' },
    { field: 'probability', type: 'quantitative', title: 'probability here', format: '.4%' },
    { field: 'rankThere', type: 'nominal', title: 'rank on the other side' },
    { field: 'probabilityThere', type: 'nominal', title: 'probability there' },
  ] as const;
  return {
    title: { text: title, anchor: 'start', frame: 'group', fontSize: 13 },
    height: { step: 22 },
    width: 180,
    data: { values: [...candidates] },
    encoding: {
      y: { field: 'token', type: 'nominal', sort: candidates.map(({ token }) => token), title: 'next token' },
      x: {
        ...{ field: 'probability', type: 'quantitative', title: 'probability' },
        axis: { format: '.0%', values: [0, 0.5, 1] },
        scale: { domain: [0, 1] },
      },
      tooltip: [...tooltip],
    },
    layer: [
      { mark: { type: 'bar', color: colour } },
      {
        mark: { type: 'text', align: 'left', dx: 4, clip: false },
        encoding: { text: { field: 'label', type: 'nominal' } },
      },
    ],
  };
}
