/**
 * What can be wrong, from what was seen: each fault's page (src/engine/faults) says what a run of one token, a prefill and a
 * decode show of it and in which tensor first. A fault that shows nothing in the run at hand did not make what is wrong there; one
 * whose first tensor agrees, or comes after the first that parts, did not either. What remains is ranked, and the probe is
 * named that tells most of it apart.
 *
 * With one token and no BOS, of RoPE, attention scale, grouping of heads and softmax only the grouping can be at fault: the first
 * turns by no angle, the others act on a softmax over one key, which is 1 whatever they do, unless its score overflows.
 */
import { type Effect, type Fault, faults, type Hit, type Probe } from '../engine/faults/index.ts';
import { checkedParams } from '../engine/faults/params.ts';
import { LARGEST_F16 } from '../engine/faults/softmax_without_max.ts';
import type { Model } from '../engine/model.ts';
import type { WeightType } from '../engine/transforms/transform.ts';
import type { LlamaConfig } from '../llama/config.ts';
import { plainSteps } from '../llama/plain_steps.ts';
import type { Params, Pass } from '../ops/op.ts';
import { short } from '../trace/plain_text.ts';
import { Comparison } from './comparison.ts';
import { whyImpossible } from './suspects.ts';

/** What was run and seen. */
export interface Seen {
  /** The passes that were run. */
  readonly passes: readonly Pass[];
  /** Number of layers of the model. */
  readonly nLayer: number;
  /** Names of tensors that were compared with a reference, be it only the logits. */
  readonly compared: readonly string[];
  /** Those of them that agree. */
  readonly agreed: readonly string[];
  /** Those of the others that are within the tolerance, yet not the same bits, where the two sides compute in the same way. */
  readonly nearly?: readonly string[];
  /** The first that does not; null where nothing is known to be wrong. */
  readonly parted: string | null;
  /** Whether both sides ran the same token ids; false where that is not known. Default true. */
  readonly sameTokens?: boolean;
  /** The model's, and the types of its weights: rules out what such a model cannot have. */
  readonly config?: LlamaConfig;
  readonly weightType?: WeightType;
  /** The largest score that any softmax got, times the attention scale; absent where that is not known of every layer. */
  readonly largestScore?: number;
  /** Whether all that is known of ours are finite numbers. */
  readonly finite?: boolean;
}

export interface Judgement {
  readonly fault: string;
  /** One sentence. */
  readonly reason: string;
}

/** A run to make next. */
export interface NextProbe {
  /** `one token`, `BOS and one token`, `a prefill of 8`, `a prefill and a decode`, `a long prompt`. */
  readonly probe: string;
  /** How its tokens are cut into passes. */
  readonly passes: readonly Pass[];
  /** The tensors to dump, on both sides. */
  readonly dump: readonly string[];
  /** How many of what remains would be left by it, on average. */
  readonly leaves: number;
  readonly sentence: string;
}

export interface Elimination {
  readonly ruledOut: readonly Judgement[];
  /** The likeliest first. */
  readonly remaining: readonly Judgement[];
  /** Null where one fault or none remains, and where no probe tells what remains apart. */
  readonly next: NextProbe | null;
}

/** Which faults a comparison, or whatever else was seen, leaves and why, and what to run next. */
export function eliminate(given: Comparison | Seen): Elimination {
  const seen = given instanceof Comparison ? seenBy(given) : given;
  const cause = given instanceof Comparison ? given.cause : null;
  const judged = faults.map((fault) => ({ fault, verdict: judge(fault, seen) }));
  const named = new Set(
    cause && cause.certainty !== 'suspected' ? [cause, ...cause.ties].map(({ fault }) => fault) : [],
  );
  const ruledOut: Judgement[] = [];
  const left: { readonly fault: Fault; readonly reason: string; readonly rank: number }[] = [];
  for (const { fault, verdict } of judged) {
    if (named.has(fault.name)) left.push({ fault, reason: cause?.sentence ?? '', rank: -1 });
    else if (named.size > 0 && !verdict.isOut) {
      ruledOut.push({
        fault: fault.name,
        reason: `${seen.parted} is reproduced by ${[...named].join(' or ')} and not by it`,
      });
    } else if (verdict.isOut) ruledOut.push({ fault: fault.name, reason: verdict.reason });
    else left.push({ fault, reason: verdict.reason, rank: verdict.rank });
  }
  // Of two that fit alike, the one that more people are known to have made.
  left.sort((a, b) => a.rank - b.rank || b.fault.whoMadeIt.length - a.fault.whoMadeIt.length);
  return {
    ruledOut,
    remaining: left.map(({ fault, reason }) => ({ fault: fault.name, reason })),
    next: nextProbe(
      left.map(({ fault }) => fault),
      seen,
    ),
  };
}

