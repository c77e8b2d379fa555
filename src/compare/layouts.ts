/**
 * The layouts in which the same numbers may lie: transposed, head-major, heads reversed, RoPE's pairs as halves, K/V heads
 * repeated, keys padded, and what these make together. A layout is a walk over our array with strides of its own, so that
 * putting one upon the other is arithmetic on strides and nothing is copied before it is known to fit.
 *
 * Sources of the layouts: Hugging Face keeps [batch, head, token, dim] and pairs RoPE's dimensions (i, i + d/2), GGUF pairs
 * (2i, 2i + 1); ggml writes sizes innermost first and pads keys to 256; `repeat_kv` copies each K/V head side by side.
 */
import { TraceError } from '../errors.ts';
import type { Tensor } from '../trace/tensor.ts';
import type { Explanation } from './comparison.ts';

/** Sizes, outermost first, and what each axis is. A Tensor and a TraceRow are such. */
export interface Axes {
  readonly shape: readonly number[];
  readonly dims: readonly string[];
}

/** A run of equal steps through our array; several make one axis of theirs. */
interface Stride {
  readonly size: number;
  /** In numbers of ours; 0 where theirs holds copies. */
  readonly step: number;
  /** How many of `size` there are in ours; the rest is padding. */
  readonly filled: number;
}

/** Their array as a walk over ours: axes in the order of theirs, each of one of our dimensions. */
interface Walk {
  readonly base: number;
  readonly axes: readonly { readonly dim: string; readonly strides: readonly Stride[] }[];
}

/** One way in which a layout differs; null where it cannot apply to such axes. `total` is how many numbers theirs has. */
interface Move {
  readonly name: string;
  readonly apply: (walk: Walk, total: number) => Walk | null;
}

/** The name of the layout that is ours. */
export const AS_OURS = 'as ours';
const LAST_TOKEN = 'last token only';

/** A layout between two shapes. */
export interface Layout {
  /** In words, simplest layouts in the fewest: `as ours`, `head-major, heads reversed`. */
  readonly name: string;
  /** Whether the numbers stand in memory as ours do. */
  readonly movesNothing: boolean;
  /** Whether theirs holds each of our numbers, or of those of the last token, exactly once. */
  readonly isPermutation: boolean;
  /** Whether theirs has numbers that belong nowhere in ours. */
  readonly isPadded: boolean;
  /** What of ours it covers: all, or the last token. */
  readonly covers: Axes;
  readonly lastTokenOnly: boolean;
  /** How many copies theirs has of each of our numbers. */
  readonly copies: number;
  /** What theirs is multiplied by to be ours: √d for scores that were scaled, else 1. */
  readonly factor: number;
  /** Their numbers in our order, of shape `covers`; of copies the first is taken. */
  toOurs(data: Float32Array): Float32Array;
  /** Where in theirs one of our numbers is, by its offset in `covers`. Of copies, all are given in turn. */
  theirOffset(ours: number): number;
  /** Where in `covers` one of their numbers belongs; -1 for padding. */
  ourOffset(theirs: number): number;
}

/** Of scores: theirs are divided by the square root of the head's size. */
export function scaledScores(headDim: number): string {
  return `scaled by 1/√${headDim}`;
}

/** A mask is no layout and nothing is undone for it: what it hides is left out of every comparison. */
export function maskedScores(value: string): string {
  return `masked with ${value}`;
}

/** The name of a layout without what it says of values: how scores are scaled and masked. */
export function orderOf(layout: string): string {
  const moves = layout.split(', ').filter((part) => !VALUE_WORDS.test(part) && part !== AS_OURS);
  return moves.join(', ') || AS_OURS;
}

/** Layouts that an error names. */
const LISTED = 5;
const VALUE_WORDS = /^(scaled by 1\/√(\d+)|masked with .+)$/;

