/**
 * Decides which of their tensors is which of ours, or asks. Nothing is guessed: what is decided is so by values that fit one
 * of ours alone, by words or a place that such values have taught, or by a name that means one thing only; and never against
 * what another kind of evidence says.
 *
 * Values can mislead in one way. An op that does nothing (no rotation, a feed-forward part that gives zeros) makes its output
 * equal its input, so what equals our Qcur may be their Qcur_rope. Such a match counts only where their run went on
 * correctly from what it may be instead, or where name or place agree.
 */
import { UsageError } from '../../errors.ts';
import { orderOf } from '../layouts.ts';
import { type Dependencies, dependenciesOf } from './dependencies.ts';
import { candidateOf, scoreOf, sentences } from './evidence_text.ts';
import type { Evidence, Fit } from './fits.ts';
import { grouped } from './grouped.ts';
import { ALIKE, type Subject, subjectsOf } from './subjects.ts';
import type { Candidate, Match, Question, Repeat, TensorMap, Unmatched } from './tensor_map.ts';
import { learn, stemOf, type Vocabulary } from './vocabulary.ts';

/** What a person said: their name → ours, or `none` for what is none of ours. */
export type Answers = Readonly<Record<string, string>>;

/** The answer for a tensor that is none of ours. */
export const NONE = 'none';
/** The evidence of an answer. */
export const SAID = 'you said so';

/** Throws UsageError where an answer names no tensor of theirs or ours, or two that cannot be the same. */
export function decide(evidence: Evidence, answers: Answers = {}): TensorMap {
  return new Decision(evidence, answers).map();
}

interface Decided {
  readonly subject: Subject;
  readonly fit: Fit;
  readonly layout: string;
  /** Said before the evidence that every fit has, and after it. */
  readonly because: readonly string[];
  readonly agrees: readonly string[];
  readonly certain: boolean;
}

/** Values that fit one of ours, and the others that it may be all the same. */
interface Claim {
  readonly subject: Subject;
  readonly fit: Fit;
  readonly doubts: readonly string[];
}

/** A later tensor confirms an earlier one where its error is at most this many times as large, or rounding alone. */
const GROWTH = 3;
const ROUNDING = 1e-5;
/** What has other values than ours is not ours where what follows from ours fits as well as this. */
const HEALTHY = 1e-2;
/** Cosine from which one candidate stands out, where the next has at most half of it; chance gives 1/√n. */
const TELLING = 0.5;
const LEAST_VALUES = 64;
/** Cosine from which it tells one layout from another, where the next has at most two thirds of it. */
const TELLS_LAYOUT = 0.3;
/** Values of which one is the other times a number. */
const PARALLEL = 0.999;
/** Times that the values are looked at again with what was learnt. */
const ROUNDS = 4;
/** Candidates that a question lists. */
const LISTED = 5;

class Decision {
  readonly #evidence: Evidence;
  readonly #answers: Answers;
  readonly #subjects: readonly Subject[];
  readonly #graph: Dependencies;
  /** Where the values fit one of ours and no other. */
  readonly #alone: readonly { readonly subject: Subject; readonly fit: Fit }[];
  readonly #isInOrder: boolean;
  /** By ours. */
  readonly #decided = new Map<string, Decided>();
  /** By theirs. */
  readonly #questions = new Map<string, Question>();
  readonly #repeats = new Map<string, Repeat>();
  #vocabulary: Vocabulary = () => null;

  constructor(evidence: Evidence, answers: Answers) {
    this.#evidence = evidence;
    this.#answers = answers;
    this.#subjects = subjectsOf(evidence);
    this.#graph = dependenciesOf(evidence.ours.map(({ name }) => name));
    const open = this.#subjects.filter(({ key }) => answers[key] === undefined);
    this.#alone = open.flatMap((subject) => (subject.same.length === 1 ? [{ subject, fit: subject.same[0]! }] : []));
    this.#isInOrder = this.#dumpIsInOrder();
  }

