/**
 * Outlier dimensions: the few of the residual stream whose values are many times those of the rest, in every layer
 * (Dettmers et al. 2022, arXiv:2208.07339). They carry most of an RMS, and rounding errors of theirs hurt most.
 */
import type { Tensor } from '../trace/tensor.ts';
import { type Chart, chart, FOUR_DIGITS, rounded, SEQUENTIAL, short } from './chart.ts';
import { layersOf, type Source, textOf, tokenRows, traceOf } from './source.ts';

export interface OutlierOptions {
  /** A name without its layer. Default `l_out`. */
  readonly tensor?: string;
  /** How many dimensions. Default 12. */
  readonly k?: number;
}

interface Cell {
  readonly dimension: string;
  readonly layer: number;
  readonly rms: number;
  /** RMS of the dimension over the median RMS of all dimensions of that layer. */
  readonly ratio: number;
}

/**
 * The k dimensions that are at some layer the largest against that layer's median dimension. Throws TraceError where no
 * layer has the tensor, or values were not kept.
 */
export async function outlierDimensions(
  source: Source,
  { tensor = 'l_out', k = 12 }: OutlierOptions = {},
): Promise<Chart> {
  const trace = traceOf(source);
  const layers: { layer: number; rms: Float64Array; median: number }[] = [];
  for (const layer of layersOf(trace, tensor, 'outlier dimensions')) {
    const rms = rmsByDimension((await tokenRows(trace, `${tensor}-${layer}`, 'outlier dimensions')).tensor);
    layers.push({ layer, rms, median: [...rms].sort((a, b) => a - b)[Math.floor(rms.length / 2)] || 1 });
  }
  const nEmbd = layers[0]?.rms.length ?? 0;
  const largest = Array.from({ length: nEmbd }, (_, dimension) => ({
    dimension,
    ratio: Math.max(...layers.map(({ rms, median }) => (rms[dimension] as number) / median)),
  })).sort((a, b) => b.ratio - a.ratio || a.dimension - b.dimension);
  const chosen = largest.slice(0, k).map(({ dimension }) => dimension);
  const cells = chosen.flatMap((dimension) =>
    layers.map(({ layer, rms, median }): Cell => {
      const own = rms[dimension] as number;
      return { dimension: `${dimension}`, layer, rms: rounded(own), ratio: rounded(own / median) };
    }),
  );
  const axis = { labelAngle: 0, ticks: false, domain: false } as const;
  const first = largest[0];
  return chart(
    {
      title: `Which dimensions of ${tensor} stand out`,
      subtitle: [
        textOf(trace),
        `The ${chosen.length} largest of ${nEmbd} dimensions`,
        'RMS over tokens, against the layer’s median dimension',
      ],
      description: `Heatmap of outlier dimensions by layer: the largest is dimension ${first?.dimension}, up to ${short(first?.ratio ?? 0)} times the median.`,
    },
    {
      width: { step: 44 },
      height: { step: 20 },
      data: { values: cells },
      mark: { type: 'rect', aria: false },
      encoding: {
        x: { field: 'layer', type: 'ordinal', title: 'layer', axis: { ...axis, labelOverlap: 'greedy' } },
        y: { field: 'dimension', type: 'nominal', sort: chosen.map(String), title: 'dimension', axis },
        color: {
          field: 'ratio',
          type: 'quantitative',
          title: 'times the median dimension',
          scale: { scheme: SEQUENTIAL, domainMin: 0 },
          legend: { gradientLength: 120, format: ',.3~r' },
        },
        tooltip: [
          { field: 'dimension', type: 'nominal', title: 'dimension' },
          { field: 'layer', type: 'ordinal', title: 'layer' },
          { field: 'rms', type: 'quantitative', title: 'RMS over tokens', format: FOUR_DIGITS },
          { field: 'ratio', type: 'quantitative', title: 'times the median', format: FOUR_DIGITS },
        ],
      },
    },
  );
}

/** Of `[token, …]`, all axes after the first taken as one. */
function rmsByDimension({ data, shape }: Tensor): Float64Array {
  const nTokens = shape[0] as number;
  const rms = new Float64Array(data.length / nTokens);
  for (const [i, x] of data.entries()) rms[i % rms.length]! += (x * x) / nTokens;
  return rms.map(Math.sqrt);
}