/** Every layout in which an array of shape `theirs` may hold ours, the simplest first; no two place the numbers alike. */
export function layoutsBetween(theirs: readonly number[], ours: Axes): Layout[] {
  const known = new Set<string>();
  return formsBetween(theirs, ours)
    .filter(({ walk, last }) => {
      const key = `${last} ${walk.base} ${JSON.stringify(stridesOf(walk))}`;
      return !known.has(key) && known.add(key);
    })
    .map(layoutOf);
}

/** The same with every name under which numbers lie alike, as layouts of one token do. */
function formsBetween(theirs: readonly number[], ours: Axes): LayoutParts[] {
  return [ours, lastTokenOf(ours)]
    .flatMap((covers, last) => {
      if (!covers) return [];
      return [...combinations(startOf(covers), product(theirs))].flatMap(({ walk, names }) => {
        const form = formOf(walk, theirs, covers.dims);
        if (form === null) return [];
        return [{ walk, covers, last: last === 1, names: [...(last === 1 ? [LAST_TOKEN] : []), ...names, ...form] }];
      });
    })
    .sort((a, b) => a.names.length - b.names.length);
}

/**
 * The layout of that name between two shapes. Throws TraceError where no layout is called so or it does not lead from one
 * shape to the other.
 */
export function layoutNamed(name: string, theirs: readonly number[], ours: Axes): Layout {
  const sizes = name.split(', ').map((part) => VALUE_WORDS.exec(part)?.[2]);
  const headDim = sizes.find((size) => size !== undefined) ?? 1;
  const order = orderOf(name);
  // The one token of a pass is its last.
  const ofOne = order.replace(new RegExp(`^${LAST_TOKEN}(, )?`), '') || AS_OURS;
  const forms = formsBetween(theirs, ours);
  const found =
    forms.find((form) => nameOf(form) === order) ?? forms.find((form) => nameOf(form) === ofOne && isOfOne(ours));
  if (found) return { ...layoutOf(found), name, factor: Math.sqrt(Number(headDim)) };
  const some = layoutsBetween(theirs, ours)
    .slice(0, LISTED)
    .map((known) => known.name);
  const wanted = some.length > 0 ? `such as: ${some.join('; ')}` : 'another tensor of ours';
  throw new TraceError(
    `Cannot bring a tensor [${theirs}] into our shape [${ours.shape}]: found the layout ${JSON.stringify(name)}; wanted ${wanted}`,
  );
}

/** What a layout covers of a tensor of ours, row-major. */
export function coveredOf(ours: Tensor, { lastTokenOnly }: Pick<Layout, 'lastTokenOnly'>): Float32Array {
  if (!lastTokenOnly) return ours.data;
  const token = ours.dims.indexOf('token');
  const last = ours.shape[token]! - 1;
  return ours.slice(...Array<null>(token).fill(null), [last, last + 1]).data;
}

/**
 * The layout under which theirs is ours to `limit` (relative RMS error), where it is not as it stands; null where there is
 * none. Where several fit equally well the name says so. Non-finite numbers count as equal only where both are the same.
 */
export function otherLayout(
  theirs: { readonly shape: readonly number[]; readonly data: Float32Array },
  ours: Tensor,
  limit: number,
): Explanation | null {
  const layouts = layoutsBetween(theirs.shape, ours);
  const theirNorm = normOf(theirs.data);
  const covered = new Map<boolean, { readonly data: Float32Array; readonly norm: number }>();
  const fits: Explanation[] = [];
  for (const layout of layouts) {
    const data = covered.get(layout.lastTokenOnly)?.data ?? coveredOf(ours, layout);
    const { norm } = covered.get(layout.lastTokenOnly) ?? { norm: normOf(data) };
    covered.set(layout.lastTokenOnly, { data, norm });
    // ‖a‖ and ‖b‖ differ by at most ‖a − b‖, whatever the order.
    if (layout.isPermutation && Math.abs(theirNorm - norm) > 1.001 * limit * norm) continue;
    const left = errorUnder(layout, theirs.data, data, norm, limit);
    if (left === null) continue;
    if (layout.movesNothing && !layout.lastTokenOnly) return null;
    fits.push({ name: layout.name, left });
  }
  const best = fits.sort((a, b) => a.left - b.left)[0];
  if (!best) return null;
  const alike = fits.filter(({ left }) => left <= 2 * best.left);
  if (alike.length === 1) return best;
  return { name: `${alike.map(({ name }) => name).join(' or ')} (these numbers fit each)`, left: best.left };
}

