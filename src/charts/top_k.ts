/** What the model would say after a token: its k likeliest next tokens, with probability, logit and rank. */
import { tokenLabel } from '../trace/token_label.ts';
import { CATEGORIES, type Chart, chart, percent, rounded, short } from './chart.ts';
import { type NextToken, nextTokenAt } from './next_token.ts';
import { idLabels, type Source, textOf, traceOf, type Vocabulary } from './source.ts';

export interface TopKOptions {
  /** After which token; negative counts from the end. Default -1, the last. */
  readonly position?: number;
  /** How many tokens. Default 10. */
  readonly k?: number;
  /** What ids spell, for a trace read from a file; a run knows. */
  readonly tokenizer?: Vocabulary;
}

interface Candidate {
  readonly rank: number;
  readonly token: string;
  readonly id: number;
  readonly logit: number;
  readonly probability: number;
  /** Beside the bar. */
  readonly label: string;
}

/**
 * The largest logits of `result_output` at a position and their softmax. Throws TraceError where the run did not come to
 * its end, values were not kept, or there is no such position.
 */
export async function topK(source: Source, { position = -1, k = 10, tokenizer }: TopKOptions = {}): Promise<Chart> {
  const trace = traceOf(source);
  const next = await nextTokenAt(source, position, 'the top tokens');
  const candidates = candidatesOf(source, next, k, tokenizer);
  const { nanCount, logits } = next;
  const after = tokenLabel(trace, next.position);
  const first = candidates[0];
  const rest = Math.max(0, 1 - candidates.reduce((sum, { probability }) => sum + probability, 0));
  return chart(
    {
      title: `What may follow ${after}`,
      subtitle: [
        textOf(trace),
        `The ${candidates.length} likeliest of ${logits.length} tokens; all others together ${percent(rest)}`,
        ...(nanCount > 0 ? [`${nanCount} logits are NaN and left out`] : []),
      ],
      description: first
        ? `Bar chart of the ${candidates.length} likeliest tokens after ${after}: first ${first.token} with ${percent(first.probability)}.`
        : `Nothing can follow ${after}: every logit is NaN.`,
    },
    {
      height: { step: 22 },
      width: 360,
      data: { values: candidates },
      encoding: {
        y: { field: 'token', type: 'nominal', sort: candidates.map(({ token }) => token), title: 'next token' },
        x: {
          field: 'probability',
          type: 'quantitative',
          title: 'probability',
          axis: { format: '.0%' },
          scale: { domain: [0, 1] },
        },
        tooltip: [
          { field: 'rank', type: 'quantitative', title: 'rank', format: 'd' },
          { field: 'token', type: 'nominal', title: 'token' },
          { field: 'id', type: 'quantitative', title: 'id', format: 'd' },
          { field: 'probability', type: 'quantitative', title: 'probability', format: '.4%' },
          { field: 'logit', type: 'quantitative', title: 'logit', format: '.4f' },
        ],
      },
      layer: [
        { mark: { type: 'bar', color: CATEGORIES[0] } },
        {
          mark: { type: 'text', align: 'left', dx: 4, clip: false },
          encoding: { text: { field: 'label', type: 'nominal' } },
        },
      ],
    },
  );
}

function candidatesOf(source: Source, next: NextToken, k: number, tokenizer?: Vocabulary): Candidate[] {
  const top = next.top(k);
  const labels = idLabels(source, top, tokenizer);
  return top.map((id, i) => {
    const [logit, probability] = [next.logits[id] as number, next.probabilities[id] as number];
    return {
      ...{ rank: i + 1, token: labels.get(id) as string, id, logit: rounded(logit) },
      probability: rounded(probability),
      label: `${percent(probability)}, logit ${short(logit)}`,
    };
  });
}
