/**
 * Are two traces one experiment? Every way in which they are not is named, with the cure; what a manifest does not tell is
 * no difference, but is named too.
 */
import { UsageError } from '../errors.ts';
import { passesOf, type TracePass } from '../trace/passes.ts';
import type { Manifest, Trace, TraceRow } from '../trace/trace.ts';
import type { Difference, DifferenceKind } from './comparison.ts';

/** Each kind, and what a manifest that does not tell it leaves open. */
const KINDS: Readonly<Record<DifferenceKind, string>> = {
  tokens: 'which token ids were run',
  bos: 'whether the text begins with BOS',
  template: 'which chat template was used',
  weights: 'the sha256 of the model',
  quantisation: 'how the weights are quantised',
  positions: 'over which positions the passes are',
  rows: 'how many rows were kept',
  transforms: 'whether something was changed',
};

/** Every kind of difference, in the order in which they are named. */
export const differenceKinds = Object.keys(KINDS) as readonly DifferenceKind[];

/** `weights,bos` as kinds. Throws UsageError, which names them all, where one is none. */
export function allowedKinds(text: string): DifferenceKind[] {
  const isKind = (word: string): word is DifferenceKind => Object.hasOwn(KINDS, word);
  const words = text.split(',').map((word) => word.trim());
  const wrong = words.find((word) => !isKind(word));
  if (wrong === undefined) return [...new Set(words.filter(isKind))];
  throw new UsageError(
    `Cannot allow ${JSON.stringify(wrong)}: a comparison can allow two sides to differ in ${differenceKinds.join(', ')}; ` +
      'give one or several with commas, such as weights,bos',
  );
}

/**
 * What the two differ in, at most once in each kind. Tokens are those that have been through the model, so a token that was
 * drawn and not run yet is no difference.
 */
export function differencesOf(ours: Trace, reference: Trace): Difference[] {
  const pair: Sides = [factsOf(ours), factsOf(reference)];
  const found = [
    tokensDiffer(pair),
    templatesDiffer(pair),
    weightsDiffer(pair),
    quantisationDiffers(pair),
    positionsDiffer(pair),
    rowsDiffer(pair),
    transformsDiffer(pair),
  ];
  return found.filter((each) => each !== null);
}

/** One sentence for each thing that could not be checked, because a side does not tell it. */
export function unknownsOf(ours: Trace, reference: Trace): string[] {
  const sides: Sides = [factsOf(ours), factsOf(reference)];
  const areTokensKnown = sides.every(({ tokens }) => tokens !== null);
  const isWeightsKnown = sides.every(({ weights }) => weights !== null);
  const isKnown: Readonly<Record<DifferenceKind, (side: Facts) => boolean>> = {
    tokens: ({ tokens }) => tokens !== null,
    // The ids show their BOS, and are what a template gave.
    bos: ({ bos }) => areTokensKnown || bos !== null,
    template: ({ template }) => areTokensKnown || template !== null,
    weights: ({ weights }) => weights !== null,
    quantisation: ({ quantisation }) => isWeightsKnown || quantisation !== null,
    positions: ({ passes }) => passes !== null,
    rows: ({ passes, tokens }) => passes !== null || tokens !== null,
    transforms: ({ changes }) => changes !== null,
  };
  return differenceKinds.flatMap((kind) => {
    const silent = (['ours', 'the reference'] as const).filter((_, i) => !isKnown[kind](sides[i] as Facts));
    return silent.length === 0 ? [] : [`${kind}: ${silent.join(' and ')} ${tells(silent.length)} ${KINDS[kind]}`];
  });
}

function tells(sides: number): string {
  return sides === 1 ? 'does not tell' : 'do not tell';
}

