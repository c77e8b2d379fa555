/**
 * Direct logit attribution: which parts of the residual stream, and which heads, speak for a token, or for one rather than
 * another. Needs the transform of that name (src/engine/transforms/attribution.ts), which says how it is computed.
 */
import { TraceError } from '../errors.ts';
import { shown, tokenLabel } from '../trace/token_label.ts';
import type { Trace } from '../trace/trace.ts';
import { CATEGORIES, type Chart, chart, FOUR_DIGITS, type Layers, rounded, short } from './chart.ts';
import { type HeadValue, headMap, headName } from './head_map.ts';
import {
  idLabels,
  layersOf,
  paramsOf,
  rowAt,
  type Source,
  textOf,
  tokenId,
  traceOf,
  type Vocabulary,
  vocabularyOf,
} from './source.ts';

export interface AttributionChartOptions {
  /** After which token; negative counts from the end. Default -1, the last. */
  readonly position?: number;
  /** What ids spell, for a trace read from a file; a run knows. */
  readonly tokenizer?: Vocabulary;
}

const CHART = 'the direct logit attribution';

/** In the legend's order. */
const KINDS = ['embedding', 'attention', 'feed-forward'] as const;

interface Part {
  readonly part: string;
  readonly kind: (typeof KINDS)[number];
  readonly logits: number;
  /** Of this part and all before it. */
  readonly sum: number;
  /** Beside the bar, and where: one that goes to the left has its axis' labels there. */
  readonly label: string;
  readonly labelAt: number;
}

/**
 * In logits: a bar for the embedding and for each layer's attention and feed-forward, in the order of the pass, and a map of
 * the heads. Throws TraceError where the run had no attribution or did not come to its end, values were not kept, or there
 * is no such position.
 */
export async function attribution(
  source: Source,
  { position = -1, tokenizer }: AttributionChartOptions = {},
): Promise<Chart> {
  const trace = traceOf(source);
  mustHaveAttribution(trace);
  const rms = await rowAt(trace, 'attribution_rms', position, CHART);
  const logits = async (name: string) => {
    const { values } = await rowAt(trace, name, rms.position, CHART);
    return Array.from(values, (value) => value / (rms.values[0] as number));
  };
  const layers = layersOf(trace, 'attribution_attn', CHART);
  const found: [part: string, kind: Part['kind'], logits: number[]][] = [
    ['embd', 'embedding', await logits('attribution_embd')],
  ];
  const heads: HeadValue[] = [];
  for (const layer of layers) {
    found.push([`attn_out-${layer}`, 'attention', await logits(`attribution_attn-${layer}`)]);
    found.push([`ffn_out-${layer}`, 'feed-forward', await logits(`attribution_ffn-${layer}`)]);
    const own = await logits(`attribution_heads-${layer}`);
    heads.push(...own.map((value, head) => ({ layer, head, value: rounded(value) })));
  }
  let total = 0;
  const parts = found.map(([part, kind, [value = 0]]): Part => {
    total += value;
    return {
      part,
      kind,
      logits: rounded(value),
      sum: rounded(total),
      label: signed(value),
      labelAt: Math.max(0, rounded(value)),
    };
  });
  const { forWhom, whose } = tokensSaid(source, tokenizer);
  const largest = parts.reduce((a, b) => (Math.abs(b.logits) > Math.abs(a.logits) ? b : a));
  const strongest = heads.reduce((a, b) => (Math.abs(b.value) > Math.abs(a.value) ? b : a));
  const after = tokenLabel(trace, rms.position);
  return chart(
    {
      title: `What speaks for ${forWhom} after ${after} (direct logit attribution)`,
      subtitle: [
        textOf(trace),
        `Left: the parts of the residual stream; they add up to ${short(total)}, ${whose}`,
        'Right: the parts of attention by head. The final norm’s scale is taken as it is at this token',
        'Direct only: what later layers make of a part counts as theirs',
      ],
      description:
        `Bar chart of what each part of the residual stream adds to ${whose} after ${after}, ${short(total)} in all: most is ` +
        `${largest.part} with ${largest.label}; and a heatmap by head (layer.head): strongest is ${headName(strongest)} with ${signed(strongest.value)}.`,
    },
    { hconcat: [bars(parts), headsOf(heads)] },
  );
}

