/**
 * What every chart shares: a title that says what is seen, a subtitle that says how to read it and what was left out, a
 * sentence of alternative text, and colours that the colour-blind can tell apart.
 *
 * Specs are Vega-Lite v5, which JupyterLab 4 draws, made of plain data and nothing else.
 */
import type { TopLevelSpec } from 'vega-lite';
import { threeDigits as short } from '../trace/plain_text.ts';

/** A Vega-Lite spec that can be shown, saved or changed. */
export type Chart = TopLevelSpec;

/** One mark and its encoding. */
export type Unit = Omit<Extract<TopLevelSpec, { mark: unknown }>, 'params'>;
/** Marks on top of each other. */
export type Layers = Omit<Extract<TopLevelSpec, { layer: unknown }>, 'params'>;

export interface Caption {
  readonly title: string;
  /** One line each. */
  readonly subtitle: readonly string[];
  /** Alternative text: one sentence with what the chart shows, for those who do not see it. */
  readonly description: string;
}

/** Okabe and Ito 2008, "Color Universal Design": eight colours that all kinds of colour vision tell apart. */
export const CATEGORIES = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000'] as const;

/** Matplotlib's viridis (Smith and van der Walt 2015): as light says, so says hue. */
export const SEQUENTIAL = 'viridis';

/** ColorBrewer's orange and purple (Brewer 2003) for what is above and below 0, light at 0: no red beside green. */
export const DIVERGING = 'purpleorange';

/** Four significant digits, as tooltips show them. */
export const FOUR_DIGITS = '.4~g';

export function chart({ title, subtitle, description }: Caption, body: TopLevelSpec): Chart {
  return {
    ...body,
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    description,
    title: { text: title, subtitle: [...subtitle], anchor: 'start', offset: 12 },
    // Without it, dark themes put our dark text on their dark page.
    background: 'white',
    padding: 12,
    config: {
      title: { fontSize: 15, subtitleFontSize: 12, subtitleColor: '#444', subtitlePadding: 4 },
      axis: { labelFontSize: 11, titleFontSize: 12, labelLimit: 110, gridColor: '#e4e4e4' },
      legend: { labelFontSize: 11, titleFontSize: 12, titleLimit: 400, labelLimit: 400 },
      view: { stroke: null },
    },
  };
}

/** For the data: six significant digits are more than a screen shows, and half the size. */
export function rounded(x: number): number {
  return Number(x.toPrecision(6));
}

export { short };

/** A probability in percent, for a sentence or a label; what is neither 0 nor 1 never reads as 0 % or 100 %. */
export function percent(probability: number): string {
  if (probability > 0 && probability < 1e-5) return '< 0.001 %';
  if (probability > 0.9995 && probability < 1) return '> 99.9 %';
  return `${short(100 * probability)} %`;
}