/** What a trace tells of its experiment; null is what it does not tell. */
interface Facts {
  /** Ids that have been through the model. */
  readonly tokens: readonly number[] | null;
  readonly pieces: readonly (string | undefined)[];
  readonly bos: boolean | null;
  readonly template: string | null;
  /** sha256 of the model, of an F32 twin that of the file it was made of: its weights are the same. */
  readonly weights: string | null;
  readonly quantisation: string | null;
  readonly passes: readonly TracePass[] | null;
  readonly rows: readonly TraceRow[];
  /** Transforms that change what is computed. */
  readonly changes: readonly string[] | null;
}

type Sides = readonly [ours: Facts, reference: Facts];

function factsOf(trace: Trace): Facts {
  const { manifest, end, entries } = trace;
  const passes = knownPasses(trace);
  const all = [manifest.tokens, end?.tokens].filter(areIds).sort((a, b) => b.length - a.length)[0];
  const run = passes ? Math.max(...passes.map(({ pos0, nTokens }) => pos0 + nTokens)) : all?.length;
  const { twinOf } = manifest;
  return {
    tokens: all?.slice(0, run) ?? null,
    pieces: manifest.pieces ?? [],
    bos: typeof manifest.bos === 'boolean' ? manifest.bos : null,
    template: manifest.template ?? null,
    weights: typeof twinOf === 'string' ? twinOf : (manifest.model ?? null),
    quantisation: manifest.quantisation ?? null,
    passes,
    rows: entries,
    changes: changesOf(manifest),
  };
}

function areIds(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((id) => typeof id === 'number');
}

/** Tensors of which an engine may keep the last row only. */
const OUTPUTS: ReadonlySet<string> = new Set(['result_norm', 'result_output']);

/** Null where no row tells: none has a token axis, or all are outputs of which one row was kept. */
function knownPasses({ manifest, entries }: Trace): readonly TracePass[] | null {
  const passes = passesOf({ entries });
  if (passes.length === 0 || passes.some(({ nTokens }) => nTokens === 0)) return null;
  const mayBeCut = passes.length === 1 && passes[0]?.nTokens === 1 && (manifest.tokens?.length ?? 2) > 1;
  return mayBeCut && entries.every(({ name }) => OUTPUTS.has(name)) ? null : passes;
}

function tokensDiffer([ours, reference]: Sides): Difference | null {
  const [a, b] = [ours.tokens, reference.tokens];
  if (!a || !b) {
    if (ours.bos === null || reference.bos === null || ours.bos === reference.bos) return null;
    const text = ({ bos }: Facts) => (bos ? 'begins with BOS' : 'no BOS');
    return { kind: 'bos', ours: text(ours), reference: text(reference), says: BOS_SAYS };
  }
  const at = firstDifference(a, b);
  if (at < 0) return null;
  if (isWithoutFirst(a, b, ours) || isWithoutFirst(b, a, reference)) {
    const begins = (side: Facts) => `begins ${tokenText(side, 0)}, ${tokenText(side, 1)}`;
    return { kind: 'bos', ours: begins(ours), reference: begins(reference), says: BOS_SAYS };
  }
  if (at === Math.min(a.length, b.length)) {
    const [longer, more] = a.length > b.length ? ['ours', a.length - at] : ['the reference', b.length - at];
    return {
      kind: 'tokens',
      ours: `${a.length} tokens`,
      reference: `${b.length} tokens`,
      says: `${longer} goes on for ${more} more token${more === 1 ? '' : 's'}; give both the same ids, or allow tokens to compare the ${at} that they share`,
    };
  }
  const text = (side: Facts) => `position ${at} is ${tokenText(side, at)}`;
  return {
    kind: 'tokens',
    ours: text(ours),
    reference: text(reference),
    says: `from position ${at} on the two compute something else; give one side the ids of the other`,
  };
}

const BOS_SAYS =
  'the tokens are the same but for BOS at the start, which moves every position by one; tokenise both with it, or both without';

/** -1 where the two are equal. */
function firstDifference(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((id, i) => id !== b[i]);
  return at < 0 && a.length < b.length ? a.length : at;
}

