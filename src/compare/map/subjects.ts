/** What is known of each tensor of theirs before anything is decided: its fits, what its name says, where it stands. */
import { NameIndex } from '../../llama/names.ts';
import type { TraceRow } from '../../trace/trace.ts';
import { type Evidence, type Fit, SAME } from './fits.ts';
import { type ForeignName, foreignNames } from './foreign_name.ts';

export interface Subject {
  readonly key: string;
  readonly row: TraceRow;
  /** Place in the dump. */
  readonly position: number;
  readonly name: ForeignName;
  /** Ours of a fitting shape, the best fit first. */
  readonly fits: readonly Fit[];
  /** Those whose numbers are as good as the same; several where the numbers cannot tell them apart. */
  readonly same: readonly Fit[];
  /** Ours that the name may mean and the shape allows; null where the name says nothing. */
  readonly named: readonly string[] | null;
}

/** A fit by statistics counts as the same up to this distance. */
const SAME_STATISTICS = 0.02;
/** One fit is better than another by this factor, or the two are alike. */
const BETTER = 5;
/** Errors below are all alike: f32's own rounding over a run; what a log's four decimals leave; sums kept in f16. */
export const ALIKE: Readonly<Record<Fit['by'], number>> = {
  values: 1e-6,
  'printed values': 1e-3,
  statistics: 1e-3,
  shape: 0,
};

export function subjectsOf({ foreign, ours }: Evidence): Subject[] {
  const names = foreignNames(foreign.map(({ row }) => row.name));
  const ourNames = ours.map(({ name }) => name);
  const index = new NameIndex(ourNames);
  const resolve = meanings(names, index.nLayer);
  return foreign.map(({ key, row, fits }, position) => {
    const name = names[position]!;
    const exact = index.find(row.name);
    const feasible = new Set(fits.map((fit) => fit.ours));
    const meant = exact === undefined ? resolve(name) : [exact];
    const named = meant?.filter((our) => feasible.has(our)) ?? null;
    return { key, row, position, name, fits, same: sameOf(fits), named: named && named.length > 0 ? named : null };
  });
}

function sameOf(fits: readonly Fit[]): readonly Fit[] {
  const [best] = fits;
  const limit = best?.by === 'statistics' ? SAME_STATISTICS : SAME;
  if (!best || !(best.error <= limit)) return [];
  return fits.filter(({ error }) => error <= Math.max(BETTER * best.error, ALIKE[best.by]));
}

/** Turns what a name says into our names. Layers count from 0 or 1; where the dump does not tell, both are meant. */
function meanings(names: readonly ForeignName[], nLayer: number): (name: ForeignName) => string[] | null {
  // States between layers are one more than layers.
  const isBetween = (stem: string) => stem === 'hidden_states' || stem === 'l_in';
  const numbers = names.flatMap(({ number, stems }) =>
    number === null || !stems || stems.some(isBetween) ? [] : [number],
  );
  const bases = numbers.includes(0) ? [0] : numbers.includes(nLayer) ? [1] : [0, 1];
  const layers = Array.from({ length: nLayer }, (_, i) => i);
  const inputOf = (layer: number) => (layer <= 0 ? 'embd' : `l_out-${layer - 1}`);
  const ofStem = (stem: string, number: number | null): string[] => {
    if (['embd', 'result_norm', 'result_output'].includes(stem)) return [stem];
    if (stem === 'hidden_states') {
      if (number === null) return ['embd', ...layers.map((layer) => `l_out-${layer}`), 'result_norm'];
      const last = number === nLayer ? ['result_norm'] : [];
      return [inputOf(number), ...bases.map((base) => `l_out-${number - base}`), ...last];
    }
    // Some count the inputs of layers otherwise than the rest.
    if (stem === 'l_in') return number === null ? layers.map(inputOf) : [inputOf(number), inputOf(number - 1)];
    const meant = number === null ? layers : bases.map((base) => number - base);
    return meant.filter((layer) => layer >= 0 && layer < nLayer).map((layer) => `${stem}-${layer}`);
  };
  return ({ stems, number }) => stems && [...new Set(stems.flatMap((stem) => ofStem(stem, number)))];
}
