/**
 * How far apart a tensor may be at the end of whatever came before it, by its name, its op and the precision of the pair: an
 * ordered list of rules, of which the first that matches speaks. What no rule speaks of has no tolerance, and fails.
 *
 * What one op may be off by on identical inputs is the op's own word (`Op.tolerance`, src/ops/tolerance.ts). From op to op
 * errors grow: softmax turns an absolute error of a score into a relative one of its probability, and each layer hands on
 * what it got. So these limits start from DESIGN's figures and were set by measuring. "Measured" below means: every
 * tensor of the shipped model (fixtures/lily-4m in F16, Q8_0, Q4_0, Q4_K_M and Q6_K), prompts of 1, 2, 12, 40, 150 and 500
 * tokens, held against our f64 run (of f16-sums, 500 tokens of Q4_0 alone); the figure is the limit that the whole, its tokens, heads and elements needed with the
 * margins of judge.ts. Limits are about twice that.
 */
import { elementwiseTolerance } from '../ops/tolerance.ts';
import type { Manifest, Trace, TraceRow } from '../trace/trace.ts';
import type { Tolerance } from './comparison.ts';

/** What rules look at: of a trace's row, or of a pair of tensors. */
export type Judged = Pick<TraceRow, 'name' | 'op' | 'shape' | 'dims'> & { readonly pos0?: number };

/** Applies where all three expressions match. */
export interface ToleranceRule {
  readonly name: RegExp;
  readonly op: RegExp;
  /** A class that `precisionOf` names. */
  readonly precision: RegExp;
  /** Relative RMS error. */
  limit(row: Judged): number;
  /** Where the limit comes from, in words. */
  readonly source: string;
}

const ANY_OP = /^/;

/** What may follow a stem: `_nobias` and `_rope` of the forward pass, the others of transforms that round. */
const ENDING = '(_nobias|_rope)?(_(unrounded|f16|bf16|q8_0|q8_k))?';

/** The names that forward passes and observers give; of another name nothing is known. */
const EMBD = /^embd$/;
const FIRST_LAYER = named('attn_norm|[QKV]cur|kq|kq_soft_max|kqv_out|attn_out|ffn_[a-z]+|l_out', '-0');
const ATTENTION = named('kq|kq_soft_max|kqv_out|attn_out', '-\\d+');
const STREAM = new RegExp(
  `${named('attn_norm|[QKV]cur|ffn_[a-z]+|l_out', '-\\d+').source}|${named('embd|result_norm|result_output', '').source}`,
);
const OBSERVED = /^(lens|attribution)_\w+(-\d+)?$/;

/** End to end in f32 (DESIGN, "What agreement means"). Measured: 6.3e-6. */
const END_TO_END = 1e-5;

/** The same where softmax has made relative errors of absolute ones. Measured: 1.4e-5, at 150 and at 500 tokens. */
const END_TO_END_ATTENTION = 3e-5;

/**
 * What each position adds against ggml, which multiplies RoPE's angles up in f32, pair by pair. The rotation itself is off by
 * at most 5e-8 a position (RMS over a head; worst at head dim 128 and base 1e4, see test/compare/tolerances.test.ts); later
 * layers make more of it. Measured against the F32 twin at position 499: 8.0e-5, and 1.5e-4 in attention.
 */
const DRIFT = 3e-7;
const DRIFT_ATTENTION = 6e-7;

/**
 * Where a sum of K products of random signs is rounded to f16 after each of them, a partial sum of k has the size √k and is rounded by
 * 0.41 · 2⁻¹¹ of it (RMS, over mantissas spread as logarithms are); added up that is 0.41 · 2⁻¹¹ · K / √2, beside a sum of √K.
 */
const HALF_SUMS = '0.41 · 2⁻¹¹ · √(K / 2) an op';

function named(stems: string, layer: string): RegExp {
  return new RegExp(`^(${stems})${ENDING}${layer}$`);
}

/** Grows with the last position that a tensor is over. */
function withDrift(limit: number, drift: number): (row: Judged) => number {
  return ({ shape, dims, pos0 = 0 }) => {
    const tokens = shape[dims.indexOf('token')] ?? 1;
    return limit + drift * (pos0 + Math.max(1, tokens) - 1);
  };
}

const rule = (
  name: RegExp,
  precision: RegExp,
  limit: number | ToleranceRule['limit'],
  source: string,
  op = ANY_OP,
): ToleranceRule => ({ name, op, precision, limit: typeof limit === 'number' ? () => limit : limit, source });

