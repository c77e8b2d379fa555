/** Evidence as sentences with the numbers: what a person reads to believe a match, or to answer a question. */
import { AS_OURS } from '../layouts.ts';
import type { Fit } from './fits.ts';
import type { Subject } from './subjects.ts';
import type { Candidate } from './tensor_map.ts';

export function candidateOf(subject: Subject, fit: Fit, ourShape: readonly number[]): Candidate {
  const { ours, layout } = fit;
  return { ours, layout, score: scoreOf(fit), evidence: sentences(subject, fit, ourShape) };
}

/** 0 to 1; NaN where neither values nor statistics were compared. */
export function scoreOf({ cosine, error }: Fit): number {
  return Number.isNaN(cosine) ? Math.max(0, 1 - error) : cosine;
}

/** What speaks for a pair, or against it. */
export function sentences({ row, fits, name, named }: Subject, fit: Fit, ourShape: readonly number[]): string[] {
  const next = fits.find((other) => other.ours !== fit.ours && other.error >= fit.error);
  const lines = [valuesText(fit, next)];
  if (row.shape.length > 0) {
    const how = fit.layout === AS_OURS ? '' : ` (${fit.layout})`;
    lines.push(`shape [${row.shape.join(', ')}] for our [${ourShape.join(', ')}]${how}`);
  }
  if (named?.includes(fit.ours)) lines.push(`the name says it${name.phrase ? ` ("${name.phrase}")` : ''}`);
  else if (named)
    lines.push(`the name says ${named.slice(0, 3).join(' or ')}${name.phrase ? ` ("${name.phrase}")` : ''}`);
  return lines.filter((line) => line !== '');
}

function valuesText(fit: Fit, next: Fit | undefined): string {
  const { by, n, of, error, cosine } = fit;
  switch (by) {
    case 'shape':
      return '';
    case 'statistics':
      if (Number.isNaN(error)) return 'one statistic alone is known, which proves nothing';
      return `${n} statistics agree to ${errorText(error)} of their size${nextText(next)}`;
    case 'values':
    case 'printed values': {
      const what =
        n < of ? `over ${n.toLocaleString('en')} of ${of.toLocaleString('en')} ${by}` : `over all ${n} values`;
      if (n === 0) return 'none of its values is a finite number';
      if (Number.isNaN(cosine)) return `one side is zero ${what}`;
      return `relative RMS error ${errorText(error)}, cosine ${cosine.toFixed(4)} ${what}${nextText(next)}`;
    }
    default:
      return by satisfies never;
  }
}

function nextText(next: Fit | undefined): string {
  return next && Number.isFinite(next.error) ? `; next is ${next.ours} at ${errorText(next.error)}` : '';
}

function errorText(error: number): string {
  return error === 0 ? '0' : error.toExponential(1);
}
