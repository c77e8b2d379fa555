/**
 * Lays two traces of one experiment side by side: every tensor measured against its tolerance in the order of execution;
 * where one is beyond, its op run alone on each side's own inputs; the first op that does not reproduce what was recorded,
 * and that no known rounding explains, is where the two part.
 */
import type { Model } from '../engine/model.ts';
import { mustGoOn, type Watched, watchedBy } from '../engine/watched.ts';
import type { Watch } from '../platform.ts';
import { passesOf } from '../trace/passes.ts';
import { selects } from '../trace/select.ts';
import type { Trace } from '../trace/trace.ts';
import { differencesOf, unknownsOf } from './alignment.ts';
import { blindSpots } from './blind_spots.ts';
import { causeOf } from './cause.ts';
import {
  type Comparable,
  Comparison,
  type ComparisonParts,
  type Difference,
  type DifferenceKind,
  type TensorComparison,
} from './comparison.ts';
import { findDivergence } from './divergence.ts';
import { Evidence } from './evidence.ts';
import { distancesToF64, f64Trace, isQuickInF64 } from './f64.ts';
import type { Recorded } from './isolation.ts';
import { compareLogits } from './logits.ts';
import { RecordNoise } from './noise.ts';
import { comparePair, type PairRules } from './pair_comparison.ts';
import { type PairedRows, pairRows } from './pairs.ts';
import { defaultRules, precisionOf, type ToleranceRule } from './tolerances.ts';
import { claimsOf, verdictOf } from './verdict.ts';

export interface CompareOptions extends Watch {
  /** `exact`: every bit counts, and the first that differs is found. Default `tolerance`. */
  readonly mode?: 'tolerance' | 'exact';
  /** In what the two may be different experiments. Default in nothing: then there is no comparison. */
  readonly allow?: readonly DifferenceKind[];
  /** Which tensors: globs over names and aliases. Default all. */
  readonly select?: string | readonly string[];
  /** Tolerances that come before the default ones; `[...]` of rules, first match wins. */
  readonly rules?: readonly ToleranceRule[];
  /** Whose ops are run on identical inputs. Default the model of the run that is given, if one is. */
  readonly model?: Model;
  /** Hold both against our run in f64. Default where a model is at hand and that takes a few seconds. */
  readonly f64?: boolean;
  /** Whether to look for the fault that makes the first divergence, which runs its op with every fault there is. Default true. */
  readonly cause?: boolean;
  /** What reports call the two sides, a file's path for instance. */
  readonly labels?: { readonly ours?: string; readonly reference?: string };
}

/**
 * Compares `ours`, the side in doubt, with `reference`. Both are read tensor by tensor, so memory stays flat. Throws
 * InterruptedError where it is stopped, TraceError where a trace cannot be read; a difference is no error.
 */
export async function compare(
  ours: Comparable,
  reference: Comparable,
  options: CompareOptions = {},
): Promise<Comparison> {
  const { mode = 'tolerance', allow = [], select = 'all', rules = [] } = options;
  const sides = {
    ours: recordedOf(ours, options.labels?.ours ?? null),
    reference: recordedOf(reference, options.labels?.reference ?? null),
  };
  const model = options.model ?? modelOf(ours) ?? modelOf(reference);
  const watched = watchOf(options, model);
  const [a, b] = [sides.ours.trace, sides.reference.trace];

  const differences = differencesOf(a, b);
  // What a side changes on purpose is what it is compared for: told, and no reason to refuse.
  const isAllowed = ({ kind }: Difference) => kind === 'transforms' || allow.includes(kind);
  const refused = differences.filter((each) => !isAllowed(each));
  const allowed = differences.filter(isAllowed);
  if (refused.length > 0) return refusal(sides, mode, refused, allowed);

  const picks = selects(select);
  const { paired, unpaired } = pairRows(a.entries.filter(picks), b.entries.filter(picks));
  const notCompared = [...unpaired];
  const precision = precisionOf(a, b);
  const exact = await exactTrace(model, sides, allowed, options);
  const pairRules: PairRules = { mode, precision, rules: [...rules, ...defaultRules] };
  const measured: { readonly tensor: TensorComparison; readonly rows: PairedRows }[] = [];
  for (const [done, rows] of paired.entries()) {
    mustGoOn(watched.stop, 'compare', 'compare again');
    const compared = await comparePair(a, b, rows, pairRules);
    if ('why' in compared) notCompared.push(compared);
    else {
      const toF64 = exact && compared.measure ? await distancesToF64(a, b, exact, rows) : null;
      measured.push({ tensor: { ...compared, toF64 }, rows });
    }
    watched.onProgress?.({ task: 'comparing', item: rows.name, done: done + 1, total: paired.length, unit: 'tensors' });
  }

  const records = model ? recordsOf(sides, model.untransformed) : null;
  const noiseOf = records?.noiseOf ?? (async () => null);
  const search = { sides, model: model ?? null, mode, precision, noiseOf, watched };
  const { tensors, divergence } = await findDivergence(measured, search);
  const logits = await logitsOf(a, b);
  const findings = {
    ...{ mode, tensors, divergence, allowed, logits, precision },
    noises: await noisesIn(tensors, noiseOf),
    labels: { ours: sides.ours.label, reference: sides.reference.label },
  };
  const parts: ComparisonParts = {
    ...verdictOf(findings),
    mode,
    ours: { label: sides.ours.label, manifest: a.manifest },
    reference: { label: sides.reference.label, manifest: b.manifest },
    refused,
    allowed,
    unknowns: unknownsOf(a, b),
    tensors,
    firstDivergence: divergence,
    cause:
      model && records && divergence && options.cause !== false
        ? await causeOf(divergence, sides, { model, evidenceOf: records.evidenceOf, watched })
        : null,
    logits,
    claims: claimsOf(findings),
    blindSpots: blindSpots(a, b, model?.config),
    notCompared,
  };
  return new Comparison(parts, { ours, reference, ...(model ? { model } : {}) });
}

