/** How the values of a tensor are spread at each layer: quartiles, the range of 98 %, and the extremes. */
import { TraceError } from '../errors.ts';
import { CATEGORIES, type Chart, chart, FOUR_DIGITS, rounded, short } from './chart.ts';
import { layersOf, type Source, textOf, tokenRows, traceOf } from './source.ts';

export interface DistributionOptions {
  /** A name without its layer, such as `attn_out`. Default `l_out`. */
  readonly tensor?: string;
}

const QUANTILES = { min: 0, p1: 0.01, p25: 0.25, median: 0.5, p75: 0.75, p99: 0.99, max: 1 } as const;
type Spread = { readonly layer: number } & Readonly<Record<keyof typeof QUANTILES, number>>;

/**
 * Quantiles over all tokens and dimensions by layer, on a symmetric log scale: linear near zero, where most values are.
 * Throws TraceError where no layer has the tensor, values were not kept, or none of them is a number.
 */
export async function distribution(source: Source, { tensor = 'l_out' }: DistributionOptions = {}): Promise<Chart> {
  const trace = traceOf(source);
  const spreads: Spread[] = [];
  let left = 0;
  for (const layer of layersOf(trace, tensor, `the distribution of ${tensor}`)) {
    const { data } = (await tokenRows(trace, `${tensor}-${layer}`, `the distribution of ${tensor}`)).tensor;
    const finite = data.filter(Number.isFinite).sort();
    left += data.length - finite.length;
    if (finite.length > 0) spreads.push(spreadOf(layer, finite));
  }
  const last = spreads.at(-1);
  if (!last)
    throw new TraceError(`Cannot draw the distribution of ${tensor}: no value of it is a finite number`, { tensor });
  const narrow = Math.min(...spreads.map(({ p25, p75 }) => p75 - p25));
  const tooltip = Object.keys(QUANTILES).map(
    (field) => ({ field, type: 'quantitative', title: field, format: FOUR_DIGITS }) as const,
  );
  const y = (field: keyof typeof QUANTILES) => ({ field, type: 'quantitative' }) as const;
  return chart(
    {
      title: `How the values of ${tensor} are spread at each layer`,
      subtitle: [
        textOf(trace),
        'Box: the middle half, with the median',
        'Line: from the 1st to the 99th percentile; points: extremes',
        ...(left > 0 ? [`${left} values are NaN or Inf and left out`] : []),
      ],
      description:
        `Box plot of ${tensor} by layer: at layer ${last.layer} half of the values are between ${short(last.p25)} and ` +
        `${short(last.p75)}, the extremes ${short(last.min)} and ${short(last.max)}.`,
    },
    {
      width: { step: 44 },
      height: 300,
      data: { values: spreads },
      encoding: {
        x: { field: 'layer', type: 'ordinal', title: 'layer', axis: { labelAngle: 0, labelOverlap: 'greedy' } },
        tooltip: [{ field: 'layer', type: 'ordinal', title: 'layer' }, ...tooltip],
      },
      layer: [
        {
          mark: { type: 'rule', color: CATEGORIES[0] },
          encoding: {
            y: {
              ...y('p1'),
              title: 'value (symmetric log scale)',
              // Linear within the narrowest middle half, so that zero is no gap and every layer has a box.
              scale: { type: 'symlog', constant: Math.max(1e-6, narrow) },
              axis: { format: ',.4~r', tickCount: 9, labelOverlap: 'greedy' },
            },
            y2: { field: 'p99' },
          },
        },
        { mark: { type: 'bar', size: 22, color: CATEGORIES[5] }, encoding: { y: y('p25'), y2: { field: 'p75' } } },
        { mark: { type: 'tick', size: 22, thickness: 2, color: 'black' }, encoding: { y: y('median') } },
        { mark: { type: 'point', size: 22, color: CATEGORIES[1] }, encoding: { y: y('min') } },
        { mark: { type: 'point', size: 22, color: CATEGORIES[1] }, encoding: { y: y('max') } },
      ],
    },
  );
}

/** Of sorted values: those at each fraction of the way, the nearer of two. */
function spreadOf(layer: number, sorted: Float32Array): Spread {
  const at = (fraction: number) => rounded(sorted[Math.round(fraction * (sorted.length - 1))] as number);
  const { min, p1, p25, median, p75, p99, max } = QUANTILES;
  return {
    ...{ layer, min: at(min), p1: at(p1), p25: at(p25), median: at(median) },
    ...{ p75: at(p75), p99: at(p99), max: at(max) },
  };
}
