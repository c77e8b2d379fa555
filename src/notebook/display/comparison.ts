/** Comparisons: the verdict, the tensors with a colour per row, and the charts as pictures; as plain text, the report. */
import { comparisonCharts } from '../../charts/comparison_charts.ts';
import type { Chart } from '../../charts/index.ts';
import { Comparison } from '../../compare/comparison.ts';
import { reportText } from '../../compare/report/text.ts';
import { comparisonHtml } from '../comparison_view.ts';
import { dataUrl } from '../ipynb/pictures.ts';
import { type Captioned, chartBundle } from './chart.ts';
import { type Html, html } from './html.ts';
import { instancesOf } from './kind.ts';

export const comparison = instancesOf(Comparison, async (value) => {
  const pictures: Html[] = [];
  for (const chart of await comparisonCharts(value)) pictures.push(await picture(chart));
  return {
    'text/html': comparisonHtml(value, html`${pictures}`).text,
    'text/plain': reportText(value),
  };
});

/** As an image: an SVG among the HTML would not pass JupyterLab's sanitizer. */
async function picture(chart: Chart): Promise<Html> {
  const { 'image/svg+xml': svg } = await chartBundle(chart as Captioned);
  const url = dataUrl('image/svg+xml', `${svg}`);
  return html`<div style="margin: 8px 0px"><img src="${url}" alt="${chart.description as string}" style="max-width: 100%"></div>`;
}
