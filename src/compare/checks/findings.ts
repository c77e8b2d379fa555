/** What a check collects while it looks: how many tensors, the first that fails, the number nearest to failing, what it lacked. */
import { columnsOf } from '../../ops/shape.ts';
import type { Tensor } from '../../trace/tensor.ts';
import type { Place, Tolerance } from '../comparison.ts';
import { judge } from '../judge.ts';
import { measure, placeAt } from '../measure.ts';
import type { LeftOut, Sighting } from './check.ts';

/** A tensor as it stands in a trace. */
export interface Where {
  readonly name: string;
  readonly layer: number | null;
  readonly pass: number;
  /** Position of its first token. */
  readonly pos0: number;
  readonly shape: readonly number[];
  readonly dims: readonly string[];
}

/** One number and what it should be. */
export interface Held {
  readonly place: Place;
  readonly found: number;
  readonly wanted: number;
  /** How far the two may be apart. */
  readonly allowed: number;
  /** What `found` is where it is no element. */
  readonly what?: string | null;
}

/** A sighting, but for the tensor it is in. */
interface Look extends Omit<Sighting, keyof Place | 'tensor' | 'layer' | 'pass'> {
  readonly place: Place;
  readonly isBeyond: boolean;
}

/** Of one tensor. */
interface Seen {
  worst: Sighting;
  isBeyond: boolean;
}

export class Findings {
  /** In order of execution, by name and pass. */
  readonly #seen = new Map<string, Seen>();
  readonly #leftOut = new Map<string, { tensor: string; why: string; layers: Set<number> }>();
  #tolerance: Tolerance | null = null;
  #note: string | null = null;
  #needsModel = false;

  /** Each element against what it should be; `allowed(i)` is how far they may be apart. */
  elements(where: Where, found: ArrayLike<number>, wanted: ArrayLike<number>, allowed: (i: number) => number): void {
    let [worst, most] = [0, -1];
    for (let i = 0; i < found.length; i++) {
      const excess = excessOf(found[i] as number, wanted[i] as number, allowed(i));
      if (excess > most) [worst, most] = [i, excess];
    }
    if (found.length === 0) return;
    this.#add(where, {
      place: placeAt(where, worst),
      found: found[worst] as number,
      wanted: wanted[worst] as number,
      allowed: allowed(worst),
    });
  }

  /** A number made of a tensor, such as the sum of a row. */
  number(where: Where, held: Held): void {
    this.#add(where, held);
  }

  /** A number that must not be below `least`. */
  atLeast(
    where: Where,
    { place, found, least, what }: { place: Place; found: number; least: number; what: string },
  ): void {
    const isBeyond = !(found >= least);
    this.#see(where, { place, found, wanted: least, relation: 'at least', excess: least / found, isBeyond, what });
  }

  /** A tensor against what it should be within a relative RMS error, by `judge`: the whole, each token, head and element. */
  tensor(where: Where, found: Tensor, wanted: Tensor, tolerance: Tolerance): void {
    const { shape, dims, pos0 } = where;
    const pair = { ours: found.data, reference: wanted.data, shape, dims, pos0, offsets: null };
    const measured = measure(pair);
    const { status, worst } = judge(pair, measured, tolerance);
    const { relativeRmsError, maxAt } = measured.measure;
    const place = worst ?? maxAt ?? placeAt(where, 0);
    const offset = place.index.reduce((at, index, axis) => at * (shape[axis] as number) + index, 0);
    const numbers = { found: found.data[offset] as number, wanted: wanted.data[offset] as number };
    const excess = Math.max(worst?.excess ?? 0, relativeRmsError / tolerance.limit);
    this.#see(where, { place, ...numbers, relation: 'equal', excess, isBeyond: status === 'beyond', what: null });
  }

  /** What all of it was held against. */
  within(tolerance: Tolerance): void {
    if (!this.#tolerance || tolerance.limit > this.#tolerance.limit) this.#tolerance = tolerance;
  }

  /** Something that was not looked at. `tensor` has its layer: `kq-3`. */
  lacks(tensor: string, layer: number | null, why: string): void {
    const stem = layer === null ? tensor : tensor.replace(/-\d+$/, '-i');
    const key = `${stem} ${why}`;
    const found = this.#leftOut.get(key) ?? { tensor: stem, why, layers: new Set<number>() };
    if (layer !== null) found.layers.add(layer);
    this.#leftOut.set(key, found);
  }

  /** As `lacks`, of everything that needs the model, which was not given. */
  lacksModel(tensor: string, why: string): void {
    this.#needsModel = true;
    this.lacks(tensor, null, why);
  }

  /** Whether the model would let it look at more. */
  get needsModel(): boolean {
    return this.#needsModel;
  }

  /** What else a reader should know of it. */
  notes(sentence: string): void {
    this.#note ??= sentence;
  }

  get note(): string | null {
    return this.#note;
  }

  get tolerance(): Tolerance | null {
    return this.#tolerance;
  }

  get looked(): number {
    return this.#seen.size;
  }

  get failing(): number {
    return [...this.#seen.values()].filter(({ isBeyond }) => isBeyond).length;
  }

  /** Of the first tensor that fails; where none does, of the one nearest to it. */
  get worst(): Sighting | null {
    const seen = [...this.#seen.values()];
    const nearest = seen.reduce<Seen | null>(
      (most, each) => (most && most.worst.excess >= each.worst.excess ? most : each),
      null,
    );
    return (seen.find(({ isBeyond }) => isBeyond) ?? nearest)?.worst ?? null;
  }

  get leftOut(): LeftOut[] {
    return [...this.#leftOut.values()].map(({ layers, ...rest }) => ({
      ...rest,
      layers: [...layers].sort((a, b) => a - b),
    }));
  }

  #add(where: Where, { place, found, wanted, allowed, what = null }: Held): void {
    const excess = excessOf(found, wanted, allowed);
    this.#see(where, { place, found, wanted, relation: 'equal', excess, isBeyond: excess > 1, what });
  }

  #see({ name, layer, pass }: Where, { place: { index, token, head }, isBeyond, ...rest }: Look): void {
    const worst: Sighting = { tensor: name, layer, pass, index, token, head, ...rest };
    const key = `${pass} ${name}`;
    const seen = this.#seen.get(key);
    if (!seen) this.#seen.set(key, { worst, isBeyond });
    else if (worst.excess > seen.worst.excess) this.#seen.set(key, { worst, isBeyond: seen.isBeyond || isBeyond });
    else seen.isBeyond ||= isBeyond;
  }
}

function excessOf(found: number, wanted: number, allowed: number): number {
  if (Object.is(found, wanted) || found === wanted || allowed === Number.POSITIVE_INFINITY) return 0;
  const excess = Math.abs(found - wanted) / allowed;
  return Number.isNaN(excess) ? Number.POSITIVE_INFINITY : excess;
}

/** A tensor's place for numbers made of whole rows: its index on the axes but the last. */
export function rowPlace(where: Where, row: number): Place {
  const { index, token, head } = placeAt(where, row * columnsOf(where.shape));
  return { index: index.slice(0, -1), token, head };
}