/** Relative RMS error over all of theirs, copies too; null as soon as it must exceed the limit. */
function errorUnder(
  layout: Layout,
  theirs: Float32Array,
  ours: Float32Array,
  norm: number,
  limit: number,
): number | null {
  const size = layout.copies * norm ** 2;
  const most = limit ** 2 * size;
  let error = 0;
  for (let i = 0; i < theirs.length; i++) {
    const at = layout.ourOffset(i);
    if (at < 0) continue;
    const [a, b] = [theirs[i]!, ours[at]!];
    const difference = a - b;
    if (Number.isFinite(difference)) error += difference * difference;
    else if (!Object.is(a, b)) return null;
    if (error > most) return null;
  }
  return size === 0 ? 0 : Math.sqrt(error / size);
}

/** Over the finite numbers. */
function normOf(data: Float32Array): number {
  let sum = 0;
  for (const x of data) if (Number.isFinite(x)) sum += x * x;
  return Math.sqrt(sum);
}

/** Ours with the token axis cut to its last; null where that is all there is. */
function lastTokenOf({ shape, dims }: Axes): Axes | null {
  const token = dims.indexOf('token');
  if (token < 0 || shape[token] === 1) return null;
  return { shape: shape.with(token, 1), dims };
}

function startOf({ shape, dims }: Axes): Walk {
  let step = product(shape);
  const axes = shape.map((size, axis) => {
    step /= size || 1;
    return { dim: dims[axis] ?? `axis${axis}`, strides: [{ size, step, filled: size }] };
  });
  return { base: 0, axes };
}

const headsReversed: Move = {
  name: 'heads reversed',
  apply: (walk) =>
    changed(walk, 'head', ({ size, step, filled }) =>
      size > 1 ? { base: (size - 1) * step, strides: [{ size, step: -step, filled }] } : null,
    ),
};

/** In each head theirs has first the first of every pair, then the second. */
const halves: Move = {
  name: 'RoPE pairs as halves',
  apply: (walk) =>
    changed(walk, 'dim', ({ size, step }) =>
      size % 2 === 0 ? { strides: [run(2, step), run(size / 2, 2 * step)] } : null,
    ),
};

/** The way back: theirs has pairs side by side where ours has halves. */
const neighbours: Move = {
  name: 'RoPE pairs as neighbours',
  apply: (walk) =>
    changed(walk, 'dim', ({ size, step }) =>
      size % 2 === 0 ? { strides: [run(size / 2, step), run(2, (size / 2) * step)] } : null,
    ),
};

const repeated: Move = {
  name: 'each K/V head repeated',
  apply: (walk, total) => copied(walk, total, (heads, copies) => [heads, copies]),
};

const tiled: Move = {
  name: 'K/V heads tiled',
  apply: (walk, total) => copied(walk, total, (heads, copies) => [copies, heads]),
};

function copied(walk: Walk, total: number, order: (heads: Stride, copies: Stride) => Stride[]): Walk | null {
  const copies = total / numbersOf(walk);
  if (!walk.axes.some(({ dim }) => dim === 'dim') || !Number.isInteger(copies) || copies < 2) return null;
  return changed(walk, 'head', (heads) => ({ strides: order(heads, run(copies, 0)) }));
}

const keysPadded: Move = {
  name: 'keys padded',
  apply: (walk, total) =>
    changed(walk, 'key', ({ size, step }) => {
      const padded = total / (numbersOf(walk) / size);
      return Number.isInteger(padded) && padded > size ? { strides: [{ size: padded, step, filled: size }] } : null;
    }),
};

const headMajor = swap('head-major', ['token', 'head'], 'dim');
const tokenMajor = swap('token-major', ['head', 'token'], 'key');
const keyTokenSwapped = swap('key and token swapped', ['token', 'key'], 'head');