  map(): TensorMap {
    // What is learnt decides more, from which more is learnt.
    for (let round = 0, before = -1; round < ROUNDS && before !== this.#decided.size; round++) {
      before = this.#decided.size;
      for (const made of [this.#decided, this.#questions, this.#repeats]) made.clear();
      this.#takeAnswers();
      this.#takeValues();
      this.#vocabulary = learn([...this.#decided].map(knownOf), this.#subjects, this.#isInOrder);
    }
    this.#takeMeant();
    while (this.#isInOrder && this.#takeTelling());
    return this.#result();
  }

  #takeAnswers(): void {
    for (const [theirs, ours] of Object.entries(this.#answers)) {
      const subject = this.#subjects.find(({ key }) => key === theirs);
      const refuse = (found: string, wanted: string) =>
        new UsageError(`Cannot take the answer ${theirs}=${ours}: ${found}; wanted ${wanted}`);
      if (!subject) throw refuse(`the dump has no tensor ${theirs}`, 'one of its names');
      if (ours === NONE) continue;
      const fit = subject.fits.find((known) => known.ours === ours);
      if (!fit) {
        const some = subject.fits.slice(0, LISTED).map((known) => known.ours);
        throw refuse(
          `no tensor of ours with a shape like [${subject.row.shape}] is called so`,
          [...some, NONE].join(', '),
        );
      }
      const before = this.#decided.get(ours);
      if (before) throw refuse(`${before.subject.key} is ${ours} already`, 'one of ours for one of theirs');
      this.#take(subject, fit, [SAID], false);
    }
  }

  /** What values decide, doubts aside. */
  #takeValues(): void {
    const claims: Claim[] = [];
    for (const subject of this.#undecided()) {
      if (subject.same.length === 0) continue;
      const options = this.#narrowed(subject);
      if (options.length === 1) claims.push({ subject, fit: options[0]!, doubts: this.#doubts(subject, options[0]!) });
      else
        this.#ask(
          subject,
          options,
          `the values of ${listText(options.map(({ ours }) => ours))} are alike in this run; ${CURE_ALIKE}`,
        );
    }
    for (const [ours, rivals] of grouped(claims, ({ fit }) => fit.ours)) this.#settle(ours, rivals);
  }

  /** Of several with the same values, those that name, place or order allow. */
  #narrowed(subject: Subject): readonly Fit[] {
    const { same } = subject;
    if (same.length === 1) return same;
    const meant = same.filter(({ ours }) => this.#meant(subject)?.includes(ours));
    const options = meant.length > 0 ? meant : same;
    const inOrder = options.filter(({ ours }) => this.#fitsOrder(subject, ours));
    return inOrder.length > 0 ? inOrder : options;
  }

  /** Ours that a tensor may be though its values are those of `fit`. */
  #doubts(subject: Subject, { ours, error, by }: Fit): string[] {
    const meant = this.#meant(subject);
    if (meant?.length === 1 && meant[0] === ours) return [];
    const isOpen = (other: string) => !this.#isProven(other, subject, Math.max(error, ALIKE[by]));
    // Nothing makes an input equal what is computed from it.
    const named = (meant ?? []).filter((other) => other !== ours && !this.#graph.needs(ours, other) && isOpen(other));
    if (named.length > 0 && !meant?.includes(ours)) return named;
    const dead = this.#graph.directlyFrom(ours).filter((next) => this.#isFeasible(subject, next) && isOpen(next));
    return meant?.includes(ours) ? dead.filter((next) => meant.includes(next)) : dead;
  }

  /** Whether their run computed it as ours did, for what follows from it is right, or another tensor of theirs is it. */
  #isProven(ours: string, except: Subject, error: number): boolean {
    return this.#alone.some(({ subject, fit }) => {
      if (subject === except || fit.error > Math.max(GROWTH * error, ROUNDING)) return false;
      if (fit.ours === ours) return this.#meant(subject)?.includes(ours) ?? true;
      return this.#graph.needs(fit.ours, ours);
    });
  }

  /** Several tensors of theirs with the values of one of ours: one is it, the others repeat it, or all are asked about. */
  #settle(ours: string, claims: readonly Claim[]): void {
    const support = Math.max(...claims.map((claim) => this.#support(claim)));
    const best = claims.filter((claim) => this.#support(claim) === support);
    const least = Math.min(...best.map(({ fit }) => fit.error));
    const isAlike = ({ fit }: Claim) => fit.error <= GROWTH * Math.max(least, ALIKE[fit.by]);
    const first = best.find(isAlike)!;
    const before = this.#decided.get(ours);
    const isDecided = before !== undefined || first.doubts.length === 0;
    if (!before && isDecided) this.#take(first.subject, first.fit, [], true);
    for (const claim of claims) {
      if (!before && claim === first && isDecided) continue;
      const { subject, fit, doubts } = claim;
      const of = (before ?? first).subject.key;
      if (isDecided && doubts.length === 0 && isAlike(claim))
        this.#repeats.set(subject.key, { theirs: subject.key, of, ours });
      else this.#askDoubt(subject, fit, doubts);
    }
  }

  /** 2 where name or place say it, 1 where the name allows it, 0 without a name, -1 where the name says another. */
  #support({ subject, fit }: Claim): number {
    const meant = this.#meant(subject);
    if (!meant) return 0;
    if (!meant.includes(fit.ours)) return -1;
    return meant.length === 1 ? 2 : 1;
  }

  #askDoubt(subject: Subject, fit: Fit, doubts: readonly string[]): void {
    const others = subject.fits.filter(({ ours }) => doubts.includes(ours));
    const meant = this.#meant(subject);
    const isNamed = doubts.some((ours) => meant?.includes(ours)) && !meant?.includes(fit.ours);
    const instead = listText(doubts);
    const says =
      doubts.length === 0
        ? `its values are those of ${fit.ours}, less closely than another tensor's of the dump are; ${CURE_NAME}`
        : isNamed
          ? `its values are those of ${fit.ours}, its name says ${instead}: two may be exchanged, or an op does nothing; say which it is in their code`
          : `its values are those of ${fit.ours}, and so would those of ${instead} be if an op did nothing there; a later tensor that is right, or its name, tells`;
    this.#ask(subject, [fit, ...others], says);
  }

  /** What a word that values have taught says, or a name that means one of ours: where values do not fit any. */
  #takeMeant(): void {
    const wanted = this.#undecided().flatMap((subject) => {
      const expected = this.#vocabulary(subject);
      const [ours, ...more] = this.#meant(subject) ?? [];
      const fit = subject.fits.find((known) => known.ours === ours);
      if (!fit || more.length > 0 || subject.same.length > 0 || subject.name.isStranger) return [];
      return [{ subject, fit, expected }];
    });
    for (const [ours, rivals] of grouped(wanted, ({ fit }) => fit.ours)) {
      for (const { subject, fit, expected } of rivals) {
        const layout = this.#layoutOf(fit, expected?.layout ?? null);
        const before = this.#decided.get(ours)?.subject.key;
        const says = expected?.says ?? `its name means ${stemOf(ours)} and nothing else`;
        const against =
          (before !== undefined && `${before} is ${ours} already`) ||
          (!expected && this.#namesWereWrong() && 'names of this dump were wrong where values decide') ||
          (rivals.length > 1 && `${listText(rivals.map((rival) => rival.subject.key))} are all called so`) ||
          (!this.#fitsOrder(subject, ours) && 'its place in the dump is another') ||
          (this.#isRefuted(fit, subject) && `its values are not, and what follows from ${ours} is right`) ||
          (layout === null && `its values do not tell its layout (${fit.layout} is the nearest)`);
        if (against || layout === null) this.#ask(subject, [fit], `${says}, but ${against}; ${CURE_NAME}`);
        else this.#take(subject, { ...fit, layout }, [says], true);
      }
    }
  }

  /** Whether values have decided against a name: then a name alone is not believed. */
  #namesWereWrong(): boolean {
    return [...this.#decided].some(
      ([ours, { subject, certain }]) => certain && subject.named?.includes(ours) === false,
    );
  }

  /** Whether values say that it is not this one: they differ, and their run went on as ours. */
  #isRefuted({ ours, error, cosine }: Fit, subject: Subject): boolean {
    return !Number.isNaN(error) && !(cosine >= PARALLEL) && this.#isProven(ours, subject, HEALTHY / GROWTH);
  }

  /** The layout that the values tell; that of the same tensor in other layers; the only one; null where none of these is. */
  #layoutOf(fit: Fit, learnt: string | null): string | null {
    const { cosine, rival, layout } = fit;
    if (Number.isNaN(cosine) || Number.isNaN(rival)) return learnt ?? layout;
    const isTold = cosine >= TELLS_LAYOUT && rival <= (2 / 3) * cosine;
    // The values tell the order; how scores are scaled and masked is better known from the other layers.
    if (isTold) return learnt !== null && orderOf(learnt) === orderOf(layout) ? learnt : layout;
    const others = [...this.#decided.values()].filter((known) => stemOf(known.fit.ours) === stemOf(fit.ours));
    const layouts = new Set(others.map((known) => known.layout));
    return learnt ?? (layouts.size === 1 ? [...layouts][0]! : null);
  }

  /** One tensor whose cosine with one of ours stands out, in a dump whose order agrees; true while there are such. */
  #takeTelling(): boolean {
    for (const subject of this.#undecided()) {
      if (subject.same.length > 0) continue;
      const [best, second] = subject.fits.toSorted((a, b) => (b.cosine || -1) - (a.cosine || -1));
      if (!best || best.n < LEAST_VALUES || !(best.cosine >= TELLING) || (second?.cosine ?? 0) > best.cosine / 2)
        continue;
      const { ours } = best;
      const isFree = !this.#decided.has(ours) && this.#fitsOrder(subject, ours) && !this.#isRefuted(best, subject);
      const isNext = (next: string) => this.#isFeasible(subject, next) && !this.#decided.has(next);
      const isMeant = this.#meant(subject)?.includes(ours) ?? true;
      const layout = this.#layoutOf(best, null);
      if (!isFree || !isMeant || layout === null || this.#graph.directlyFrom(ours).some(isNext)) continue;
      this.#take(subject, { ...best, layout }, ['its cosine stands out and its place in the dump agrees'], true);
      return true;
    }
    return false;
  }

  /** What name or place mean; null where they say nothing. */
  #meant(subject: Subject): readonly string[] | null {
    const expected = this.#vocabulary(subject);
    return expected && this.#isFeasible(subject, expected.ours) ? [expected.ours] : subject.named;
  }

  #isFeasible({ fits }: Subject, ours: string): boolean {
    return fits.some((fit) => fit.ours === ours);
  }

  /** Whether the dump is written as it was computed: what values decide stands so that nothing precedes its inputs. */
  #dumpIsInOrder(): boolean {
    const first = [...new Map(this.#alone.toReversed().map((pair) => [pair.fit.ours, pair])).values()].toSorted(
      (a, b) => a.subject.position - b.subject.position,
    );
    const names = first.map(({ fit }) => fit.ours);
    const related = names.slice(1).filter((name, i) => this.#graph.needs(name, names[i]!));
    const isTelling = related.length >= 5 && new Set(names.map(stemOf)).size >= 4;
    return isTelling && names.every((name, i) => names.slice(i + 1).every((later) => !this.#graph.needs(name, later)));
  }

  /** Whether a tensor stands after what it is computed from and before what is computed from it, as far as values decide. */
  #fitsOrder({ position, key }: Subject, ours: string): boolean {
    if (!this.#isInOrder) return true;
    return this.#alone.every(({ subject, fit }) => {
      if (subject.key === key) return true;
      if (subject.position > position)
        return !this.#graph.needs(ours, fit.ours) || this.#hasEarlier(fit.ours, position);
      return !this.#graph.needs(fit.ours, ours);
    });
  }

  /** Whether values of ours stand before a place: a later copy of them says nothing of order. */
  #hasEarlier(ours: string, position: number): boolean {
    return this.#alone.some(({ subject, fit }) => fit.ours === ours && subject.position < position);
  }

  #undecided(): Subject[] {
    const done = new Set([...this.#decided.values()].map(({ subject }) => subject.key));
    const isOpen = ({ key }: Subject) =>
      !done.has(key) && !this.#questions.has(key) && !this.#repeats.has(key) && this.#answers[key] !== NONE;
    return this.#subjects.filter(isOpen);
  }

  #take(subject: Subject, fit: Fit, because: readonly string[], certain: boolean): void {
    const expected = this.#vocabulary(subject);
    const agrees = expected?.ours === fit.ours && !because.includes(expected.says) ? [expected.says] : [];
    this.#decided.set(fit.ours, { subject, fit, layout: fit.layout, because, agrees, certain });
  }

  #ask(subject: Subject, options: readonly Fit[], tellsApart: string): void {
    const candidates = options.map((fit) => this.#candidate(subject, fit));
    this.#questions.set(subject.key, { theirs: subject.key, candidates, tellsApart });
  }

  #candidate(subject: Subject, fit: Fit): Candidate {
    return candidateOf(subject, fit, this.#shapeOf(fit.ours));
  }

  #shapeOf(ours: string): readonly number[] {
    return this.#evidence.ours.find(({ name }) => name === ours)?.shape ?? [];
  }

  /** What nothing decides: asked about, or none of ours. */
  #result(): TensorMap {
    const unmatched: Unmatched[] = [];
    for (const subject of this.#subjects) {
      if (this.#answers[subject.key] === NONE) unmatched.push({ theirs: subject.key, why: SAID });
    }
    for (const subject of this.#undecided()) {
      const why = this.#whyNone(subject);
      const twin = why && this.#twinOf(subject);
      if (twin) {
        const { subject: of, fit } = twin;
        this.#repeats.set(subject.key, { theirs: subject.key, of: of.key, ours: fit.ours });
      } else if (why) unmatched.push({ theirs: subject.key, why });
      else this.#ask(subject, this.#options(subject), `no evidence decides it; ${CURE_NAME}`);
    }
    const matches = [...this.#decided.values()].map(({ subject, fit, layout, because, agrees, certain }): Match => {
      const evidence = [...because, ...sentences(subject, fit, this.#shapeOf(fit.ours)), ...agrees];
      return { theirs: subject.key, ours: fit.ours, layout, score: scoreOf(fit), evidence, certain };
    });
    const place = new Map(this.#subjects.map(({ key, position }) => [key, position]));
    const inOrder = <T extends { readonly theirs: string }>(list: Iterable<T>): T[] =>
      [...list].sort((a, b) => place.get(a.theirs)! - place.get(b.theirs)!);
    return {
      matches: inOrder(matches),
      questions: inOrder(this.#questions.values()),
      repeats: inOrder(this.#repeats.values()),
      unmatched: inOrder(unmatched),
    };
  }

  /** One that was decided and has the same numbers in the same places. */
  #twinOf({ row, name }: Subject): Decided | undefined {
    if (name.isStranger || !row.hasValues) return undefined;
    const isTwin = (other: Subject) =>
      other.row.statistics.hash64 === row.statistics.hash64 && other.row.shape.join() === row.shape.join();
    return [...this.#decided.values()].find(({ subject }) => isTwin(subject));
  }

  #whyNone(subject: Subject): string | null {
    if (subject.name.isStranger) return 'its name is that of a mask, a table or a cache, of which we have no tensor';
    if (subject.fits.length === 0) return `no tensor of ours has a shape like [${subject.row.shape.join(', ')}]`;
    return this.#options(subject).length === 0 ? 'every tensor of ours that it may be is another of theirs' : null;
  }

  /** Of what nothing decides: those that name, order and what is taken leave, the likeliest first. */
  #options(subject: Subject): Fit[] {
    const meant = this.#meant(subject);
    const free = subject.fits.filter(({ ours }) => !this.#decided.has(ours) && this.#fitsOrder(subject, ours));
    const named = free.filter(({ ours }) => meant?.includes(ours));
    const likely = (named.length > 0 ? named : free).toSorted((a, b) => scoreOf(b) - scoreOf(a) || 0);
    return likely.slice(0, LISTED);
  }
}

const CURE_ALIKE = 'a name or a dump of a later token tells them apart';
const CURE_NAME = 'say which it is, or dump a run that is right up to it';

function knownOf([ours, { subject, layout }]: readonly [string, Decided]) {
  return { subject, ours, layout };
}

/** `a`, `a and b`, `a, b and c`. */
function listText(names: readonly string[]): string {
  return new Intl.ListFormat('en', { type: 'conjunction' }).format(names);
}
