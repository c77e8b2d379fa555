/**
 * What a comparison could not have revealed, because its prompt, its passes or its choice of tensors leave no trace of it:
 * with one token at position 0 RoPE is the identity and softmax over one key is 1, so six of the faults that were put into a
 * small Llama changed nothing at all. Each such suspect is named with the shortest prompt that would show it.
 *
 * Of the two sides, ours is the one in doubt: what counts is which passes it ran.
 */
import type { LlamaConfig } from '../llama/config.ts';
import type { Pass } from '../ops/op.ts';
import { passesOf } from '../trace/passes.ts';
import type { Trace, TraceRow } from '../trace/trace.ts';
import type { BlindSpot } from './comparison.ts';
import { gaussianMargin, UNEVENNESS } from './judge.ts';
import { precisionOf, toleranceFor } from './tolerances.ts';

/** What was looked at. */
export interface Looked {
  /** The passes of ours, as far as the other side has their positions. */
  readonly passes: readonly Pass[];
  /** Whether the text begins with BOS; null where nobody tells. */
  readonly bos: boolean | null;
  /** Names of the tensors that were compared. */
  readonly names: readonly string[];
  /** Whether the logits of every token were, or only those of a pass's last tokens. */
  readonly allLogits: boolean;
  readonly model: Sizes;
  /** How far RoPE's outputs may be apart, relative RMS error; null where no rule says. */
  readonly limit: number | null;
}

/** What of a model matters here; null is what nobody tells. */
export type Sizes = {
  readonly [size in 'nLayer' | 'nHead' | 'nHeadKv' | 'headDim' | 'ropeDim' | 'ropeBase' | 'ropeScale']:
    | LlamaConfig[size]
    | null;
};

/** Of two traces. Without the model's config its sizes are read off the tensors' shapes, and RoPE's base is not known. */
export function blindSpots(ours: Trace, reference: Trace, config?: LlamaConfig): BlindSpot[] {
  const theirs = new Set(reference.names);
  const names = ours.names.filter((name) => theirs.has(name));
  const end = Math.max(0, ...passesOf(reference).map(({ pos0, nTokens }) => pos0 + nTokens));
  const ran = passesOf(ours).filter(({ pos0 }) => pos0 < end);
  const logits = [...ours.entries, ...reference.entries].filter(({ name }) => name === 'result_output');
  const bos = [ours, reference].map(({ manifest }) => manifest.bos).find((told) => typeof told === 'boolean');
  const rope = { name: 'Qcur_rope-0', op: 'rope', shape: [1], dims: ['token'] };
  return blindSpotsOf({
    passes: ran.map(({ pos0, nTokens }) => ({ nPast: pos0, nTokens: Math.min(nTokens, end - pos0) })),
    bos: bos ?? null,
    names,
    allLogits: logits.every((row) => keepsAllTokens(row, ran)),
    model: config ?? sizesFrom([...ours.entries, ...reference.entries]),
    limit: toleranceFor(rope, precisionOf(ours, reference))?.limit ?? null,
  });
}

function keepsAllTokens({ pos0, shape, dims }: TraceRow, passes: ReturnType<typeof passesOf>): boolean {
  const pass = passes.find((each) => each.pos0 === pos0);
  return !pass || (shape[dims.indexOf('token')] ?? 0) >= pass.nTokens;
}

function sizesFrom(rows: readonly TraceRow[]): Sizes {
  const layers = rows.flatMap(({ layer }) => layer ?? []);
  const sizeOf = (stem: RegExp, dim: string) => {
    const row = rows.find(({ name, dims }) => stem.test(name) && dims.includes(dim));
    return row?.shape[row.dims.indexOf(dim)] ?? null;
  };
  const headDim = sizeOf(/^[QK]cur/, 'dim');
  return {
    nLayer: layers.length > 0 ? Math.max(...layers) + 1 : null,
    nHead: sizeOf(/^Qcur/, 'head'),
    nHeadKv: sizeOf(/^[KV]cur/, 'head'),
    headDim,
    ropeDim: headDim,
    ropeBase: null,
    ropeScale: null,
  };
}