const transposed: Move = {
  name: 'transposed',
  apply: ({ base, axes }) =>
    axes.length < 2 ? null : { base, axes: [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!] },
};

const axesReversed: Move = {
  name: 'axes reversed',
  apply: ({ base, axes }) => (axes.length < 3 ? null : { base, axes: axes.toReversed() }),
};

/** Exchanges two axes of a tensor that has a third. */
function swap(name: string, [one, other]: readonly [string, string], third: string): Move {
  return {
    name,
    apply({ base, axes }) {
      const [i, j, k] = [one, other, third].map((dim) => axes.findIndex((axis) => axis.dim === dim)) as [
        number,
        number,
        number,
      ];
      if (i < 0 || j < 0 || k < 0 || i > j) return null;
      return { base, axes: axes.with(i, axes[j]!).with(j, axes[i]!) };
    },
  };
}

/** At most one choice of each line applies; what moves axes comes last. */
const CHOICES: readonly (readonly (readonly Move[])[])[] = [
  [[repeated], [tiled]],
  [[keysPadded]],
  [[headsReversed]],
  [[halves], [neighbours]],
  [
    [headMajor],
    [tokenMajor],
    [keyTokenSwapped],
    [transposed],
    [axesReversed],
    [headMajor, transposed],
    [tokenMajor, transposed],
    [axesReversed, transposed],
  ],
];

/** Every combination of moves that gives as many numbers as theirs has. */
function* combinations(
  walk: Walk,
  total: number,
  names: readonly string[] = [],
  line = 0,
): Generator<{ readonly walk: Walk; readonly names: readonly string[] }> {
  const choices = CHOICES[line];
  if (!choices) {
    if (numbersOf(walk) === total) yield { walk, names };
    return;
  }
  yield* combinations(walk, total, names, line + 1);
  for (const moves of choices) {
    const moved = moves.reduce<Walk | null>((before, move) => before && move.apply(before, total), walk);
    if (moved) yield* combinations(moved, total, [...names, ...moves.map(({ name }) => name)], line + 1);
  }
}

/** How theirs writes the sizes of a walk: words for what differs, none where nothing does; null where it is another shape. */
function formOf({ axes }: Walk, theirs: readonly number[], dims: readonly string[]): readonly string[] | null {
  const sizes = axes.map(({ strides }) => product(strides.map(({ size }) => size)));
  const head = axes.findIndex(({ dim }, i) => dim === 'head' && axes[i + 1]?.dim === 'dim');
  const forms: [string[], number[]][] = [[[], sizes]];
  if (head >= 0) forms.push([['heads flattened'], sizes.toSpliced(head, 2, sizes[head]! * sizes[head + 1]!)]);
  forms.push([['flat'], [product(sizes)]]);
  const isInOurOrder = axes.every(({ dim }, i) => dim === dims[i]);
  if (isInOurOrder) forms.push([['sizes written innermost first'], sizes.toReversed()]);
  const isSame = (a: readonly number[], b: readonly number[]) => a.join() === b.join();
  const withoutOnes = (shape: readonly number[]) => shape.filter((size) => size !== 1);
  const exact = forms.find(([, form]) => isSame(form, theirs));
  if (exact) return exact[0];
  const batched = forms.find(([, form]) => isSame([1, ...form], theirs));
  if (batched) return ['batch axis of 1', ...batched[0]];
  const loose = forms.find(([, form]) => isSame(withoutOnes(form), withoutOnes(theirs)));
  return loose ? ['axes of 1 elsewhere', ...loose[0]] : null;
}

interface LayoutParts {
  readonly walk: Walk;
  readonly covers: Axes;
  readonly last: boolean;
  readonly names: readonly string[];
}

function nameOf({ names }: LayoutParts): string {
  return names.join(', ') || AS_OURS;
}

function isOfOne({ shape, dims }: Axes): boolean {
  return shape[dims.indexOf('token')] === 1;
}

