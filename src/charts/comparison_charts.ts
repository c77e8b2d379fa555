/** The charts of a comparison: how its error grows, and both sides beside each other. */
import type { Compared, Comparison } from '../compare/comparison.ts';
import { attentionDifference } from './attention_difference.ts';
import type { Chart } from './chart.ts';
import { errorGrowth } from './error_growth.ts';
import { logitsBeside } from './logits_beside.ts';
import { rmsBeside } from './rms_beside.ts';
import { traceOf } from './source.ts';

/** The charts that this comparison has something to draw in, the most telling first. */
export async function comparisonCharts(comparison: Comparison): Promise<Chart[]> {
  const { compared } = comparison;
  const charts: Chart[] = [];
  if (comparison.tensors.some(({ measure }) => measure !== null)) {
    charts.push(await errorGrowth(comparison), await rmsBeside(comparison));
  }
  if (!compared || comparison.verdict === 'refused') return charts;
  const { ours, reference } = compared;
  if (bothKeep(compared, 'result_output')) charts.push(await logitsBeside(ours, reference));
  const place = divergentHead(comparison);
  if (place && bothKeep(compared, `kq_soft_max-${place.layer}`)) {
    charts.push(await attentionDifference(ours, reference, place));
  }
  return charts;
}

function bothKeep({ ours, reference }: Compared, name: string): boolean {
  return [ours, reference].every((source) => {
    const rows = traceOf(source).entries.filter((row) => row.name === name);
    return rows.length > 0 && rows.every(({ hasValues }) => hasValues);
  });
}

/** The head of the first divergence as a head of queries: one of keys and values serves several, of which the first. */
function divergentHead({ firstDivergence: first, tensors }: Comparison): { layer: number; head: number } | null {
  if (!first || first.layer === null || first.head === null) return null;
  const headsOf = (name: string) => {
    const tensor = tensors.find((each) => each.name === name);
    return tensor?.shape[tensor.dims.indexOf('head')];
  };
  const [nHead, here] = [headsOf(`kq_soft_max-${first.layer}`), headsOf(first.name)];
  return nHead && here ? { layer: first.layer, head: Math.floor((first.head * nHead) / here) } : null;
}
