/** How the map colours what a run has computed: one statistic of each step, from pale to the accent colour. */
import type { Statistics } from '../../../trace/statistics.ts';
import type { RowCard } from '../../inspector/requests/move.ts';
import type { Theme } from './state.ts';

export interface Measure {
  readonly id: string;
  readonly label: string;
  /** Not negative; null where there is none. */
  of(statistics: Statistics): number | null;
  /** By its logarithm: such numbers grow by factors from step to step. */
  readonly isLog: boolean;
}

const MEASURES: readonly Measure[] = [
  { id: 'rms', label: 'RMS', of: ({ rms }) => rms, isLog: true },
  { id: 'absmax', label: 'largest |x|', of: ({ absmax }) => absmax, isLog: true },
  { id: 'mean', label: '|mean|', of: ({ mean }) => Math.abs(mean), isLog: true },
  { id: 'zeros', label: 'share of zeros', of: ({ zeroCount, n }) => zeroCount / Math.max(1, n), isLog: false },
];

export { MEASURES as measures };

export interface Shade {
  /** 0 pale … 1 full. */
  readonly at: number;
  readonly value: number | null;
  /** Elements that are NaN or infinite. */
  readonly broken: number;
}

export interface Shades {
  readonly least: number;
  readonly most: number;
  readonly of: ReadonlyMap<string, Shade>;
}

/** The shade of every name that one pass has computed. */
export function shadesOf(rows: readonly RowCard[], pass: number, measure: Measure): Shades {
  const found = rows.filter((row) => row.pass === pass);
  const values = found.map(({ statistics }) => measure.of(statistics));
  const drawn = values.filter((value): value is number => value !== null && (!measure.isLog || value > 0));
  const [least, most] = [Math.min(...drawn), Math.max(...drawn)];
  const scaled = (value: number) => (measure.isLog ? Math.log(value) : value);
  const share = (value: number | null) => {
    if (value === null || (measure.isLog && value <= 0) || most <= least) return 0;
    return (scaled(value) - scaled(least)) / (scaled(most) - scaled(least));
  };
  const shades = found.map(({ name, statistics: { nanCount, infCount } }, i): [string, Shade] => {
    const value = values[i] ?? null;
    return [name, { at: share(value), value, broken: nanCount + infCount }];
  });
  return { least: drawn.length > 0 ? least : 0, most: drawn.length > 0 ? most : 0, of: new Map(shades) };
}

type Rgb = readonly [number, number, number];

/** Pale and full, on each page. */
const RAMP: Readonly<Record<Theme, readonly [Rgb, Rgb]>> = {
  light: [
    [226, 236, 248],
    [7, 87, 176],
  ],
  dark: [
    [34, 46, 64],
    [130, 184, 255],
  ],
};

export function colourAt(share: number, theme: Theme): string {
  const [pale, full] = RAMP[theme];
  const mixed = pale.map((part, i) => Math.round(part + share * ((full[i] ?? 0) - part)));
  return `rgb(${mixed.join(' ')})`;
}
