/**
 * The logit lens (nostalgebraist 2020) as a table: what the model would say after each token if it stopped after a layer.
 * Layers run downwards; colour is the probability of the token in the cell.
 */
import type { TopLevelSpec } from 'vega-lite';
import { tokenLabel } from '../trace/token_label.ts';
import type { Trace } from '../trace/trace.ts';
import { type Chart, chart, type Layers, percent, rounded, SEQUENTIAL, short } from './chart.ts';
import { lensLayers, normSaid } from './lens_rows.ts';
import { idLabels, type Source, textOf, tokenRows, traceOf, type Vocabulary } from './source.ts';

export interface LogitLensOptions {
  /** `[start, end)` of the text; the last 20 by default. More than that are drawn without their tokens. */
  readonly positions?: readonly [start: number, end: number];
  /** What ids spell, for a trace read from a file; a run knows. */
  readonly tokenizer?: Vocabulary;
}

/** Columns with room for a token, and columns at all. */
const MOST_NAMED = 20;
const MOST_COLUMNS = 300;
/** Pixels of a column with a token, and of the others together. */
const [NAMED_WIDTH, WIDEST_CHART] = [60, 1200];
/** Letters that a cell has room for. */
const MOST_LETTERS = 8;

/** The position above the piece. */
const TWO_LINES = {
  labelExpr: "split(datum.label, ' ')",
  labelLimit: 72,
  labelPadding: 16,
  labelOverlap: false,
} as const;
const ONE_LINE = { labelOverlap: 'greedy' } as const;

interface Cell {
  readonly layer: number;
  /** The token after which it is said. */
  readonly after: string;
  readonly token: string;
  /** The same, cut to the cell. */
  readonly short: string;
  readonly probability: number;
  readonly entropy: number;
  /** Both below the token: `75 % · 0.5`. */
  readonly numbers: string;
  /** All that the lens named, with their probabilities. */
  readonly top: string;
  /** Whether the text goes on with it. */
  readonly isNext: boolean;
}

/**
 * Layer × position: the likeliest next token, its probability as colour, the others and the entropy in the tooltip.
 * Throws TraceError where the run had no lens, and says how to start one that has.
 */
export async function logitLens(source: Source, { positions, tokenizer }: LogitLensOptions = {}): Promise<Chart> {
  const trace = traceOf(source);
  const layers = lensLayers(trace, 'the logit lens');
  const looks = await Promise.all(layers.map((layer) => lookAt(trace, layer)));
  const count = Math.max(...looks.map(({ ids }) => ids.pos0 + (ids.tensor.shape[0] as number)));
  const [start, end] = windowOf(count, positions);
  const labels = idLabels(
    source,
    looks.flatMap(({ ids }) => [...ids.tensor.data]),
    tokenizer,
  );
  const cells = looks.flatMap((look) => cellsOf(trace, look, [start, end], labels));
  const isNamed = end - start <= MOST_NAMED;
  const isCut = end - start < count;
  return chart(
    {
      title: 'What the model would say if it stopped after a layer (logit lens)',
      subtitle: [
        textOf(trace),
        'Column: the text up to that token. Cell: the likeliest next token',
        ...(isNamed
          ? ['Below it: its probability · the entropy of all, in nats. Bold: what the text says next']
          : ['Too many columns for names: they are in the tooltips']),
        ...normSaid(trace),
        ...(isCut ? [`Positions ${start} to ${end - 1} of ${count}; see others with positions: [start, end]`] : []),
      ],
      description: `Table of the likeliest next token by layer and position: ${lastColumnSaid(cells)}.`,
    },
    table(cells, isNamed),
  );
}

interface Look {
  readonly layer: number;
  readonly ids: Awaited<ReturnType<typeof tokenRows>>;
  readonly probabilities: Float32Array;
  readonly entropies: Float32Array;
}

async function lookAt(trace: Trace, layer: number): Promise<Look> {
  const read = (part: string) => tokenRows(trace, `lens_${part}-${layer}`, 'the logit lens');
  const [ids, probabilities, entropies] = [await read('ids'), await read('probabilities'), await read('entropy')];
  return { layer, ids, probabilities: probabilities.tensor.data, entropies: entropies.tensor.data };
}

function windowOf(count: number, given?: readonly [number, number]): [number, number] {
  if (!given) return [Math.max(0, count - MOST_NAMED), count];
  const [start, end] = given.map((at) => Math.max(0, Math.min(count, at < 0 ? count + at : at))) as [number, number];
  return [Math.max(start, end - MOST_COLUMNS), end];
}

