/** Why a head has one token look at another: the score q · k, dimension by dimension, up to the share of attention it becomes. */
import { tokenLabel } from '../trace/token_label.ts';
import { CATEGORIES, type Chart, chart, FOUR_DIGITS, percent, rounded, short, type Unit } from './chart.ts';
import { type QkPlace, type QkTerms, qkTerms } from './qk_terms.ts';
import { type Source, textOf, traceOf } from './source.ts';

export interface QkOptions extends QkPlace {
  /** By `size` the largest products come first. Default `dimension`: as they lie in the vector, pairs of RoPE side by side. */
  readonly order?: 'dimension' | 'size';
}

/** Pixels of a dimension, and of all where there are many. */
const [WIDEST_BAR, WIDEST_CHART] = [20, 720];
/** Of a head's score in f32: products and their sum are rounded up to as often as there are dimensions. */
const ROUNDING = 1e-5;
const SIGNS = ['for: raises the score', 'against: lowers it'] as const;

interface Term {
  readonly dimension: string;
  readonly pair: number;
  readonly q: number;
  readonly k: number;
  readonly product: number;
  /** Of this and all before it. */
  readonly sum: number;
  readonly sign: (typeof SIGNS)[number];
}

/**
 * A bar q_d · k_d for each dimension, and below the running sum, which ends at the score. Throws TraceError where there is no
 * such layer, head or position, the key stands after the query, or values were not kept.
 */
export async function qk(source: Source, { order = 'dimension', ...place }: QkOptions): Promise<Chart> {
  const trace = traceOf(source);
  const found = await qkTerms(trace, place);
  const terms = termsOf(found, order);
  const [query, key] = [tokenLabel(trace, place.query), tokenLabel(trace, place.key)];
  const largest = terms.reduce((a, b) => (Math.abs(b.product) > Math.abs(a.product) ? b : a));
  return chart(
    {
      title: `Why head ${place.head} of layer ${place.layer} gives ${key} ${percent(found.recordedWeight)} of what ${query} looks at`,
      subtitle: [textOf(trace), scoreSaid(found), orderSaid(order), ...sharedSaid(found), ...mismatchSaid(found)],
      description:
        `Bar chart of the ${terms.length} products that make the score of head ${place.head} in layer ${place.layer} for ` +
        `${query} and ${key}: ${short(found.score)} in all, most from dimension ${largest.dimension} with ${short(largest.product)}.`,
    },
    { vconcat: [bars(terms, order), sums(terms, found)], spacing: 16 },
  );
}

function termsOf({ q, k, products }: QkTerms, order: 'dimension' | 'size'): Term[] {
  const dimensions = [...products.keys()];
  const size = (d: number) => Math.abs(products[d] as number);
  if (order === 'size') dimensions.sort((a, b) => size(b) - size(a) || a - b);
  let sum = 0;
  return dimensions.map((d): Term => {
    const product = products[d] as number;
    sum += product;
    return {
      ...{ dimension: `${d}`, pair: Math.floor(d / 2), q: rounded(q[d] as number), k: rounded(k[d] as number) },
      ...{ product: rounded(product), sum: rounded(sum), sign: SIGNS[product < 0 ? 1 : 0] },
    };
  });
}

function scoreSaid({ score, scale, products, weight, query }: QkTerms): string {
  const keys = `${query + 1} key${query === 0 ? '' : 's'}`;
  return (
    `q · k over ${products.length} dimensions is ${short(score)}; times 1/√${products.length} that is ${short(score * scale)}, ` +
    `and the softmax over ${keys} makes it ${percent(weight)} of the attention`
  );
}

function orderSaid(order: 'dimension' | 'size'): string {
  return order === 'size'
    ? 'Largest products first; whatever their order they add up to the same'
    : 'Two by two, white and grey: pairs that RoPE turns together, the first ones fastest as positions grow';
}

function sharedSaid({ headKv, sharedBy }: QkTerms): string[] {
  return sharedBy > 1 ? [`Grouped queries: ${sharedBy} heads ask key head ${headKv}`] : [];
}

