/**
 * What every report of a comparison says, in the order in which it is said: the verdict, where the two part, whether the
 * error was made there, what was compared and what not, what the numbers prove, what this prompt could not show, and what
 * to do. How it looks is up to text.ts, markdown.ts and the page.
 */
import { short } from '../../trace/plain_text.ts';
import { knownPieces, shown } from '../../trace/token_label.ts';
import type {
  Cause,
  Comparison,
  Difference,
  Divergence,
  Isolation,
  LogitsComparison,
  NotCompared,
  TensorComparison,
} from '../comparison.ts';
import { STANDINGS, type Standing, standingOf } from './standing.ts';
import { suspectLines } from './suspect_lines.ts';
import {
  errorText,
  f32Text,
  isWithin,
  nearestToLimit,
  placeText,
  type Table,
  tensorLabel,
  tensorsThatMatter,
  tensorTable,
} from './tensor_table.ts';

export interface Outline {
  /** The verdict and its sentence. */
  readonly headline: string;
  readonly sections: readonly Section[];
}

export interface Section {
  readonly label: string;
  /** A sentence or two each. */
  readonly lines: readonly string[];
  /** Below the lines. */
  readonly table?: Table;
  /** Below the table: a cell to paste. */
  readonly code?: string;
}

export interface OutlineOptions {
  /** Rows of the table of tensors. */
  readonly rows: number;
  /** Entries of any other list; the rest is counted. */
  readonly most: number;
}

export function outlineOf(comparison: Comparison, options: OutlineOptions): Outline {
  const { firstDivergence: first, refused } = comparison;
  const about =
    refused.length > 0 && comparison.verdict === 'refused'
      ? [refusedSection(refused)]
      : [
          ...(first ? [whereSection(comparison, first), originSection(comparison, first)] : []),
          tableSection(comparison, options.rows),
          comparedSection(comparison),
          notComparedSection(comparison, options.most),
          logitsSection(comparison),
          provesSection(comparison, options.most),
          blindSection(comparison, options.most),
          suspectsSection(comparison, options.most),
        ];
  const sections = [...about, unknownSection(comparison, options.most), nextSection(comparison)];
  return {
    headline: headlineOf(comparison),
    sections: sections.filter(({ lines, table }) => lines.length > 0 || table !== undefined),
  };
}

/** `Bug: kq of layer 3 parts from …` */
export function headlineOf({ verdict, summary }: Comparison): string {
  return `${verdict.charAt(0).toUpperCase()}${verdict.slice(1)}: ${summary}`;
}

function refusedSection(refused: readonly Difference[]): Section {
  return {
    label: 'Differs',
    lines: refused.flatMap(({ kind, ours, reference, says }) => [
      `${kind}: ours ${ours}; reference ${reference} (--allow ${kind})`,
      says,
    ]),
  };
}

function whereSection(comparison: Comparison, first: Divergence): Section {
  const { op, layer, ours, reference } = first;
  const place = placeText(comparison, first);
  return {
    label: 'Where',
    lines: [
      `${tensorLabel(comparison, first)}: op ${op}${layer === null ? '' : `, layer ${layer}`}${place ? `, ${place}` : ''}`,
      `ours ${f32Text(ours)}, reference ${f32Text(reference)}`,
    ],
  };
}

/** Whether the error of the first divergence was made by its op or came in with its inputs. */
function originSection({ mode, cause }: Comparison, { op, isolation }: Divergence): Section {
  const named = cause === null ? [] : [causeLine(cause)];
  if (isolation) return { label: 'Origin', lines: [...named, ...isolationLines(isolation, op)] };
  const why =
    mode === 'exact'
      ? 'exact mode compares bits and runs nothing'
      : `${op} could not be run alone on the reference's inputs`;
  return { label: 'Origin', lines: [...named, `Made there or inherited, unknown: ${why}`] };
}

const CERTAINTIES: Readonly<Record<Cause['certainty'], string>> = {
  named: 'Cause',
  tied: 'Cause, one of several',
  suspected: 'Suspicion',
};

function causeLine({ certainty, sentence }: Cause): string {
  return `${CERTAINTIES[certainty]}: ${sentence}`;
}

const OUTCOMES: Readonly<Record<Isolation['outcome'], string>> = {
  made: 'Made there',
  precision: 'Rounding, made there',
  noise: 'Noise, made there',
  'other layout': 'Another order, made there',
  inherited: 'Inherited',
};

