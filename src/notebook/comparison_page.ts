/** A comparison as one HTML page that needs nothing else: what a cell shows of it, with charts that answer to the mouse. */
import { comparisonCharts } from '../charts/comparison_charts.ts';
import type { Comparison } from '../compare/comparison.ts';
import { comparisonHtml } from './comparison_view.ts';
import { type Captioned, chartBundle } from './display/chart.ts';
import { Html, html } from './display/html.ts';
import { MarkdownPage } from './ipynb/markdown.ts';
import { outputHtml } from './ipynb/output_html.ts';
import { pageHtml } from './ipynb/page.ts';

/** The page, as the text of an HTML file. */
export async function comparisonPage(comparison: Comparison): Promise<string> {
  const charts = await comparisonCharts(comparison);
  const page = new MarkdownPage();
  const figures: Html[] = [];
  for (const chart of charts) {
    const data = await chartBundle(chart as Captioned);
    figures.push(new Html(await outputHtml({ type: 'display_data', data, metadata: {} }, page)));
  }
  const title = `${comparison.ours.label} against ${comparison.reference.label}`;
  const body = html`<h1>${title}</h1>
<div class="wide">${comparisonHtml(comparison, html`${figures}`)}</div>`.text;
  return pageHtml({ title, language: 'en', body, hasCharts: charts.length > 0 });
}
