/**
 * A map: which of a stranger's tensors is which of ours, and in which layout. Plain data, saved as JSON that a person can
 * read and edit: of a match only `theirs` and `ours` are needed.
 */
import { TraceError } from '../../errors.ts';
import { AS_OURS } from '../layouts.ts';

/** A tensor of theirs that is one of ours. */
export interface Match {
  readonly theirs: string;
  readonly ours: string;
  /** A name that `layoutNamed` takes. */
  readonly layout: string;
  /** How much speaks for it, 0 to 1: the cosine of the values, or 1 minus the distance of the statistics; NaN where names decided alone. */
  readonly score: number;
  /** Sentences with the numbers. */
  readonly evidence: readonly string[];
  /** Whether the evidence decides it; false where a person did. */
  readonly certain: boolean;
}

/** One that it may be. */
export type Candidate = Omit<Match, 'theirs' | 'certain'>;

/** A tensor of theirs that evidence does not decide. */
export interface Question {
  readonly theirs: string;
  /** The likeliest first. */
  readonly candidates: readonly Candidate[];
  /** Why it is asked and what would tell the candidates apart. */
  readonly tellsApart: string;
}

/** A tensor of theirs that holds the numbers of another of theirs, which is matched. */
export interface Repeat {
  readonly theirs: string;
  readonly of: string;
  readonly ours: string;
}

/** A tensor of theirs that is none of ours. */
export interface Unmatched {
  readonly theirs: string;
  /** The end of a sentence. */
  readonly why: string;
}

export interface TensorMap {
  /** In the order of their dump; each of ours at most once. */
  readonly matches: readonly Match[];
  readonly questions: readonly Question[];
  readonly repeats: readonly Repeat[];
  readonly unmatched: readonly Unmatched[];
}

const FORMAT = 'layerscope map 1';

/** JSON text of a map. Numbers that JSON lacks become null. */
export function writeMap(map: TensorMap): string {
  return `${JSON.stringify({ format: FORMAT, ...map }, null, 2)}\n`;
}

/**
 * Reads what `writeMap` wrote, edited by hand or not. `source` is what errors call it. Throws TraceError where it is no
 * map, or names one of ours or of theirs twice.
 */
export function readMap(text: string, source = 'the map'): TensorMap {
  const fail = (found: string, wanted: string) =>
    new TraceError(`Cannot read ${source}: ${found}; wanted ${wanted}`, { file: source });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw fail(`it is no JSON (${(cause as Error).message})`, 'what "layerscope map --save" writes');
  }
  if (!isRecord(json) || json.format !== FORMAT) {
    const found = isRecord(json) ? `its format is ${JSON.stringify(json.format)}` : 'it is no object';
    throw fail(found, `{ "format": ${JSON.stringify(FORMAT)}, "matches": [ … ] }`);
  }
  const { matches, questions = [], repeats = [], unmatched = [] } = json;
  const texts = <K extends string>(list: unknown, name: string, keys: readonly K[]) =>
    recordsOf(list, name, fail).map((record, i) => {
      for (const key of keys) {
        if (typeof record[key] !== 'string') throw fail(`${name}[${i}] has no ${key}`, `${key}: a name, as text`);
      }
      return record as Record<K, string> & Record<string, unknown>;
    });
  const map: TensorMap = {
    matches: texts(matches, 'matches', ['theirs', 'ours']).map((record, i) => {
      const { theirs, ours, layout = AS_OURS, score = null, evidence = ['written by hand'], certain = false } = record;
      if (typeof layout !== 'string')
        throw fail(`matches[${i}].layout is ${JSON.stringify(layout)}`, 'a name, as text');
      if (!isTexts(evidence)) throw fail(`matches[${i}].evidence is ${JSON.stringify(evidence)}`, 'a list of texts');
      return { theirs, ours, layout, score: numberOrNaN(score), evidence, certain: certain === true };
    }),
    questions: texts(questions, 'questions', ['theirs', 'tellsApart']).map(({ theirs, tellsApart, candidates }, i) => ({
      theirs,
      tellsApart,
      candidates: texts(candidates, `questions[${i}].candidates`, ['ours', 'layout']).map((candidate) => ({
        ours: candidate.ours,
        layout: candidate.layout,
        score: numberOrNaN(candidate.score),
        evidence: isTexts(candidate.evidence) ? candidate.evidence : [],
      })),
    })),
    repeats: texts(repeats, 'repeats', ['theirs', 'of', 'ours']).map(({ theirs, of, ours }) => ({ theirs, of, ours })),
    unmatched: texts(unmatched, 'unmatched', ['theirs', 'why']).map(({ theirs, why }) => ({ theirs, why })),
  };
  for (const side of ['theirs', 'ours'] as const) {
    const names = map.matches.map((match) => match[side]);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined)
      throw fail(`two matches have ${side} ${JSON.stringify(twice)}`, 'one of ours for one of theirs');
  }
  return map;
}

type Fail = (found: string, wanted: string) => TraceError;

function recordsOf(list: unknown, name: string, fail: Fail): Record<string, unknown>[] {
  if (!Array.isArray(list)) throw fail(`its ${name} are ${JSON.stringify(list) ?? 'missing'}`, `a list of ${name}`);
  return list.map((item, i) => {
    if (isRecord(item)) return item;
    throw fail(`${name}[${i}] is ${JSON.stringify(item)}`, 'an object');
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function numberOrNaN(value: unknown): number {
  return typeof value === 'number' ? value : Number.NaN;
}
