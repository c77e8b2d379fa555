/** How far rounding drifts: the error of each layer's output against f64, in arithmetic of less and less precision. */
import type { Drift, Flip, LadderParts, Rung } from '../compare/ladder.ts';
import { shown } from '../trace/token_label.ts';
import { CATEGORIES, type Chart, chart, rounded, short } from './chart.ts';
import { textOfPieces } from './source.ts';

/** Nothing can be drawn at 0 on a log scale; values are compared as f32, which says nothing below 6e-8. */
const LEAST_ERROR = 1e-8;
/** Flips of one rung that the subtitle names; the others it counts. */
const NAMED_FLIPS = 2;

interface Point {
  readonly rung: string;
  /** `3`, `norm` or `logits`. */
  readonly after: string;
  readonly name: string;
  readonly error: number;
  /** The same, but never less than can be drawn. */
  readonly drawn: number;
}

/**
 * Relative RMS error of `l_out-<layer>`, of the final norm and of the logits against f64, on a log scale, one line per rung
 * of `precisionLadder`; above them, where the likeliest next token is another.
 */
export function precisionLadder({ model, quantisation, tokens, pieces, rungs, skipped }: LadderParts): Chart {
  const points = rungs.flatMap((rung) => pointsOf(rung));
  const after = [...new Set(rungs.flatMap(({ drift }) => drift.map(afterOf)))];
  const domain = rungs.map(({ name }) => name);
  return chart(
    {
      title: 'How far rounding drifts from f64, layer by layer',
      subtitle: [
        textOfPieces(pieces, tokens.length),
        `${model.replace(/^.*[\\/]/, '')}, weights in ${quantisation.replaceAll(' ', ', ')}`,
        ...flipsSaid(rungs, pieces),
        ...infinitiesSaid(rungs),
        ...skipped.map(({ name }) => `Not run: ${name}, which needs a GPU adapter`),
        ...(points.some(({ error }) => error < LEAST_ERROR)
          ? [`An error below ${LEAST_ERROR} is drawn at ${LEAST_ERROR}`]
          : []),
      ],
      description: `Line chart of relative RMS error against f64. At the logits: ${rungs.map(said).join('; ')}.`,
    },
    {
      width: 460,
      height: 300,
      data: { values: points },
      mark: { type: 'line', point: { size: 45 }, strokeWidth: 2 },
      encoding: {
        x: {
          ...{ field: 'after', type: 'ordinal', title: 'after layer', sort: after },
          axis: { labelAngle: 0, labelOverlap: true },
        },
        y: {
          ...{ field: 'drawn', type: 'quantitative', title: 'relative RMS error (log scale)' },
          ...{ scale: { type: 'log' }, axis: { format: '.0e', tickCount: 8 } },
        },
        color: {
          ...{ field: 'rung', type: 'nominal', title: 'arithmetic', sort: domain },
          scale: { domain, range: CATEGORIES.slice(0, domain.length) },
        },
        tooltip: [
          { field: 'rung', type: 'nominal', title: 'arithmetic' },
          { field: 'name', type: 'nominal', title: 'tensor' },
          { field: 'error', type: 'quantitative', title: 'relative RMS error', format: '.3e' },
        ],
      },
    },
  );
}

function pointsOf({ name: rung, drift }: Rung): Point[] {
  return drift.flatMap((each) => {
    const { name, relativeRmsError: error } = each;
    if (!Number.isFinite(error)) return [];
    return [{ rung, after: afterOf(each), name, error: rounded(error), drawn: rounded(Math.max(LEAST_ERROR, error)) }];
  });
}

function afterOf({ name, layer }: Drift): string {
  return layer === null ? name.replace('result_', '').replace('output', 'logits') : `${layer}`;
}

function flipsSaid(rungs: readonly Rung[], pieces: readonly string[]): string[] {
  const flipped = rungs.filter(({ flips }) => flips.length > 0);
  if (flipped.length === 0) return ['Nowhere does a rung change the likeliest next token'];
  return flipped.flatMap(({ name, flips }) => {
    const more = flips.length - NAMED_FLIPS;
    return [
      ...flips.slice(0, NAMED_FLIPS).map((flip) => `${name}: ${flipSaid(flip, pieces)}`),
      ...(more > 0 ? [`${name}: another likeliest token at ${more} more position${more === 1 ? '' : 's'}`] : []),
    ];
  });
}

function flipSaid({ position, f64, rung, margin }: Flip, pieces: readonly string[]): string {
  const after = `after ${position} ${shown(pieces[position] ?? '')}`;
  if (rung === null || margin === null)
    return `${after} no logit is a number; in f64 the likeliest is ${shown(f64.piece)}`;
  const [ours, exact] = [shown(rung.piece), shown(f64.piece)];
  return `${after} the likeliest token is ${ours}, not ${exact}; in f64 their logits are ${short(margin)} apart`;
}

function infinitiesSaid(rungs: readonly Rung[]): string[] {
  return rungs.flatMap(({ name, drift }) => {
    const first = drift.find(({ relativeRmsError }) => !Number.isFinite(relativeRmsError));
    return first ? [`${name} overflows at ${first.name}; what is not finite is not drawn`] : [];
  });
}

function said({ name, drift, flips }: Rung): string {
  const error = drift.at(-1)?.relativeRmsError ?? Number.POSITIVE_INFINITY;
  const size = Number.isFinite(error) ? short(error) : 'infinite';
  return `${name} ${size}${flips.length > 0 ? `, with another likeliest token at ${flips.length} of its positions` : ''}`;
}