/** A faulty run, or one that was edited, may hold something else than its own q and k give. */
function mismatchSaid({ score, recorded, products, weight, recordedWeight }: QkTerms): string[] {
  const magnitude = products.reduce((sum, product) => sum + Math.abs(product), 0);
  return [
    ...(Math.abs(score - recorded) > ROUNDING * magnitude
      ? [`But the run has the score ${short(recorded)}: it was changed, or read from other keys`]
      : []),
    ...(Math.abs(weight - recordedWeight) > ROUNDING
      ? [`But the run has a share of ${percent(recordedWeight)}: it was changed, or scaled or masked in another way`]
      : []),
  ];
}

function axisOf(terms: readonly Term[], title: string | null) {
  const step = Math.max(3, Math.min(WIDEST_BAR, Math.floor(WIDEST_CHART / terms.length)));
  const x = {
    field: 'dimension',
    type: 'nominal',
    sort: terms.map(({ dimension }) => dimension),
    title,
    axis: { labels: title !== null, labelAngle: 0, labelOverlap: 'greedy', ticks: false, domain: false },
  } as const;
  return { width: { step }, x: { ...x, sort: terms.map(({ dimension }) => dimension) } };
}

const tooltip = [
  { field: 'dimension', type: 'nominal', title: 'dimension' },
  { field: 'pair', type: 'quantitative', title: 'pair of RoPE', format: 'd' },
  { field: 'q', type: 'quantitative', title: 'q', format: FOUR_DIGITS },
  { field: 'k', type: 'quantitative', title: 'k', format: FOUR_DIGITS },
  { field: 'product', type: 'quantitative', title: 'q · k', format: FOUR_DIGITS },
  { field: 'sum', type: 'quantitative', title: 'sum so far', format: FOUR_DIGITS },
] as const;

function bars(terms: readonly Term[], order: 'dimension' | 'size') {
  const { width, x } = axisOf(terms, null);
  const zebra: Unit = {
    data: { values: terms.filter(({ pair }) => pair % 2 === 1) },
    mark: { type: 'bar', color: '#888888', opacity: 0.14, width: { band: 1 }, aria: false },
    encoding: { x, y: { value: 0 }, y2: { value: 'height' } as never, tooltip: [...tooltip] },
  };
  const products: Unit = {
    data: { values: [...terms] },
    mark: { type: 'bar', aria: false },
    encoding: {
      x,
      y: { field: 'product', type: 'quantitative', title: 'q · k of a dimension (score)', axis: { tickCount: 5 } },
      color: {
        ...{ field: 'sign', type: 'nominal', title: 'this dimension speaks' },
        scale: { domain: [...SIGNS], range: [CATEGORIES[0], CATEGORIES[1]] },
        legend: { orient: 'bottom' },
      },
      tooltip: [...tooltip],
    },
  };
  return { width, height: 170, layer: order === 'dimension' ? [zebra, products] : [products] };
}

/** Steps up and down to the score, which a line marks. */
function sums(terms: readonly Term[], { score }: QkTerms) {
  const title = 'dimension of the head';
  const { width, x } = axisOf(terms, title);
  const y = { type: 'quantitative', title: 'sum so far (score)', axis: { tickCount: 5 } } as const;
  const end = { values: [{ score: rounded(score), label: `score ${short(score)}` }] };
  const mark = [{ field: 'score', type: 'quantitative', title: 'score', format: FOUR_DIGITS }] as const;
  return {
    width,
    height: 130,
    layer: [
      {
        data: end,
        mark: { type: 'rule', color: '#000', strokeDash: [4, 4] },
        encoding: { y: { ...y, field: 'score' }, tooltip: [...mark] },
      },
      {
        data: end,
        mark: { type: 'text', align: 'left', dx: 6, fontWeight: 'bold' },
        encoding: {
          x: { value: 'width' },
          y: { ...y, field: 'score' },
          text: { field: 'label', type: 'nominal' },
          tooltip: [...mark],
        },
      },
      {
        data: { values: [...terms] },
        mark: {
          type: 'line',
          interpolate: 'step',
          color: CATEGORIES[2],
          strokeWidth: 2,
          point: { color: CATEGORIES[2], size: 18 },
        },
        encoding: { x, y: { ...y, field: 'sum' }, tooltip: [...tooltip] },
      },
    ] as Unit[],
  };
}