export function blindSpotsOf(looked: Looked): BlindSpot[] {
  if (looked.names.length === 0 || looked.passes.length === 0) return [];
  return [...ofAttention(looked), ...ofModel(looked), ...ofText(looked), ...ofTensors(looked)];
}

/** Tensors that come before any attention, and tell nothing of it. */
const BEFORE_ATTENTION = /^(embd|attn_norm-0|[QKV]cur(_nobias)?-0)$/;

function ofAttention({ passes, names, model, limit }: Looked): BlindSpot[] {
  if (names.every((name) => BEFORE_ATTENTION.test(name))) {
    return [
      {
        suspect: 'attention',
        why: 'No tensor behind the first queries, keys and values was compared',
        shortest: 'the same prompt, with kqv_out-0 or l_out-0 of both sides',
      },
    ];
  }
  const spots: BlindSpot[] = [];
  const last = Math.max(...passes.map(({ nPast, nTokens }) => nPast + nTokens - 1));
  const decodes = passes.filter(({ nPast }) => nPast > 0).length;
  if (last === 0) {
    spots.push({
      suspect: 'RoPE',
      why: 'The only token stands at position 0, where RoPE turns by no angle, whatever its pairing, its base or its sign',
      shortest: 'two tokens',
    });
    spots.push({
      suspect: 'attention scale',
      why: 'Softmax over one key is 1, whatever its scale',
      shortest: 'two tokens',
    });
    if (!names.some((name) => /^([QK]cur|kq-)/.test(name))) {
      spots.push({
        suspect: 'queries and keys',
        why: 'Softmax over one key is 1, whatever query and key are, and neither they nor kq were compared',
        shortest: 'two tokens',
      });
    }
  } else spots.push(...ofRopeBase(last, model, limit));
  if (passes.every(({ nTokens }) => nTokens < 2)) {
    spots.push({
      suspect: 'causal mask',
      why: 'In every pass the one token may see all keys there are, so there was nothing to mask',
      shortest: 'two tokens in one pass',
    });
  }
  if (decodes === 0) {
    spots.push({
      suspect: 'KV cache',
      why: 'No pass read what an earlier one had left in the cache',
      shortest: 'two tokens in two passes: a prompt of one and one more',
    });
    spots.push({
      suspect: 'decode positions',
      why: 'No pass began at a position other than 0',
      shortest: 'two tokens in two passes: a prompt of one and one more',
    });
  } else if (decodes === 1) {
    spots.push({
      suspect: 'position counter',
      why: 'Only one pass began after others, and a position that stops counting there shows at the next',
      shortest: `${last + 2} tokens: one more, in a pass of its own`,
    });
  }
  return spots;
}

/** Bases that models are published with: Llama 1 and 2 (Su et al. 2021), SmolLM2, Llama 3, Code Llama and Mistral 0.2. */
export const USUAL_BASES = [1e4, 1e5, 5e5, 1e6];

/** Where it takes more tokens than there are to tell the model's RoPE base from the usual one that is hardest to tell from it. */
function ofRopeBase(last: number, model: Sizes, limit: number | null): BlindSpot[] {
  const { ropeBase } = model;
  if (ropeBase === null || limit === null) return [];
  const needs = USUAL_BASES.filter((base) => base !== ropeBase)
    .map((base) => ({ base, tokens: tokensToTellBase(base, model, limit) }))
    .filter(({ tokens }) => tokens > last + 1)
    .sort((a, b) => b.tokens - a.tokens);
  const [hardest] = needs;
  if (!hardest) return [];
  return [
    {
      suspect: 'RoPE base',
      why: `Up to position ${last} a base of ${hardest.base} in place of ${ropeBase} stays within the tolerance of ${limit.toPrecision(2)}`,
      shortest: hardest.tokens === Number.POSITIVE_INFINITY ? 'no prompt' : `${hardest.tokens} tokens`,
    },
  ];
}

