/**
 * The dump's own words, learnt from the tensors that their values decide: `layers.#.q` is Qcur in layers 0, 1 and 2, so in
 * layer 3, where a bug has changed the values, it is Qcur too. A dump without names has words as well where its order
 * repeats from layer to layer: the k-th of each layer.
 */
import { grouped } from './grouped.ts';
import type { Subject } from './subjects.ts';

/** What a pattern of names means: our name without the layer, and what to add to their number. */
interface Meaning {
  readonly stem: string;
  readonly shift: number;
  /** The layers that say so. */
  readonly layers: readonly number[];
  /** The layout that they share; null where they differ. */
  readonly layout: string | null;
}

export interface Expected {
  readonly ours: string;
  readonly layout: string | null;
  /** Why, as a sentence. */
  readonly says: string;
}

/** A pair that is beyond doubt. */
export interface Known {
  readonly subject: Subject;
  readonly ours: string;
  readonly layout: string;
}

export type Vocabulary = (subject: Subject) => Expected | null;

export function learn(known: readonly Known[], subjects: readonly Subject[], isInOrder: boolean): Vocabulary {
  const nLayer = 1 + Math.max(-1, ...subjects.flatMap(({ fits }) => fits.map(({ ours }) => layerOf(ours) ?? -1)));
  const byName = wordsFrom(known);
  const byPlace = isInOrder ? periodOf(known, subjects, nLayer) : null;
  return (subject) => expectedByName(subject, byName, nLayer) ?? byPlace?.(subject) ?? null;
}

function wordsFrom(known: readonly Known[]): Map<string, Meaning | null> {
  const words = new Map<string, Meaning | null>();
  for (const { subject, ours, layout } of known) {
    const { pattern, number } = subject.name;
    const layer = layerOf(ours);
    // The ends of a list of hidden states are no layer's output.
    if (pattern === '' || number === null || layer === null) continue;
    const [stem, shift] = [stemOf(ours), layer - number];
    const before = words.get(pattern);
    if (before === undefined) words.set(pattern, { stem, shift, layers: [layer], layout });
    else if (before && before.stem === stem && before.shift === shift) {
      const shared = before.layout === layout ? layout : null;
      words.set(pattern, { ...before, layers: [...before.layers, layer], layout: shared });
    } else words.set(pattern, null);
  }
  return words;
}

function expectedByName(
  { name }: Subject,
  words: ReadonlyMap<string, Meaning | null>,
  nLayer: number,
): Expected | null {
  const meaning = words.get(name.pattern);
  if (!meaning || name.number === null) return null;
  // Hugging Face's last hidden state is taken after the final norm, and not everyone's is.
  if (name.stems?.includes('hidden_states') && name.number === nLayer) return null;
  const layer = name.number + meaning.shift;
  const ours = layer === -1 && meaning.stem === 'l_out' ? 'embd' : `${meaning.stem}-${layer}`;
  if (layer < -1 || layer >= nLayer) return null;
  const { layers, layout, stem } = meaning;
  return { ours, layout, says: `"${name.pattern}" is ${stem} in ${layersText(layers)}, by values` };
}

/**
 * A dump in the order of execution whose tensors come again every `period` places. It is believed where every known pair
 * agrees, every tensor from the first layer to the end has a shape that its place asks for, and the end is where it must be.
 */
function periodOf(known: readonly Known[], subjects: readonly Subject[], nLayer: number): Vocabulary | null {
  const inLayers = known.filter(({ ours }) => layerOf(ours) !== null);
  const period = periodBetween(inLayers);
  if (period === null) return null;
  const places = new Map<string, { readonly first: number; readonly layers: number[]; layout: string | null }>();
  for (const { subject, ours, layout } of inLayers) {
    const first = subject.position - period * layerOf(ours)!;
    const before = places.get(stemOf(ours));
    if (before && before.first !== first) return null;
    if (before?.layers.push(layerOf(ours)!)) before.layout = before.layout === layout ? layout : null;
    else places.set(stemOf(ours), { first, layers: [layerOf(ours)!], layout });
  }
  const expected = ({ position }: Subject): (Expected & { readonly layer: number }) | null => {
    for (const [stem, { first, layers, layout }] of places) {
      const layer = (position - first) / period;
      if (!Number.isInteger(layer) || layer < 0 || layer >= nLayer) continue;
      const says = `of the ${period} tensors of each layer it stands where ${stem} is in ${layersText(layers)}, by values`;
      return { ours: `${stem}-${layer}`, layer, layout, says };
    }
    return null;
  };
  const fits = (subject: Subject, ours: string) => subject.fits.some((fit) => fit.ours === ours);
  if (!subjects.every((subject) => fits(subject, expected(subject)?.ours ?? subject.fits[0]?.ours ?? ''))) return null;
  // A tensor that is missing moves all that follow; shapes show it, but for one of the last layer.
  const starts = [...places.values()].map(({ first }) => first);
  const tail = subjects.slice(Math.min(...starts) + period * nLayer);
  const isWhole = tail.length === 2 && fits(tail[0]!, 'result_norm') && fits(tail[1]!, 'result_output');
  const shapes = new Set(subjects.map(({ row }) => row.shape.join()));
  const isTelling = period >= LEAST_PERIOD && shapes.size > 2;
  return (subject) => {
    const found = expected(subject);
    if (!found) return null;
    const isAnchored = known.some((pair) => pair.subject === subject);
    return isAnchored || (isTelling && (isWhole || found.layer < nLayer - 1)) ? found : null;
  };
}

/** Shapes of fewer tensors a layer look alike when they are moved by one. */
const LEAST_PERIOD = 4;

/** How many places apart one tensor's layers stand, where all pairs agree. */
function periodBetween(known: readonly Known[]): number | null {
  const byStem = grouped(known, ({ ours }) => stemOf(ours));
  const periods = [...byStem.values()].flatMap((pairs) =>
    pairs.slice(1).map((pair, i) => {
      const before = pairs[i]!;
      return (pair.subject.position - before.subject.position) / (layerOf(pair.ours)! - layerOf(before.ours)!);
    }),
  );
  const [period] = periods;
  const isOne = periods.every((other) => other === period);
  return period !== undefined && isOne && Number.isInteger(period) && period > 0 ? period : null;
}

/** `Qcur` of `Qcur-3`. */
export function stemOf(name: string): string {
  return name.replace(/-\d+$/, '');
}

function layerOf(name: string): number | null {
  const match = /-(\d+)$/.exec(name);
  return match ? Number(match[1]) : null;
}

function layersText(layers: readonly number[]): string {
  return layers.length === 1 ? `layer ${layers[0]}` : `layers ${layers.join(', ')}`;
}
