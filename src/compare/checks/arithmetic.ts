/**
 * How exactly an engine computes, as far as its trace tells: what rounding alone may do to a number in it. A check of a
 * stranger's dump allows what honest engines of that precision show; one of our own run what DESIGN.md's bounds say.
 */
import { dotTolerance, elementwiseTolerance } from '../../ops/tolerance.ts';
import type { Trace } from '../../trace/trace.ts';
import type { Tolerance } from '../comparison.ts';

export interface Arithmetic {
  /** Unit roundoff of a stored number: 2⁻²⁴ for f32. */
  readonly unit: number;
  /** Of what the KV cache gives back. */
  readonly cacheUnit: number;
  /** Relative error of an elementwise op or a norm. */
  readonly elementwise: Tolerance;
  /** Relative RMS error of a product with a weight of so many columns. */
  product(terms: number): Tolerance;
  /** Relative RMS error of two runs that should be one. */
  readonly endToEnd: Tolerance;
}

/** Unit roundoff by the type that a producer held its numbers in. */
const UNITS: Readonly<Record<string, number>> = { f32: 2 ** -24, f16: 2 ** -11, bf16: 2 ** -8 };

/** Transforms of ours that round as other engines do, and what they make of f32. */
const ROUNDING = new Set(['f16Storage', 'f16Accumulation', 'ggmlArithmetic']);

export function arithmeticOf({ manifest, entries }: Pick<Trace, 'manifest' | 'entries'>): Arithmetic {
  const rounded = transformNames(manifest.transforms).filter((name) => ROUNDING.has(name));
  const types = new Set(entries.map(({ srcDtype }) => srcDtype.toLowerCase()));
  const unit = Math.max(
    ...[...types].map((type) => UNITS[type] ?? 2 ** -24),
    2 ** (rounded.includes('f16Storage') ? -11 : -24),
  );
  const isOurs = manifest.producer === 'layerscope' && rounded.length === 0;
  const stored = `numbers stored as ${storedAs(unit)}`;
  const elementwise: Tolerance =
    unit === 2 ** -24
      ? { limit: elementwiseTolerance, source: '16 units of f32 roundoff: an elementwise op against f64' }
      : { limit: 4 * unit, source: `4 units of roundoff, of ${stored}` };
  const products = productError(isOurs ? undefined : manifest.quantisation, rounded);
  return {
    unit,
    cacheUnit: isOurs ? unit : Math.max(unit, 2 ** -11),
    elementwise,
    product: (terms) =>
      widest(
        { limit: dotTolerance(terms), source: `an f32 sum of ${terms} products against f64` },
        products.product,
        elementwise,
      ),
    endToEnd: widest(
      { limit: 1e-5, source: 'f32 rounding that grew over the layers, between two plans' },
      products.endToEnd,
      {
        limit: unit === 2 ** -24 ? 0 : 16 * unit,
        source: `rounding that grew over the layers, of ${stored}`,
      },
    ),
  };
}

/**
 * What rounding of activations adds, as it was measured between llama.cpp's CPU and f64 on healthy models: 5e-4 an op and
 * 3e-3 at the end where they become f16, 1.5e-2 and 6e-2 where they become blocks of 8 bits. An engine that does not round
 * them stays far below.
 */
function productError(
  quantisation: string | undefined,
  rounded: readonly string[],
): { product: Tolerance; endToEnd: Tolerance } {
  const source = (how: string) =>
    `activations rounded to ${how}, as llama.cpp's CPU does it: measured on healthy models`;
  const types = quantisation?.split(' ') ?? [];
  const halves = { product: { limit: 5e-4, source: source('f16') }, endToEnd: { limit: 3e-3, source: source('f16') } };
  if (types.some((type) => /^I?Q/.test(type)) || rounded.includes('ggmlArithmetic')) {
    return {
      product: { limit: 1.5e-2, source: source('8 bits') },
      endToEnd: { limit: 6e-2, source: source('8 bits') },
    };
  }
  if (types.includes('F16') || types.includes('BF16') || rounded.length > 0) return halves;
  return { product: NONE, endToEnd: NONE };
}

const NONE: Tolerance = { limit: 0, source: '' };

function widest(...tolerances: readonly Tolerance[]): Tolerance {
  return tolerances.reduce((most, each) => (each.limit > most.limit ? each : most));
}

function storedAs(unit: number): string {
  return Object.entries(UNITS).find(([, each]) => each === unit)?.[0] ?? 'f32';
}

/** Names in a manifest's list of transforms, whoever wrote it. */
function transformNames(transforms: unknown): string[] {
  if (!Array.isArray(transforms)) return [];
  return transforms.flatMap((each: { name?: unknown } | null) => (typeof each?.name === 'string' ? [each.name] : []));
}
