/**
 * Attention patterns as charts read them: `kq_soft_max-<layer>` `[head, token, key]` of all passes, by position. A query
 * sees the keys up to its own position; what a producer has beyond them is padding.
 *
 * Long texts are drawn in blocks of positions: a block of queries gives the mean of its rows, a block of keys their sum,
 * so that each row still adds up to 1.
 */
import { TraceError } from '../errors.ts';
import type { Tensor } from '../trace/tensor.ts';
import { tokenLabel } from '../trace/token_label.ts';
import type { Trace, TraceRow } from '../trace/trace.ts';
import { SEQUENTIAL } from './chart.ts';
import { rowsOf } from './source.ts';

export interface Pattern {
  readonly layer: number;
  readonly nHead: number;
  /** Position of the first query, and the number of positions. */
  readonly start: number;
  readonly end: number;
  /** How a query of a head shares its attention out over the keys 0 … query; adds up to 1, as scores do not. */
  row(head: number, query: number): Float32Array;
}

/**
 * The pattern of a layer, or, as `kq`, the scores that it was made of. Throws TraceError where the run did not come so far, or
 * values were not kept.
 */
export async function patternOf(
  trace: Trace,
  layer: number,
  chart: string,
  stem: 'kq_soft_max' | 'kq' = 'kq_soft_max',
): Promise<Pattern> {
  const name = `${stem}-${layer}`;
  const rows = rowsOf(trace, name, chart);
  const byQuery = new Map<number, { tensor: Tensor; at: number }>();
  for (const row of rows) {
    const tensor = await trace.tensor(name, { pass: row.pass });
    for (let at = 0; at < sizeOf(row, 'token'); at++) byQuery.set(row.pos0 + at, { tensor, at });
  }
  return {
    layer,
    nHead: sizeOf(rows[0] as TraceRow, 'head'),
    start: Math.min(...rows.map(({ pos0 }) => pos0)),
    end: Math.max(...rows.map((row) => row.pos0 + sizeOf(row, 'token'))),
    row(head, query) {
      const found = byQuery.get(query);
      if (!found)
        throw new TraceError(`Cannot draw ${chart}: ${name} has no pass over position ${query}; run it again`);
      const [, nTokens = 0, nKeys = 0] = found.tensor.shape;
      const from = (head * nTokens + found.at) * nKeys;
      return found.tensor.data.subarray(from, from + Math.min(nKeys, query + 1));
    },
  };
}

function sizeOf({ name, shape, dims }: TraceRow, dim: string): number {
  const size = shape[dims.indexOf(dim)];
  if (size !== undefined) return size;
  throw new TraceError(`Cannot draw ${name}: its axes are ${dims.join(', ')}; wanted head, token, key`, {
    tensor: name,
  });
}

/** Positions start … end-1, drawn as one. */
export interface Block {
  readonly start: number;
  readonly end: number;
  /** `3 ␣Tom`, or `12–15` for more than one. */
  readonly label: string;
}

/** All positions in at most `most` blocks of one size. */
export function blocksOf(trace: Trace, end: number, most: number): Block[] {
  const size = Math.ceil(end / most);
  return Array.from({ length: Math.ceil(end / size) }, (_, i) => {
    const [first, last] = [i * size, Math.min(end, (i + 1) * size) - 1];
    const label = first === last ? tokenLabel(trace, first) : `${first}–${last}`;
    return { start: first, end: last + 1, label };
  });
}

/** What is said of blocks in a subtitle; nothing where each is one position. */
export function blocksSaid(blocks: readonly Block[]): string[] {
  const size = sizeOfBlocks(blocks);
  if (size === 1) return [];
  return [
    `Drawn in blocks of ${size} tokens: each cell is the sum over its keys and the mean over its queries`,
    'Colours on a square root scale, for over a long text shares are small',
  ];
}

/** The colours of shares of attention. */
export function shareColour(blocks: readonly Block[]) {
  return {
    field: 'weight',
    type: 'quantitative',
    title: 'share of attention',
    scale: { type: sizeOfBlocks(blocks) > 1 ? 'sqrt' : 'linear', scheme: SEQUENTIAL, domain: [0, 1] },
    legend: { format: '.0%', gradientLength: 150, ...(sizeOfBlocks(blocks) > 1 ? { values: [0, 0.05, 0.25, 1] } : {}) },
  } as const;
}

function sizeOfBlocks(blocks: readonly Block[]): number {
  return (blocks[0]?.end ?? 1) - (blocks[0]?.start ?? 0);
}

export interface Cell {
  /** Indices of blocks. */
  readonly query: number;
  readonly key: number;
  readonly weight: number;
}

/** The cells of one head that hold anything: keys up to the query. */
export function cellsOf(pattern: Pattern, head: number, blocks: readonly Block[]): Cell[] {
  const cells: Cell[] = [];
  const size = sizeOfBlocks(blocks);
  for (const [query, { start, end }] of blocks.entries()) {
    const queries = Math.max(0, end - Math.max(start, pattern.start));
    if (queries === 0) continue;
    const sums = new Float64Array(query + 1);
    for (let q = end - queries; q < end; q++) {
      for (const [k, weight] of pattern.row(head, q).entries()) sums[Math.floor(k / size)]! += weight;
    }
    for (const [key, sum] of sums.entries()) cells.push({ query, key, weight: sum / queries });
  }
  return cells;
}

export function mustHaveHead({ layer, nHead }: Pattern, head: number): void {
  if (Number.isInteger(head) && head >= 0 && head < nHead) return;
  throw new TraceError(
    `Cannot draw attention of head ${head} in layer ${layer}: the layer has heads 0 to ${nHead - 1}`,
  );
}