/** What feeding recorded inputs to our op gave, as sentences. */
export function isolationLines(isolation: Isolation, op: string): string[] {
  const { how, inputs, onReference, onOurs, tolerance, toF64, explained, outcome, madeBy } = isolation;
  const errors = [
    ...(onReference === null ? [] : [`on the reference's inputs ${errorText(onReference)} from its output`]),
    ...(onOurs === null ? [] : [`on ours' inputs ${errorText(onOurs)} from that of ours`]),
  ];
  const fed = inputs.length > 0 ? ` (${inputs.join(', ')})` : '';
  const whose = { ours: ' by ours', reference: ' by the reference' };
  return [
    `${OUTCOMES[outcome]}${madeBy === null ? '' : whose[madeBy]}: ${how}${fed}`,
    ...(errors.length > 0
      ? [`Our ${op} is ${errors.join(' and ')}; it may be off by ${errorText(tolerance.limit)}`]
      : []),
    ...(toF64 ? [`From f64 our op is off by ${errorText(toF64.op)}, the record by ${errorText(toF64.recorded)}`] : []),
    ...(explained ? [`With ${explained.name} ${errorText(explained.left)} is left of it`] : []),
  ];
}

function tableSection(comparison: Comparison, most: number): Section {
  const tensors = tensorsThatMatter(comparison, most);
  const { length } = comparison.tensors;
  if (length === 0) return { label: 'Tensors', lines: [] };
  const isClean = comparison.tensors.every((tensor) => isWithin(tensor));
  const which = isClean ? 'on the way to the logits' : 'around the first that parts';
  return {
    label: 'Tensors',
    lines: [tensors.length === length ? `All ${length}` : `${tensors.length} of ${length}, ${which}`],
    table: tensorTable(comparison, tensors),
  };
}

function comparedSection({ tensors, notCompared, ours, reference, allowed, mode }: Comparison): Section {
  const counts = new Map<Standing, number>();
  for (const tensor of tensors) counts.set(standingOf(tensor), (counts.get(standingOf(tensor)) ?? 0) + 1);
  const standings = Object.entries(STANDINGS).flatMap(([standing, words]) => {
    const count = counts.get(standing as Standing);
    return count === undefined ? [] : [`${count} ${words}`];
  });
  const all = tensors.length + notCompared.length;
  return {
    label: 'Compared',
    lines: [
      `${ours.label} (ours) with ${reference.label} (reference)${mode === 'exact' ? ', bit by bit' : ''}`,
      `${tensors.length} of ${counted(all, 'tensor')}: ${standings.join(', ') || 'none'}`,
      ...partlySaid(tensors),
      ...nearestSaid(tensors),
      ...allowed.map(({ kind, ours, reference }) => `Allowed to differ, ${kind}: ours ${ours}; reference ${reference}`),
    ],
  };
}

/** The closest call, where none is beyond its tolerance. */
function nearestSaid(tensors: readonly TensorComparison[]): string[] {
  const nearest = nearestToLimit(tensors);
  if (!nearest?.measure || !nearest.tolerance || nearest.status !== 'within') return [];
  const { name, measure, tolerance } = nearest;
  return [
    `Nearest to its tolerance: ${name}, ${errorText(measure.relativeRmsError)} of ${errorText(tolerance.limit)} ` +
      `(${tolerance.source})`,
  ];
}

/** How much of the tensors was there to compare, where that is less than everything. */
function partlySaid(tensors: readonly TensorComparison[]): string[] {
  const withValues = tensors.filter(({ measure }) => measure !== null);
  const statistics = tensors.length - withValues.length;
  const partly = withValues.filter(({ coverage }) => coverage < 1);
  const elements = withValues.map(({ shape }) => shape.reduce((product, size) => product * size, 1));
  const compared = withValues.reduce((sum, { coverage }, i) => sum + coverage * (elements[i] as number), 0);
  const share = compared / elements.reduce((sum, size) => sum + size, 0);
  return [
    ...(partly.length > 0
      ? [`Of ${counted(partly.length, 'tensor')} only some elements: ${percent(share)} of all`]
      : []),
    ...(statistics > 0 ? [`Of ${counted(statistics, 'tensor')} only statistics; they prove little`] : []),
  ];
}

/** Reasons, each with the tensors that it holds for. */
function notComparedSection(comparison: Comparison, most: number): Section {
  const byReason = new Map<string, NotCompared[]>();
  for (const each of comparison.notCompared) byReason.set(each.why, [...(byReason.get(each.why) ?? []), each]);
  const lines = [...byReason].map(([why, tensors]) => {
    const names = tensors.slice(0, most).map((tensor) => tensorLabel(comparison, tensor));
    return `${tensors.length}, ${why}: ${names.join(', ')}${more(tensors.length - names.length)}`;
  });
  return { label: 'Left out', lines: first(lines, most, 'reason') };
}