/** Where llama.cpp rounds activations to 16 bits; measured for f16. bf16 was at most at half of these, of the whole. */
function halfRules(precision: RegExp, factor: number, cause: string): readonly ToleranceRule[] {
  return [
    rule(FIRST_LAYER, precision, factor * 1e-3, `${cause}: twice 5e-4, what they cost an op (measured 3.4e-4 in f16)`),
    rule(ATTENTION, precision, factor * 2e-2, `${cause}, behind softmax: measured 1.2e-2 in f16`),
    rule(/^result_output$/, precision, factor * 3e-3, `${cause}, at the end (DESIGN): measured 2.3e-3 in f16`),
    rule(STREAM, precision, factor * 6e-3, `${cause}, end to end: measured 3.7e-3 in f16`),
  ];
}

/** Users put their own before these. What observers add has rules in f32 alone: their ids and entropies hang on single logits. */
export const defaultRules: readonly ToleranceRule[] = [
  rule(OBSERVED, /^f32$/, 0, 'token ids are exact', /^top_k_ids$/),
  rule(EMBD, /^(f32|ggml-.*)$/, elementwiseTolerance, 'a row of the file, dequantised in f32'),

  rule(ATTENTION, /^f32$/, END_TO_END_ATTENTION, 'end to end in f32, behind softmax: measured 1.4e-5'),
  rule(OBSERVED, /^f32$/, END_TO_END_ATTENTION, 'end to end in f32, behind softmax: as attention'),
  rule(STREAM, /^f32$/, END_TO_END, 'end to end in f32 (DESIGN): measured 6.3e-6'),

  rule(
    ATTENTION,
    /^ggml-f32$/,
    withDrift(END_TO_END_ATTENTION, DRIFT_ATTENTION),
    "as in f32, and 6e-7 for each position: ggml's RoPE angles drift. Measured 1.5e-4 at position 499",
  ),
  rule(
    STREAM,
    /^ggml-f32$/,
    withDrift(END_TO_END, DRIFT),
    "as in f32, and 3e-7 for each position: ggml's RoPE angles drift. Measured 8.0e-5 at position 499",
  ),

  rule(/^attn_norm-0$/, /^ggml-/, END_TO_END, 'computed in f32 from exact rows of the file'),
  ...halfRules(/^ggml-f16$/, 1, "llama.cpp's f16 activations"),
  ...halfRules(/^ggml-bf16$/, 8, "llama.cpp's bf16 activations, 8 times f16's for three bits less"),

  rule(FIRST_LAYER, /^ggml-q$/, 3e-2, "twice 1.5e-2, what llama.cpp's Q8 activations cost an op: measured 2.5e-2"),
  rule(
    ATTENTION,
    /^ggml-q$/,
    3e-1,
    "llama.cpp's Q8 activations, behind softmax: measured 1.3e-1 up to 12 tokens; of 150 more than this",
  ),
  rule(
    /^result_output$/,
    /^ggml-q$/,
    6e-2,
    "llama.cpp's Q8 activations, at the end (DESIGN): measured 2e-2 up to 12 tokens, 5.9e-2 of the whole at 500",
  ),
  rule(STREAM, /^ggml-q$/, 1.2e-1, "llama.cpp's Q8 activations, end to end: measured 4.4e-2 up to 12 tokens"),

  rule(EMBD, /^f16(-sums)?$/, 2 ** -11, 'rounded once to f16, whose unit roundoff this is'),
  rule(FIRST_LAYER, /^f16$/, 2e-3, 'every tensor stored as f16: measured 1.3e-3 in the first layer'),
  rule(ATTENTION, /^f16$/, 1e-1, 'every tensor stored as f16, behind softmax: measured 5.0e-2'),
  rule(STREAM, /^f16$/, 5e-2, 'every tensor stored as f16, end to end: measured 3.0e-2'),

  rule(
    FIRST_LAYER,
    /^f16-sums$/,
    9e-3,
    `products added up in f16, ${HALF_SUMS}: of 256 numbers 2.3e-3, measured 2.4e-3; measured 4.4e-3 in the first layer`,
  ),
  rule(
    ATTENTION,
    /^f16-sums$/,
    4e-1,
    'products added up in f16, behind softmax: measured 2.2e-1 up to 40 tokens; of 150 more than this',
  ),
  rule(/^result_output$/, /^f16-sums$/, 1.2e-1, 'products added up in f16, at the end: measured 5.9e-2'),
  rule(STREAM, /^f16-sums$/, 2.5e-1, 'products added up in f16, end to end: measured 1.3e-1'),
];