/** What a comparison saw: a tensor agrees where every pass of it does, or its op gives what was recorded up to rounding and noise. */
function seenBy({ tensors, firstDivergence, refused, allowed, ours, reference, compared }: Comparison): Seen {
  const sizes = new Map<number, number>();
  for (const { pass, shape, dims } of tensors) {
    sizes.set(pass, Math.max(sizes.get(pass) ?? 0, shape[dims.indexOf('token')] ?? 0));
  }
  let nPast = 0;
  const passes = [...sizes].map(([, nTokens]) => {
    const pass = { nPast, nTokens };
    nPast += nTokens;
    return pass;
  });
  const isBad = new Set(
    tensors.flatMap(({ name, status, isolation }) =>
      status === 'equal' || status === 'within' || EXPLAINED.has(isolation?.outcome ?? '') ? [] : [name],
    ),
  );
  const near = new Set(
    tensors.some(isSameProduct) ? tensors.flatMap(({ name, status }) => (status === 'within' ? [name] : [])) : [],
  );
  const names = [...new Set(tensors.filter(({ measure }) => measure).map(({ name }) => name))];
  const layers = tensors.map(({ layer }) => (layer ?? -1) + 1);
  return {
    passes,
    nLayer: compared?.model?.config.nLayer ?? Math.max(1, ...layers),
    compared: names,
    agreed: names.filter((name) => !isBad.has(name) && !near.has(name)),
    nearly: names.filter((name) => !isBad.has(name) && near.has(name)),
    parted: firstDivergence?.name ?? null,
    ...evidenceIn(tensors, compared?.model),
    sameTokens:
      refused.length === 0 &&
      allowed.every(({ kind }) => kind !== 'tokens' && kind !== 'bos') &&
      [ours, reference].every(({ manifest }) => manifest.tokens !== undefined),
  };
}

/** What a comparison tells beside what parts and agrees. */
function evidenceIn(
  tensors: Comparison['tensors'],
  model: Model | undefined,
): Pick<Seen, 'config' | 'weightType' | 'largestScore' | 'finite'> {
  const finite = tensors.every(({ statistics: { ours } }) => Number.isFinite(ours.sum) && ours.nanCount === 0);
  if (!model) return { finite };
  const { config, gguf } = model;
  const scores = tensors.filter(({ name }) => /^kq-\d+$/.test(name));
  const known = scores.flatMap(({ statistics: { ours } }) => ours.max ?? []);
  const isWhole = new Set(scores.map(({ layer }) => layer)).size === config.nLayer && known.length === scores.length;
  return {
    ...{ finite, config, weightType: (weight) => gguf.tensors.get(weight)?.type },
    ...(isWhole ? { largestScore: Math.max(...known) / Math.sqrt(config.headDim) } : {}),
  };
}

/** Outcomes of an op that was run on what was recorded, and is right. */
const EXPLAINED: ReadonlySet<string> = new Set(['inherited', 'precision', 'noise']);

/** A product with a matrix that is the same in every bit: nobody else adds up in just this order. */
function isSameProduct({ op, status }: Comparison['tensors'][number]): boolean {
  return op === 'mul_mat' && status === 'equal';
}

interface Verdict {
  readonly isOut: boolean;
  readonly reason: string;
  /** The lower the likelier. */
  readonly rank: number;
}

const out = (reason: string): Verdict => ({ isOut: true, reason, rank: 0 });
const remains = (rank: number, reason: string): Verdict => ({ isOut: false, reason, rank });