type SideName = 'ours' | 'reference';

/** What a side's record says of a model's ops, and the noise of it. */
function recordsOf(sides: Readonly<Record<SideName, Recorded>>, healthy: Model) {
  const evidenceOf = perSide((side) => Evidence.of(sides[side], healthy));
  return { evidenceOf, noiseOf: perSide(async (side) => RecordNoise.of(await evidenceOf(side), healthy)) };
}

/** Made when it is first asked for, and once. */
function perSide<T>(make: (side: SideName) => Promise<T>): (side: SideName) => Promise<T> {
  const made = new Map<SideName, Promise<T>>();
  return (side) => {
    const found = made.get(side) ?? make(side);
    made.set(side, found);
    return found;
  };
}

/** The noises that explain what parts. */
async function noisesIn(
  tensors: readonly TensorComparison[],
  noiseOf: (side: SideName) => Promise<RecordNoise | null>,
): Promise<RecordNoise[]> {
  const explained = tensors.flatMap(({ isolation }) => (isolation?.outcome === 'noise' ? [isolation.madeBy] : []));
  const noises: RecordNoise[] = [];
  for (const side of ['ours', 'reference'] as const) {
    const noise = explained.includes(side) ? await noiseOf(side) : null;
    if (noise) noises.push(noise);
  }
  return noises;
}

/** Our run in f64 over the tokens of both; null where there is none to be made. */
async function exactTrace(
  model: Model | undefined,
  { ours, reference }: { readonly ours: Recorded; readonly reference: Recorded },
  allowed: readonly Difference[],
  { f64, signal, onProgress }: CompareOptions,
): Promise<Trace | null> {
  const length = (trace: Trace) => Math.max(0, ...passesOf(trace).map(({ pos0, nTokens }) => pos0 + nTokens));
  const all = [ours, reference].map(({ trace }) => tokensOf(trace)).find((tokens) => tokens !== null);
  const tokens = all?.slice(0, Math.min(length(ours.trace), length(reference.trace))) ?? [];
  const isOneText = allowed.every(({ kind }) => !/^(tokens|bos|weights|quantisation)$/.test(kind));
  if (!model || tokens.length === 0 || !isOneText) return null;
  return (f64 ?? isQuickInF64(model, tokens.length)) ? f64Trace(model, tokens, { signal, onProgress }) : null;
}

/** Those that were drawn too. */
function tokensOf({ manifest, end }: Trace): readonly number[] | null {
  const drawn = end?.tokens;
  return Array.isArray(drawn) ? drawn : (manifest.tokens ?? null);
}

function recordedOf(side: Comparable, label: string | null): Recorded {
  const trace = traceOf(side);
  return { trace, label: label ?? labelOf(side, trace) };
}

function traceOf(side: Comparable): Trace {
  return 'trace' in side ? side.trace : side;
}

function modelOf(side: Comparable): Model | undefined {
  return 'trace' in side ? side.model : undefined;
}

function labelOf(side: Comparable, { manifest }: Trace): string {
  const { producer, file, backend } = manifest;
  const name = typeof file === 'string' ? (file.split(/[/\\]/).at(-1) as string) : null;
  if (producer === 'llama.cpp') return producer;
  if (name === null) return producer ?? 'a trace';
  return 'trace' in side ? `${name} on ${backend}` : `${producer ?? 'a trace'} of ${name}`;
}

function watchOf({ signal, onProgress }: Watch, model: Model | undefined): Watched {
  return model ? watchedBy(model.platform, { signal, onProgress }) : { stop: signal, onProgress };
}

function refusal(
  { ours, reference }: { readonly ours: Recorded; readonly reference: Recorded },
  mode: Comparison['mode'],
  refused: readonly Difference[],
  allowed: readonly Difference[],
): Comparison {
  const kinds = [...new Set(refused.map(({ kind }) => kind))];
  return new Comparison({
    verdict: 'refused',
    summary: `the two are not the same experiment: their ${kinds.join(', ')} differ`,
    mode,
    ours: { label: ours.label, manifest: ours.trace.manifest },
    reference: { label: reference.label, manifest: reference.trace.manifest },
    refused,
    allowed,
    unknowns: unknownsOf(ours.trace, reference.trace),
    tensors: [],
    firstDivergence: null,
    cause: null,
    logits: null,
    claims: [],
    blindSpots: [],
    notCompared: [],
  });
}

const LOGITS = 'result_output';

/** Of the last pass; null where one side has none of it. */
async function logitsOf(ours: Trace, reference: Trace): Promise<Comparison['logits']> {
  const rows = [ours, reference].map((trace) => trace.entries.findLast(({ name }) => name === LOGITS));
  const [a, b] = rows;
  if (!a?.hasValues || !b?.hasValues || a.shape.at(-1) !== b.shape.at(-1)) return null;
  const pos0 = Math.max(...[ours, reference].map((trace) => passesOf(trace).at(-1)?.pos0 ?? 0));
  const [mine, theirs] = [await ours.tensor(LOGITS), await reference.tensor(LOGITS)];
  const rowsKept = Math.min(mine.shape[0] as number, theirs.shape[0] as number);
  const last = (count: number) => [count - rowsKept, count] as const;
  const cut = [mine.slice(last(mine.shape[0] as number)), theirs.slice(last(theirs.shape[0] as number))] as const;
  return compareLogits(cut[0], cut[1], { pos0: pos0 + (mine.shape[0] as number) - rowsKept });
}