function cellsOf(
  trace: Trace,
  look: Look,
  [start, end]: [number, number],
  labels: ReadonlyMap<number, string>,
): Cell[] {
  const { layer, ids, probabilities, entropies } = look;
  const [nTokens = 0, k = 0] = ids.tensor.shape;
  const cells: Cell[] = [];
  for (let row = Math.max(0, start - ids.pos0); row < Math.min(nTokens, end - ids.pos0); row++) {
    const position = ids.pos0 + row;
    const ranked = Array.from({ length: k }, (_, i) => {
      const id = ids.tensor.data[row * k + i] as number;
      return { id, token: labels.get(id) as string, probability: probabilities[row * k + i] as number };
    });
    const best = ranked[0];
    if (!best) continue;
    cells.push({
      ...{ layer, after: tokenLabel(trace, position), token: best.token, short: cut(best.token) },
      probability: rounded(best.probability),
      entropy: rounded(entropies[row] as number),
      numbers: `${(100 * best.probability).toFixed(0)} % · ${(entropies[row] as number).toFixed(1)}`,
      top: ranked.map(({ token, probability }) => `${token} ${percent(probability)}`).join(', '),
      isNext: trace.manifest.tokens?.[position + 1] === best.id,
    });
  }
  return cells;
}

/** As many letters as a cell has room for; one of Chinese, Japanese or Korean takes two. */
function cut(text: string): string {
  const letters = [...text];
  let room = MOST_LETTERS;
  const fits = letters.findIndex((letter) => {
    room -= /[\u1100-\uffef\u{1f000}-\u{3ffff}]/u.test(letter) && letter !== '␣' ? 2 : 1;
    return room < 0;
  });
  return fits < 0 ? text : `${letters.slice(0, fits - 1).join('')}…`;
}

function lastColumnSaid(cells: readonly Cell[]): string {
  const last = cells.filter(({ after }) => after === cells.at(-1)?.after);
  const said = (cell: Cell | undefined) =>
    `${cell?.token} with ${percent(cell?.probability ?? 0)} at layer ${cell?.layer}`;
  return `after ${last[0]?.after} it is ${said(last[0])} and ${said(last.at(-1))}, of entropy ${short(last.at(-1)?.entropy ?? 0)} nats`;
}

function table(cells: readonly Cell[], isNamed: boolean): TopLevelSpec {
  const axis = { labelAngle: isNamed ? 0 : -90, ticks: false, domain: false } as const;
  const columns = [...new Set(cells.map(({ after }) => after))];
  const x = {
    field: 'after',
    type: 'nominal',
    sort: columns,
    title: 'after token (position and piece)',
    axis: { ...axis, orient: 'top', ...(isNamed ? TWO_LINES : ONE_LINE) },
  } as const;
  const y = { field: 'layer', type: 'ordinal', title: 'after layer', axis: { ...axis, labelAngle: 0 } } as const;
  const tooltip = [
    { field: 'after', type: 'nominal', title: 'after' },
    { field: 'layer', type: 'ordinal', title: 'layer' },
    { field: 'top', type: 'nominal', title: 'it would say' },
    { field: 'entropy', type: 'quantitative', title: 'entropy (nats)', format: '.3f' },
  ] as const;
  const text = { x: { ...x, sort: columns }, y, tooltip: [...tooltip] };
  const color = { condition: { test: 'datum.probability > 0.5', value: 'black' }, value: 'white' } as const;
  // Tokens that the text goes on with, and the others: boldness is no channel of Vega-Lite's.
  const names = (isNext: boolean): Layers['layer'][number] => ({
    transform: [{ filter: `datum.isNext === ${isNext}` }],
    mark: { type: 'text', fontSize: 10, fontWeight: isNext ? 'bold' : 'normal', dy: -6, aria: false },
    encoding: { ...text, color, text: { field: 'short', type: 'nominal' } },
  });
  const numbers: Layers['layer'][number] = {
    mark: { type: 'text', fontSize: 8.5, dy: 7, aria: false },
    encoding: { ...text, color, text: { field: 'numbers', type: 'nominal' } },
  };
  return {
    width: { step: isNamed ? NAMED_WIDTH : Math.min(10, Math.floor(WIDEST_CHART / columns.length)) },
    height: { step: isNamed ? 32 : 16 },
    data: { values: [...cells] },
    layer: [
      {
        mark: { type: 'rect', aria: false, ...(isNamed ? { stroke: 'white' } : {}) },
        encoding: {
          ...text,
          color: {
            field: 'probability',
            type: 'quantitative',
            title: 'probability',
            scale: { scheme: SEQUENTIAL, domain: [0, 1] },
            legend: { format: '.0%', gradientLength: 110 },
          },
        },
      },
      ...(isNamed ? [names(false), names(true), numbers] : []),
    ],
  };
}