/** Whether `shorter` is `longer` without its first token, and that is BOS as far as anything tells. */
function isWithoutFirst(longer: readonly number[], shorter: readonly number[], { bos, pieces }: Facts): boolean {
  if (longer.length !== shorter.length + 1 || firstDifference(longer.slice(1), shorter) >= 0) return false;
  return bos ?? (pieces[0] === undefined || /^<.+>$/.test(pieces[0]));
}

/** `450 " The"` */
function tokenText({ tokens, pieces }: Facts, position: number): string {
  const piece = pieces[position];
  return `${tokens?.[position]}${piece === undefined ? '' : ` ${JSON.stringify(piece)}`}`;
}

function templatesDiffer([{ template: a, tokens }, { template: b, tokens: others }]: Sides): Difference | null {
  if (a === null || b === null || a === b) return null;
  const at = firstDifference(codes(a), codes(b));
  const text = (template: string) => `at ${at} of ${template.length}: ${JSON.stringify(template.slice(at, at + 24))}`;
  const areSame = tokens && others && firstDifference(tokens, others) < 0;
  return {
    kind: 'template',
    ours: text(a),
    reference: text(b),
    says: `the two were put into other chat templates${
      areSame ? ', which gave the same tokens here; allow template' : '; use one template, or give both the same ids'
    }`,
  };
}

function codes(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) as number);
}

function weightsDiffer([{ weights: a }, { weights: b }]: Sides): Difference | null {
  if (a === null || b === null || a === b) return null;
  return {
    kind: 'weights',
    ours: `${a.slice(0, 12)}…`,
    reference: `${b.slice(0, 12)}…`,
    says: 'the two ran other files; run both on one, or on a file and the F32 twin that was made of it',
  };
}

function quantisationDiffers([ours, reference]: Sides): Difference | null {
  const [a, b] = [ours.quantisation, reference.quantisation];
  if (a === null || b === null || areSameTypes(a, b)) return null;
  if (ours.weights !== null && ours.weights === reference.weights) return null;
  return {
    kind: 'quantisation',
    ours: a,
    reference: b,
    says: 'the weights were rounded in another way, so no tensor can agree; run both on one file, or on its F32 twin',
  };
}

/** `F32 Q4_0` and `Q4_0` are the same: norms are always F32. `Q4_K_M` names a mix, of which Q4_K is the most. */
function areSameTypes(a: string, b: string): boolean {
  const [x, y] = [a, b].map(typesOf) as [Set<string>, Set<string>];
  const names = (types: Set<string>, others: Set<string>) =>
    types.size === 1 && [...types].some((type) => /_[SML]$/.test(type) && others.has(type.replace(/_[SML]$/, '')));
  return (x.size === y.size && [...x].every((type) => y.has(type))) || names(x, y) || names(y, x);
}

function typesOf(quantisation: string): Set<string> {
  const types = new Set(quantisation.toUpperCase().split(/[\s,]+/));
  if (types.size > 1) types.delete('F32');
  return types;
}

function positionsDiffer([ours, reference]: Sides): Difference | null {
  const [a, b] = [ours.passes, reference.passes];
  if (!a || !b) return null;
  const [from, to] = [Math.max(startOf(a), startOf(b)), Math.min(endOf(a), endOf(b))];
  const text = (passes: readonly TracePass[]) =>
    `${startOf(passes) === 0 ? '' : `from ${startOf(passes)}: `}[${passes.map(({ nTokens }) => nTokens).join(', ')}]`;
  const sides = { ours: text(a), reference: text(b) };
  if (startOf(a) !== startOf(b)) {
    const says =
      'the first tokens stand at other positions, so RoPE turns them by other angles; begin both at the same';
    return { kind: 'positions', ...sides, says };
  }
  if (decodesWithin(a, from, to).join() !== decodesWithin(b, from, to).join()) {
    return {
      kind: 'positions',
      ...sides,
      says:
        'the same positions were run in other passes, prefill against decode: the cache is read where the other side computes; ' +
        'run both in the same passes, or allow positions to compare them by position',
    };
  }
  if (endOf(a) === endOf(b) || (ours.tokens && reference.tokens)) return null;
  return {
    kind: 'positions',
    ...sides,
    says: `one side ends at position ${to - 1}; allow positions to compare up to there`,
  };
}