function mustHaveAttribution(trace: Trace): void {
  if (paramsOf(trace, 'attribution') || trace.names.includes('attribution_rms')) return;
  throw new TraceError(
    `Cannot draw ${CHART}: this run had none; start one with model.with(attribution({ token, versus })).start(…) and run it to the end`,
  );
}

/** `␣Lily` and `the logit of ␣Lily`; of a pair `␣Lily rather than ␣Tom` and `the logit of ␣Lily less that of ␣Tom`. */
function tokensSaid(source: Source, tokenizer: Vocabulary | undefined): { forWhom: string; whose: string } {
  const { token, versus } = paramsOf(traceOf(source), 'attribution') ?? {};
  const vocabulary = vocabularyOf(source, tokenizer);
  const label = (given: unknown) => {
    if (typeof given === 'string' && !vocabulary) return shown(given);
    if (typeof given !== 'number' && typeof given !== 'string') return 'the chosen token';
    const id = tokenId(given, vocabulary);
    return idLabels(source, [id], tokenizer).get(id) as string;
  };
  const [first, second] = [label(token), label(versus)];
  if (versus === undefined) return { forWhom: first, whose: `the logit of ${first}` };
  return { forWhom: `${first} rather than ${second}`, whose: `the logit of ${first} less that of ${second}` };
}

/** `+1.23`, `−0.50`, as d3-format writes numbers of the heads. */
function signed(logits: number): string {
  const size = Math.abs(logits).toFixed(2);
  if (Number(size) === 0) return size;
  return `${logits > 0 ? '+' : '−'}${size}`;
}

function bars(parts: readonly Part[]): Layers {
  const isNarrow = parts.length > 50;
  const [least, most] = [Math.min, Math.max].map((pick) => pick(0, ...parts.map(({ logits }) => logits))) as [
    number,
    number,
  ];
  // On the right room for the numbers beside the bars.
  const room = 0.15 * Math.max(most - least, 1e-6);
  return {
    width: 330,
    height: { step: isNarrow ? 13 : 20 },
    data: { values: [...parts] },
    encoding: {
      y: {
        ...{
          field: 'part',
          type: 'nominal',
          sort: parts.map(({ part }) => part),
          title: 'part of the residual stream',
        },
        axis: { ticks: false, domain: false },
      },
      x: {
        ...{ field: 'logits', type: 'quantitative', title: 'added to the logit (logits)' },
        scale: { domain: [least, most + room], nice: false },
      },
      tooltip: [
        { field: 'part', type: 'nominal', title: 'part' },
        { field: 'kind', type: 'nominal', title: 'of' },
        { field: 'logits', type: 'quantitative', title: 'adds (logits)', format: FOUR_DIGITS },
        { field: 'sum', type: 'quantitative', title: 'sum so far (logits)', format: FOUR_DIGITS },
      ],
    },
    layer: [
      {
        mark: { type: 'bar' },
        encoding: {
          color: {
            ...{ field: 'kind', type: 'nominal', title: 'part of' },
            scale: { domain: [...KINDS], range: CATEGORIES.slice(0, KINDS.length) },
            legend: { orient: 'bottom' },
          },
        },
      },
      {
        mark: { type: 'text', fontSize: isNarrow ? 9 : 11, align: 'left', dx: 4 },
        encoding: { x: { field: 'labelAt', type: 'quantitative' }, text: { field: 'label', type: 'nominal' } },
      },
    ],
  };
}

function headsOf(values: readonly HeadValue[]): Layers {
  const most = Math.max(1e-6, ...values.map(({ value }) => Math.abs(value)));
  const unit = 'added by the head (logits)';
  return headMap({ title: 'attention by head', unit, domain: [-most, most], isSigned: true, values });
}
