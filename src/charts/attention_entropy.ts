/** How widely each head spreads its attention: the entropy of its pattern, near 0 where it looks at one token only. */
import { type Chart, chart, rounded, short } from './chart.ts';
import { type HeadValue, headMap, headName } from './head_map.ts';
import { type Pattern, patternOf } from './pattern.ts';
import { layersOf, type Source, textOf, traceOf } from './source.ts';

/**
 * −Σ p ln p of each head's pattern, in nats, as the mean over its queries. The first token is left out: it sees itself
 * only. Throws TraceError where no layer was run, or values were not kept.
 */
export async function attentionEntropy(source: Source): Promise<Chart> {
  const trace = traceOf(source);
  const values: HeadValue[] = [];
  let end = 1;
  for (const layer of layersOf(trace, 'kq_soft_max', 'attention entropy')) {
    const pattern = await patternOf(trace, layer, 'attention entropy');
    end = pattern.end;
    for (let head = 0; head < pattern.nHead; head++)
      values.push({ layer, head, value: rounded(meanEntropy(pattern, head)) });
  }
  const [narrowest, widest] = [Math.min, Math.max].map((pick) => pick(...values.map(({ value }) => value))) as [
    number,
    number,
  ];
  const of = (value: number) => headName(values.find((each) => each.value === value) as HeadValue);
  return chart(
    {
      title: 'How widely each head looks',
      subtitle: [
        textOf(trace),
        'Entropy of the attention pattern in nats, mean over queries',
        `0: all on one token; ${short(Math.log(end))}: the last token’s, spread evenly over ${end}`,
      ],
      description:
        `Heatmap of attention entropy by layer and head: from ${short(narrowest)} nats in head ${of(narrowest)} ` +
        `to ${short(widest)} in head ${of(widest)} (layer.head).`,
    },
    headMap({
      title: 'attention entropy',
      unit: 'entropy (nats)',
      domain: [0, Math.max(widest, 1e-6)],
      values,
    }),
  );
}

function meanEntropy(pattern: Pattern, head: number): number {
  const first = Math.max(1, pattern.start);
  let sum = 0;
  for (let query = first; query < pattern.end; query++) {
    for (const p of pattern.row(head, query)) if (p > 0) sum -= p * Math.log(p);
  }
  return sum / Math.max(1, pattern.end - first);
}