/** Faults whose size is a parameter: what they change can lie within a tolerance, and that a tensor agrees is nothing against them. */
const BY_DEGREES: ReadonlySet<string> = new Set([
  'norm-eps',
  'f16-accumulation',
  'rope-base',
  'rope-scaling-ignored',
  'kv-pos-clamp',
]);

function judge(fault: Fault, seen: Seen): Verdict {
  const cannot = seen.config ? whyNotIn(fault, seen.config, seen.weightType) : null;
  if (cannot !== null) return out(`This model cannot have it: ${cannot}`);
  const overflow = fault.name === 'softmax-without-max' ? judgeOverflow(seen) : null;
  if (overflow) return overflow;
  if (!fault.changes) {
    return seen.sameTokens === false
      ? remains(3, 'Which tokens each side ran is not known, and it changes the tokens')
      : out('Both sides ran the same tokens, and it changes nothing else');
  }
  const shown = showings(fault, seen);
  if (shown.length === 0) {
    const why = whyHidden(fault, seen.passes);
    return seen.parted === null
      ? remains(2, `This run could not have shown it: ${why}`)
      : out(`It changes nothing here: ${why}`);
  }
  if (seen.parted === null) return unseen(fault, seen, shown);
  return partedAt(
    seen.parted,
    BY_DEGREES.has(fault.name) ? { ...seen, compared: [], agreed: [] } : seen,
    shown,
    seen.compared,
  );
}

/** Null also where it would take the types of the weights to tell, and they are not known. */
function whyNotIn(fault: Fault, config: LlamaConfig, weightType: WeightType | undefined): string | null {
  let isGuess = false;
  const unknown: WeightType = () => {
    isGuess = true;
    return undefined;
  };
  const reason = whyImpossible(fault, config, weightType ?? unknown);
  return isGuess ? null : reason;
}

/** Of softmax without its maximum, by what overflows: nothing else shows it. Null where its first tensor is to tell. */
function judgeOverflow({ largestScore, finite = false, parted }: Seen): Verdict | null {
  const unless = 'It changes no more than rounding unless a score overflows exp, above about 88 in f32 and 11 in f16';
  const isKnown = largestScore !== undefined;
  const largest = isKnown ? `the largest here is ${short(largestScore)}` : 'how large they are here is not known';
  if (parted === null) return remains(2, `${unless}; ${largest}`);
  if (isKnown && largestScore <= Math.log(LARGEST_F16)) return out(`${unless}; ${largest}`);
  return finite ? out(`${unless}, which gives NaN, and every number is finite`) : null;
}

/** How a run shows a fault in some layer. */
interface Showing {
  /** The first of the run's passes, by what it is like, that shows it, and the first tensor there. */
  readonly probe: Probe;
  readonly first: string;
  readonly effect: Effect;
}

/** With the fault in all layers, or in any one of them, and with each choice that it has; empty where the run shows nothing. */
function showings(fault: Fault, { passes, nLayer }: Pick<Seen, 'passes' | 'nLayer'>): Showing[] {
  const probes = probesIn(fault, passes);
  const [probe] = probes;
  if (!probe) return [];
  const effects = probes.map((each) => fault.shows[each]);
  const effect = EFFECTS.find((each) => effects.includes(each)) as Effect;
  const firsts = hitsOf(fault, nLayer).map((hit) => fault.firstTensor(hit, probe));
  return [...new Set(firsts)].map((first) => ({ probe, first, effect }));
}

/** The strongest first. */
const EFFECTS: readonly Effect[] = ['seen', 'tensor only', 'rounding', 'no effect'];

/** Where a fault can hit a model of so many layers. */
function hitsOf({ params }: Fault, nLayer: number): Hit[] {
  const layers = Array.from({ length: nLayer }, (_, i) => i);
  let sets: Params[] = [{}];
  for (const [name, rule] of Object.entries(params)) {
    const given = rule.default === undefined ? [] : [rule.default];
    // Of two layers that are swapped, the first tensor is in the earlier one.
    const values = name === 'a' ? layers.slice(0, -1) : name === 'b' ? [nLayer - 1] : (rule.choices ?? given);
    if (values.length > 0) sets = values.flatMap((value) => sets.map((set) => ({ ...set, [name]: value })));
  }
  return sets.flatMap((set) => [
    { params: set, layers },
    ...(params.layer ? layers.map((layer) => ({ params: { ...set, layer }, layers: [layer] })) : []),
  ]);
}