function layoutOf(parts: LayoutParts): Layout {
  const { walk, covers, last } = parts;
  const strides = stridesOf(walk);
  const size = product(covers.shape);
  const total = numbersOf(walk);
  const copies = product(strides.filter(({ step }) => step === 0).map((stride) => stride.size));
  const isPadded = strides.some(({ size, filled }) => filled < size);
  const theirSteps = strides.map((_, i) => product(strides.slice(i + 1).map((stride) => stride.size)));
  const lowest = walk.base + strides.reduce((sum, { size, step }) => sum + Math.min(0, (size - 1) * step), 0);
  /** Largest step first, as digits of our offset. */
  const digits = strides
    .map((stride, i) => ({ ...stride, theirs: theirSteps[i]! }))
    .filter(({ step }) => step !== 0)
    .sort((a, b) => Math.abs(b.step) - Math.abs(a.step));
  const copyDigits = strides.flatMap((stride, i) => (stride.step === 0 ? [{ ...stride, theirs: theirSteps[i]! }] : []));
  const ourOffset = (theirs: number): number => {
    let [rest, at] = [theirs, walk.base];
    for (const [i, { step, filled }] of strides.entries()) {
      const index = Math.floor(rest / theirSteps[i]!);
      if (index >= filled) return -1;
      rest -= index * theirSteps[i]!;
      at += index * step;
    }
    return at;
  };
  return {
    name: nameOf(parts),
    movesNothing: walk.base === 0 && strides.length <= 1 && (strides[0]?.step ?? 1) === 1 && !isPadded,
    isPermutation: copies === 1 && !isPadded,
    isPadded,
    covers,
    lastTokenOnly: last,
    copies,
    factor: 1,
    ourOffset,
    theirOffset(ours) {
      let [rest, at] = [ours - lowest, 0];
      for (const { size, step, theirs } of digits) {
        const index = Math.floor(rest / Math.abs(step));
        rest -= index * Math.abs(step);
        at += (step < 0 ? size - 1 - index : index) * theirs;
      }
      for (const { size, theirs } of copyDigits) at += (ours % size) * theirs;
      return at;
    },
    toOurs(data) {
      const values = new Float32Array(size);
      for (let i = total - 1; i >= 0; i--) {
        const at = ourOffset(i);
        if (at >= 0) values[at] = this.factor * data[i]!;
      }
      return values;
    },
  };
}

/** The walk's strides, those of size 1 left out and what continues the one before it joined with it. */
function stridesOf({ axes }: Walk): Stride[] {
  const strides: Stride[] = [];
  for (const stride of axes.flatMap((axis) => axis.strides)) {
    const before = strides.at(-1);
    if (stride.size === 1) continue;
    if (before && stride.filled === stride.size && before.step === stride.size * stride.step && before.step !== 0) {
      strides[strides.length - 1] = {
        size: before.size * stride.size,
        step: stride.step,
        filled: before.filled * stride.size,
      };
    } else strides.push(stride);
  }
  return strides;
}

/** The walk with the one stride of a dimension replaced; null where there is none such or `change` gives null. */
function changed(
  { base, axes }: Walk,
  dim: string,
  change: (stride: Stride) => { readonly base?: number; readonly strides: readonly Stride[] } | null,
): Walk | null {
  const at = axes.findIndex((axis) => axis.dim === dim);
  // Where heads were repeated, reversing means each group; one stride is the heads themselves.
  const own = axes[at]?.strides.findIndex(({ step }) => step !== 0) ?? -1;
  const stride = axes[at]?.strides[own];
  const next = stride ? change(stride) : null;
  if (!next) return null;
  const strides = axes[at]!.strides.toSpliced(own, 1, ...next.strides);
  return { base: base + (next.base ?? 0), axes: axes.with(at, { dim, strides }) };
}

function run(size: number, step: number): Stride {
  return { size, step, filled: size };
}

/** How many numbers theirs has under it. */
function numbersOf({ axes }: Walk): number {
  return product(axes.flatMap(({ strides }) => strides.map(({ size }) => size)));
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}