/** The last position, and the one where the two differ most. */
function logitsSection(comparison: Comparison): Section {
  const { logits } = comparison;
  const last = logits?.at(-1);
  if (!logits || !last) return { label: 'Next token', lines: [] };
  const worst = logits.reduce((a, b) => (b.kl > a.kl ? b : a));
  const others = logits.filter(({ ours, reference }) => ours !== reference).length;
  return {
    label: 'Next token',
    lines: [
      `After ${placeText(comparison, { ...last, head: null, index: [] })}: ${nextSaid(comparison, last)}`,
      ...(worst === last
        ? []
        : [`Furthest apart after ${placeText(comparison, { ...worst, head: null, index: [] })}: KL ${klText(worst)}`]),
      ...(others > 0 && logits.length > 1
        ? [`The likeliest token differs at ${others} of ${logits.length} positions`]
        : []),
    ],
  };
}

function nextSaid(comparison: Comparison, logits: LogitsComparison): string {
  const { ours, reference, rank, overlap, k } = logits;
  const says =
    ours === reference
      ? `both say ${spelt(comparison, ours)}`
      : `ours says ${spelt(comparison, ours)}, the reference ${spelt(comparison, reference)} (rank ${rank + 1} of ours)`;
  return `${says}; KL ${klText(logits)}, ${overlap} of the ${k} likeliest shared`;
}

function klText({ kl }: LogitsComparison): string {
  return `${short(kl)} nats`;
}

/** A token of the text by its piece, any other by its id. */
function spelt({ ours, reference }: Comparison, id: number): string {
  const piece = knownPieces(ours.manifest).get(id) ?? knownPieces(reference.manifest).get(id);
  return piece === undefined ? `token ${id}` : `${shown(piece)} (${id})`;
}

/** What the refusal could not go by. */
function unknownSection({ unknowns }: Comparison, most: number): Section {
  return { label: 'Unchecked', lines: first(unknowns, most, 'fact') };
}

function provesSection({ claims }: Comparison, most: number): Section {
  return {
    label: 'Proves',
    lines: first(
      claims.map(({ number, supports }) => `${number}: ${supports}`),
      most,
      'claim',
    ),
  };
}

function blindSection({ blindSpots }: Comparison, most: number): Section {
  const said = blindSpots.map(
    ({ suspect, why, shortest }) => `${suspect}: ${sentence(why)}. The shortest that shows it: ${shortest}`,
  );
  return { label: 'Not seen', lines: first(said, most, 'suspect') };
}

/** What the faults' pages leave of them: of a divergence its suspects, else those that may be there unseen. */
function suspectsSection(comparison: Comparison, most: number): Section {
  const label = comparison.firstDivergence === null ? 'Faults' : 'Suspects';
  return { label, lines: suspectLines(comparison, most) };
}

function nextSection(comparison: Comparison): Section {
  const { firstDivergence } = comparison;
  const lines = [nextStep(comparison)];
  return firstDivergence
    ? { label: 'Next', lines: [...lines, 'In a cell, to see it again:'], code: firstDivergence.reproduction }
    : { label: 'Next', lines };
}

function nextStep({ verdict, mode, firstDivergence: first, refused }: Comparison): string {
  switch (verdict) {
    case 'agree':
      return 'Nothing to mend in what was compared. If the text is still wrong, look at tokens, template and sampler';
    case 'noise':
      return 'Nothing to mend: judge by the next token whether the rounding matters';
    case 'precision':
      return "Nothing to mend. Against the model's F32 twin (llama.cpp-f32:MODEL) this rounding is gone";
    case 'other layout':
      return 'Read the tensor in the layout that is named, or say so in a map (layerscope map), and compare again';
    case 'refused':
      return `Make both the same experiment, or allow what is meant to differ: ${allowSaid(refused)}`;
    case 'bug':
      if (mode === 'exact') return 'Compare without --exact, to learn whether the difference is rounding';
      return first?.isolation
        ? `Mend ${first.op}${first.layer === null ? '' : ` of layer ${first.layer}`}` +
            `${first.isolation.madeBy === 'reference' ? ' in the reference' : ''}; its inputs are right`
        : 'Give the model (--model), and keep values on both sides, so that the op can be run alone on the same inputs';
    default:
      throw verdict satisfies never;
  }
}

function allowSaid(refused: readonly Difference[]): string {
  const kinds = refused.map(({ kind }) => kind);
  return `--allow ${kinds.join()}, in a cell { allow: [${kinds.map((kind) => `'${kind}'`).join(', ')}] }`;
}

/** Without its full stop, so that it can go on. */
function sentence(text: string): string {
  return text.replace(/\.$/, '');
}

/** The first of a list; a last line counts the rest. */
function first(lines: readonly string[], most: number, what: string): string[] {
  if (lines.length <= most) return [...lines];
  return [...lines.slice(0, most), `and ${counted(lines.length - most, `more ${what}`)}`];
}

function more(count: number): string {
  return count > 0 ? `, and ${count} more` : '';
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}