/** The probes that a run is like and that show the fault, in the order of its passes. */
function probesIn({ shows, firstTensor, params }: Fault, passes: readonly Pass[]): Probe[] {
  const hasMany = passes.some(({ nTokens }) => nTokens > 1);
  const decodes = passes.some(({ nPast }) => nPast > 0);
  // A pass of one token cannot have some faults; a decode shows them through what a prefill has spoilt.
  const hit = { params: checkedParams('', params, {}), layers: [0] };
  const isInherited = shows.prefill !== 'no effect' && firstTensor(hit, 'prefill') !== firstTensor(hit, 'decode');
  const probes: Probe[] = [
    hasMany ? 'prefill' : 'oneToken',
    ...(decodes && (hasMany || !isInherited) ? (['decode'] as const) : []),
  ];
  return probes.filter((probe) => shows[probe] !== 'no effect');
}

function whyHidden(fault: Fault, passes: readonly Pass[]): string {
  const isOne = passes.every(({ nPast, nTokens }) => nPast === 0 && nTokens === 1);
  if (!isOne) {
    return fault.shows.decode !== 'no effect'
      ? 'it needs a pass that comes after another, on tokens that are in the cache'
      : 'it needs a pass of several tokens';
  }
  if (/^rope-|position/.test(fault.name)) return 'the only token stands at position 0, where RoPE turns by no angle';
  if (/scale|softmax|mask/.test(fault.name)) return 'softmax over one key is 1, whatever is done to its score';
  if (/cache|kv-/.test(fault.name)) return 'no pass reads what an earlier one left in the cache';
  return 'with a single token it changes nothing';
}

/** The tensors that carry on whatever a layer did: a fault that reaches the logits is seen in them. */
const STREAM = /^(ffn_inp|l_out)-\d+$|^result_(norm|output)$/;

/** Nothing parts: what would have shown is ruled out. */
function unseen(fault: Fault, { agreed, nearly = [], nLayer }: Seen, shown: readonly Showing[]): Verdict {
  if (BY_DEGREES.has(fault.name))
    return remains(2, 'What it changes may lie within the tolerance: that depends on its size');
  const small = shown.find(({ first }) => nearly.includes(first));
  if (small) {
    return remains(2, `${small.first}, where it would show first, agrees within the tolerance and not in every bit`);
  }
  const witness = shown.map((each) => witnessOf(each, agreed, nLayer));
  const open = shown[witness.indexOf(null)];
  return open
    ? remains(2, `${open.first}, where it would show first, was not compared, nor anything that it must reach`)
    : out(`It would have shown, and ${witness.at(-1)} agrees`);
}

/** A tensor that agrees and that a fault beginning at `first` would have changed; null where there is none. */
function witnessOf({ first, effect }: Showing, agreed: readonly string[], nLayer: number): string | null {
  if (agreed.includes(first)) return first;
  if (effect !== 'seen') return null;
  const order = orderOf(nLayer);
  const from = order.get(first) ?? Number.POSITIVE_INFINITY;
  return agreed.find((name) => STREAM.test(name) && (order.get(name) ?? -1) >= from) ?? null;
}

function orderOf(nLayer: number): ReadonlyMap<string, number> {
  return new Map(plainSteps(nLayer).map(({ name }, i) => [name, i]));
}

/**
 * Something parts: what begins there remains, and what begins before it where nobody looked. `looked`: the tensors that were
 * compared, of which those in `compared` count against a fault.
 */
