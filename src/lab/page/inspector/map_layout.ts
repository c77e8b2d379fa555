/**
 * The steps of a pass as a map: a row per layer, a column per role, so that the same op of every layer stands in one column. What
 * stands outside the layers, the embedding before and the logits behind, has rows of its own.
 */
import type { StepCard } from '../../inspector/requests/open.ts';

export interface MapCell {
  readonly name: string;
  readonly op: string;
  readonly row: number;
  readonly column: number;
  /** Columns that it takes. */
  readonly span: number;
}

export interface MapRow {
  /** Null outside the layers. */
  readonly layer: number | null;
  readonly cells: readonly MapCell[];
}

export interface MapColumn {
  /** The part of a name before `-<layer>`. */
  readonly stem: string;
  readonly label: string;
}

/** Columns that belong together, from … to with it. */
export interface MapGroup {
  readonly label: string;
  readonly from: number;
  readonly to: number;
}

export interface MapLayout {
  readonly columns: readonly MapColumn[];
  readonly groups: readonly MapGroup[];
  readonly rows: readonly MapRow[];
}

/** How a column is headed; others are headed by their stem. */
const LABELS: Readonly<Record<string, string>> = {
  attn_norm: 'norm',
  Qcur: 'Q',
  Kcur: 'K',
  Vcur: 'V',
  Qcur_rope: 'Q rope',
  Kcur_rope: 'K rope',
  kq: 'q · k',
  kq_soft_max: 'softmax',
  kqv_out: '× v',
  attn_out: 'out',
  ffn_inp: '+',
  ffn_norm: 'norm',
  ffn_gate: 'gate',
  ffn_up: 'up',
  ffn_silu: 'silu',
  ffn_swiglu: 'gate × up',
  ffn_out: 'down',
  l_out: '+',
};

/** By the stems that begin and end them. */
const GROUPS = [
  { label: 'attention', first: 'attn_norm', last: 'ffn_inp' },
  { label: 'feed-forward', first: 'ffn_norm', last: 'l_out' },
] as const;

/** Outside the layers a step has room for its name. */
const WIDE = 4;

export function mapLayout(steps: readonly StepCard[]): MapLayout {
  const columns = columnsOf(steps);
  const at = new Map(columns.map((stem, column) => [stem, column]));
  const rows: { layer: number | null; cells: MapCell[] }[] = [];
  for (const { name, op, layer } of steps) {
    let row = rows.at(-1);
    if (!row || row.layer !== layer) {
      row = { layer, cells: [] };
      rows.push(row);
    }
    const { cells } = row;
    const place =
      layer === null ? { column: cells.length * WIDE, span: WIDE } : { column: at.get(stemOf(name)) ?? 0, span: 1 };
    cells.push({ name, op, row: rows.length - 1, ...place });
  }
  const groups = GROUPS.flatMap(({ label, first, last }) => {
    const [from, to] = [at.get(first), at.get(last)];
    return from !== undefined && to !== undefined && to > from ? [{ label, from, to }] : [];
  });
  return { columns: columns.map((stem) => ({ stem, label: LABELS[stem] ?? stem })), groups, rows };
}

/** Every stem of the layers, each behind the one that it follows in the first layer that has it. */
function columnsOf(steps: readonly StepCard[]): string[] {
  const columns: string[] = [];
  let before = -1;
  let current: number | null = null;
  for (const { name, layer } of steps) {
    if (layer === null) continue;
    if (layer !== current) before = -1;
    current = layer;
    const stem = stemOf(name);
    const known = columns.indexOf(stem);
    if (known < 0) columns.splice(before + 1, 0, stem);
    before = known < 0 ? before + 1 : known;
  }
  return columns;
}

const stemOf = (name: string): string => name.replace(/-\d+$/, '');

/** The residual stream's writers: what is added to it, or begins it. */
export const isResidual = (name: string): boolean => /^(embd|ffn_inp-\d+|l_out-\d+)$/.test(name);