function startOf(passes: readonly TracePass[]): number {
  return Math.min(...passes.map(({ pos0 }) => pos0));
}

function endOf(passes: readonly TracePass[]): number {
  return Math.max(...passes.map(({ pos0, nTokens }) => pos0 + nTokens));
}

/**
 * Positions between `from` and `to` that a pass of its own was over, as decode steps are. A long prefill in several pieces
 * is one prefill: each engine cuts it where its memory asks.
 */
function decodesWithin(passes: readonly TracePass[], from: number, to: number): number[] {
  return passes.filter(({ pos0, nTokens }) => pos0 > from && pos0 < to && nTokens === 1).map(({ pos0 }) => pos0);
}

/** Tensors of which one side kept every row of a pass, or so many, and the other did not. */
function rowsDiffer([ours, reference]: Sides): Difference | null {
  const [a, b] = [keptRows(ours, reference), keptRows(reference, ours)];
  const names = [...a.keys()].filter((name) => b.has(name) && a.get(name) !== b.get(name));
  const [first] = names;
  if (first === undefined) return null;
  const more = names.length > 1 ? ` and of ${names.length - 1} more` : '';
  const text = (kept: Map<string, string>) => `${kept.get(first)} of ${first}${more}`;
  return {
    kind: 'rows',
    ours: text(a),
    reference: text(b),
    says:
      'one side kept fewer rows, as llama.cpp does of what leads to logits that nobody asked for; make every token an ' +
      'output, or allow rows to compare those that both have',
  };
}

/** `all rows` or `1 row` a pass, by name; what has no token axis is left out. */
function keptRows(side: Facts, other: Facts): Map<string, string> {
  const whole = (side.tokens ?? other.tokens)?.length ?? other.passes?.[0]?.nTokens;
  const kept = new Map<string, string>();
  for (const { name, pass, shape, dims } of side.rows) {
    const rows = shape[dims.indexOf('token')];
    if (rows === undefined) continue;
    const all = side.passes ? side.passes.find(({ index }) => index === pass)?.nTokens : whole;
    if (rows !== all) kept.set(name, `${rows} row${rows === 1 ? '' : 's'}`);
    else if (!kept.has(name)) kept.set(name, 'all rows');
  }
  return kept;
}

/** Transforms that only look: they add steps, and no step of the model reads those. */
const OBSERVERS: ReadonlySet<string> = new Set(['lens', 'attribution']);

/**
 * Transforms that round otherwise what is computed all the same, as another backend or another engine does. That is what a
 * comparison is there to measure.
 */
const ROUNDINGS: ReadonlySet<string> = new Set(['ggmlArithmetic', 'f16Storage', 'f16Accumulation']);

/** All others, such as `fault` and `edit`, change what is computed. Each as text: `edit(tensors: kqv_out-3)`. */
function changesOf({ transforms }: Manifest): readonly string[] | null {
  if (!Array.isArray(transforms)) return null;
  const changing = transforms.filter((each) => !OBSERVERS.has(each?.name) && !ROUNDINGS.has(each?.name));
  return changing.map((each) => {
    const said = Object.entries(each?.params ?? {}).map(([key, value]) => `${key}: ${value}`);
    return `${each?.name ?? JSON.stringify(each)}(${said.join(', ')})`;
  });
}

function transformsDiffer([{ changes: a }, { changes: b }]: Sides): Difference | null {
  if (a === null || b === null || a.join() === b.join()) return null;
  const text = (changes: readonly string[]) => (changes.length === 0 ? 'none' : changes.join(', '));
  return {
    kind: 'transforms',
    ours: text(a),
    reference: text(b),
    says: 'what is computed was changed on purpose; take the change away, or allow transforms to see what it does',
  };
}