function partedAt(
  at: string,
  { compared, agreed, nLayer }: Seen,
  shown: readonly Showing[],
  looked: readonly string[],
): Verdict {
  const order = orderOf(nLayer);
  const end = order.get(at) ?? Number.POSITIVE_INFINITY;
  const before = agreed.filter((name) => (order.get(name) ?? -1) < end);
  const against: string[] = [];
  let nearest: { readonly first: string; readonly distance: number } | null = null;
  for (const showing of shown) {
    const { first, effect } = showing;
    const distance = end - (order.get(first) ?? -1);
    const witness = witnessOf(showing, before, nLayer);
    if (distance < 0) against.push(`${at} parts before ${first}, the first tensor that it changes`);
    else if (effect === 'tensor only' && STREAM.test(at)) {
      against.push(`It changes ${first} and not what comes of it, and what parts is ${at}`);
    } else if (witness) {
      const how = witness === first ? 'the first tensor that it changes' : `which it changes by way of ${first}`;
      against.push(`${witness}, ${how}, agrees`);
    } else if (first !== at && compared.includes(first)) {
      against.push(`${first}, the first tensor that it changes, is not the first to part`);
    } else if (!nearest || distance < nearest.distance) nearest = { first, distance };
  }
  if (!nearest) return out(against.at(-1) as string);
  if (nearest.distance === 0) return remains(0, `It begins at ${at}, which is the first to part`);
  const why = looked.includes(nearest.first)
    ? 'where what it changes may lie within the tolerance'
    : 'which was not compared';
  return remains(1 + nearest.distance / (1 + order.size), `It begins at ${nearest.first}, ${why}, and reaches ${at}`);
}

/** Runs to choose from, the cheapest first. */
const PROBES: readonly { readonly probe: string; readonly passes: readonly Pass[] }[] = [
  { probe: 'one token', passes: [{ nPast: 0, nTokens: 1 }] },
  { probe: 'BOS and one token', passes: [{ nPast: 0, nTokens: 2 }] },
  { probe: 'a prefill of 8', passes: [{ nPast: 0, nTokens: 8 }] },
  {
    probe: 'a prefill and a decode',
    passes: [
      { nPast: 0, nTokens: 7 },
      { nPast: 7, nTokens: 1 },
    ],
  },
  {
    probe: 'a long prompt',
    passes: [
      { nPast: 0, nTokens: 511 },
      { nPast: 511, nTokens: 1 },
    ],
  },
];

/** Tensors to ask for at most: a dump is work. */
const MOST_TENSORS = 8;

/** Of probes that tell almost as much apart the cheapest is taken: so many times the least that would be left. */
const ALMOST = 1.1;

function nextProbe(remaining: readonly Fault[], { nLayer }: Seen): NextProbe | null {
  if (remaining.length < 2) return null;
  const rated = PROBES.map(({ probe, passes }) => {
    const groups = groupsOf(remaining, { passes, nLayer });
    const squares = groups.reduce((sum, { size }) => sum + size ** 2, 0);
    return { probe, passes, groups, leaves: squares / remaining.length };
  });
  const least = Math.min(...rated.map(({ leaves }) => leaves));
  const best = rated.find(({ leaves }) => leaves <= ALMOST * least);
  if (!best || best.groups.length < 2) return null;
  const order = orderOf(nLayer);
  const biggest = best.groups.filter(({ first }) => first !== null).sort((a, b) => b.size - a.size);
  const dump = [...new Set(biggest.map(({ first }) => first as string))]
    .slice(0, MOST_TENSORS)
    .sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
  const hidden = best.groups.find(({ first }) => first === null)?.size ?? 0;
  const left = hidden === 1 ? 'the one that it cannot show is left' : `the ${hidden} that it cannot show are left`;
  const silent = hidden > 0 ? `; where all agree, ${left}` : '';
  return {
    ...{ probe: best.probe, passes: best.passes, dump, leaves: best.leaves },
    sentence:
      `Run ${best.probe} and compare ${dump.join(', ')}: the first that parts, and in which pass, tells ` +
      `${best.groups.length} groups of the ${remaining.length} apart${silent}`,
  };
}

/** Faults that a run shows in one and the same way; `first` is null of those that it does not show. */
interface Group {
  readonly first: string | null;
  readonly size: number;
}

function groupsOf(remaining: readonly Fault[], run: Pick<Seen, 'passes' | 'nLayer'>): Group[] {
  const groups = new Map<string, Group>();
  for (const fault of remaining) {
    // Where in all layers: the earliest.
    const [shown] = showings(fault, run);
    const key = shown ? `${shown.probe} ${shown.first}` : '';
    groups.set(key, { first: shown?.first ?? null, size: (groups.get(key)?.size ?? 0) + 1 });
  }
  return [...groups.values()];
}