/** The tolerance of the first rule that matches; null where none does. */
export function toleranceFor(
  row: Judged,
  precision: string,
  rules: readonly ToleranceRule[] = defaultRules,
): Tolerance | null {
  const found = rules.find((each) => matches(each, row, precision));
  return found ? { limit: found.limit(row), source: found.source } : null;
}

/** Whatever flags a user's expression has: one with `g` would remember where it was. */
function matches({ name, op, precision }: ToleranceRule, row: Judged, pair: string): boolean {
  return row.name.search(name) >= 0 && row.op.search(op) >= 0 && pair.search(precision) >= 0;
}

/**
 * What one op may be off by, on identical inputs, beside what `Op.tolerance` allows, where a side rounds on purpose
 * (DESIGN: plain llama.cpp, op by op). Null where no side does, or nobody knows.
 */
export function coarseOpTolerance(precision: string): Tolerance | null {
  switch (precision) {
    case 'ggml-f16':
      return { limit: 5e-4, source: "llama.cpp's f16 activations, op by op (DESIGN): measured 3.4e-4" };
    case 'ggml-bf16':
      return { limit: 4e-3, source: "llama.cpp's bf16 activations, op by op: 8 times f16's for three bits less" };
    case 'ggml-q':
      return { limit: 1.5e-2, source: "llama.cpp's Q8 activations, op by op (DESIGN)" };
    case 'f16':
      return { limit: 2 ** -11, source: 'the output rounded to f16, whose unit roundoff this is' };
    default:
      return null;
  }
}

/**
 * The precision class of two traces, the coarser of its sides:
 *
 *   f32       both compute in f32 or f64; also where nothing says otherwise
 *   ggml-f32  llama.cpp on F32 weights, or on the F32 twin of a file: f32, but for RoPE's angles
 *   ggml-f16  llama.cpp's CPU on F16 weights: rounds activations to f16
 *   ggml-bf16 the same with BF16
 *   ggml-q    llama.cpp's CPU on quantised weights: rounds activations to Q8_0 or Q8_K
 *   ggml      llama.cpp on weights whose types neither side tells: no default rule
 *   f16-sums  a side adds products up in f16, whatever it stores
 *   f16       a side stores its values as f16
 *   bf16      a side stores its values as bf16: no default rule
 */
export function precisionOf(ours: Trace, reference: Trace): string {
  const sides = [ours, reference];
  const types = new Set(sides.flatMap(({ entries }) => entries.map(({ srcDtype }) => srcDtype)));
  if (types.has('bf16')) return 'bf16';
  if (sides.some(({ manifest }) => hasTransform(manifest, 'f16Accumulation'))) return 'f16-sums';
  if (types.has('f16') || sides.some(({ manifest }) => hasTransform(manifest, 'f16Storage'))) return 'f16';
  const weights = sides.map(({ manifest }) => manifest.quantisation).find((known) => known !== undefined);
  const classes = sides.map(({ manifest }) => (isGgml(manifest) ? ggmlClass(manifest, weights) : 'f32'));
  return ['ggml', 'ggml-q', 'ggml-bf16', 'ggml-f16', 'ggml-f32'].find((each) => classes.includes(each)) ?? 'f32';
}

function isGgml(manifest: Manifest): boolean {
  return manifest.producer === 'llama.cpp' || hasTransform(manifest, 'ggmlArithmetic');
}

/** `otherwise`: the types of the weights where the manifest does not tell, from the other side's. */
function ggmlClass({ twinOf, quantisation }: Manifest, otherwise: string | undefined): string {
  if (twinOf !== undefined) return 'ggml-f32';
  const types = quantisation ?? otherwise;
  if (types === undefined) return 'ggml';
  if (/Q\d|FP4/i.test(types)) return 'ggml-q';
  if (/BF16/i.test(types)) return 'ggml-bf16';
  return /F16/i.test(types) ? 'ggml-f16' : 'ggml-f32';
}

function hasTransform({ transforms }: Manifest, name: string): boolean {
  return Array.isArray(transforms) && transforms.some((each) => each?.name === name);
}
