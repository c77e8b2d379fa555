/** Compares two sides: the verdict with its reasons, and every tensor with its error. */
import type { ComparisonParts } from '../../../compare/comparison.ts';
import { headlineOf, outlineOf, type Section } from '../../../compare/report/outline.ts';
import { comparisonOf } from '../comparisons.ts';
import type { Request } from '../request.ts';
import type { Sides } from '../sides.ts';

export interface ComparisonView extends ComparisonParts {
  /** The verdict and its sentence. */
  readonly headline: string;
  /** What a report says beside the table of tensors and what is left of the faults. */
  readonly sections: readonly Section[];
}

/** Entries of a list in a section; the rest is counted. The table of tensors is left out: the view has its own. */
const OUTLINE = { rows: 2, most: 8 };

/** Sections that `eliminate` answers with more. */
const ELIMINATOR: ReadonlySet<string> = new Set(['Not seen', 'Suspects', 'Faults']);

export const compare: Request<Sides, ComparisonView> = async (session, sides, watch) => {
  const { comparison } = await comparisonOf(session, sides, watch);
  const { sections } = outlineOf(comparison, OUTLINE);
  return {
    ...comparison,
    headline: headlineOf(comparison),
    sections: sections.filter(({ label, table }) => table === undefined && !ELIMINATOR.has(label)),
  };
};