/** Positions after which the search for a prompt ends. */
const FURTHEST = 1 << 17;

/**
 * How many tokens it takes until RoPE with another base puts `Qcur_rope`, or its last token, beyond what judge.ts allows.
 * Of a head whose dimensions carry equal energy it changes √(Σ over turned pairs of |e^iθ − e^iθ'|² / all pairs). Infinity
 * where no prompt of 131,072 tokens does, and where the model's base or head is not known.
 */
export function tokensToTellBase(base: number, model: Sizes, limit: number): number {
  const { ropeBase, nHead, headDim } = model;
  if (ropeBase === null || headDim === null) return Number.POSITIVE_INFINITY;
  const dim = model.ropeDim ?? headDim;
  const scale = model.ropeScale ?? 1;
  let whole = 0;
  for (let position = 1; position < FURTHEST; position++) {
    let squared = 0;
    for (let i = 0; i < dim / 2; i++) {
      const angle = (of: number) => position * scale * of ** ((-2 * i) / dim);
      squared += (2 * Math.sin((angle(base) - angle(ropeBase)) / 2)) ** 2 / (headDim / 2);
    }
    whole += squared;
    const tokens = position + 1;
    const ofToken = limit * UNEVENNESS * gaussianMargin((nHead ?? 1) * headDim, tokens);
    if (Math.sqrt(whole / tokens) > limit || Math.sqrt(squared) > ofToken) return tokens;
  }
  return Number.POSITIVE_INFINITY;
}

function ofModel({ model: { nHead, nHeadKv, nLayer } }: Looked): BlindSpot[] {
  const spots: BlindSpot[] = [];
  if (nHead !== null && nHeadKv !== null && (nHeadKv === nHead || nHeadKv === 1)) {
    spots.push({
      suspect: 'grouping of heads',
      why:
        nHeadKv === 1
          ? 'The model has one KV head, which serves every head in whatever order'
          : 'The model has as many KV heads as heads, so each head has its own in whatever grouping',
      shortest: 'no prompt: a model with several KV heads, each of which serves several heads',
    });
  }
  if (nLayer === 1) {
    spots.push({
      suspect: 'order of layers',
      why: 'The model has one layer',
      shortest: 'no prompt: a model of two layers',
    });
  }
  return spots;
}

function ofText({ bos }: Looked): BlindSpot[] {
  if (bos !== false) return [];
  return [
    {
      suspect: 'BOS',
      why: 'The text does not begin with BOS, so what a missing or doubled one does was not run',
      shortest: 'BOS and one token',
    },
  ];
}

function ofTensors({ names, allLogits, model: { nLayer } }: Looked): BlindSpot[] {
  const spots: BlindSpot[] = [];
  const hasLogits = names.includes('result_output');
  const last = names.reduce((most, name) => Math.max(most, Number(/-(\d+)$/.exec(name)?.[1] ?? -1)), -1);
  if (!hasLogits && !names.includes('result_norm') && nLayer !== null && last < nLayer - 1) {
    spots.push({
      suspect: last === nLayer - 2 ? `layer ${nLayer - 1}` : `layers ${last + 1} to ${nLayer - 1}`,
      why: last < 0 ? 'No tensor of a layer was compared' : `No tensor behind layer ${last} was compared`,
      shortest: `the same prompt, with l_out-${nLayer - 1} of both sides`,
    });
  }
  if (!hasLogits) {
    spots.push({
      suspect: 'output matrix',
      why: 'The logits were not compared',
      shortest: 'the same prompt, with result_output of both sides',
    });
  } else if (!allLogits) {
    spots.push({
      suspect: 'logits of earlier tokens',
      why: 'One side kept only those of the last',
      shortest: 'the same prompt, with every token an output',
    });
  }
  return spots;
}
