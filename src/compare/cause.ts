/**
 * Which fault made the first divergence: its op is run on the recorded inputs, healthy and with every fault that can touch it.
 * Where one reproduces the record, and healthy and all others miss it by ten times or more, that is the cause. Those that fit
 * are then held against the rest of the trace: a fault of all layers must be seen in all of them, one of RoPE in the keys too,
 * and nowhere may the record be what a healthy engine gives and the faulty one does not.
 *
 * In a trial the right RoPE fault reproduced the output to 3e-4, the noise of the recording; the nearest wrong one missed by 0.21.
 */
import { faultNamed } from '../engine/faults/index.ts';
import type { Model } from '../engine/model.ts';
import { mustGoOn, type Watched } from '../engine/watched.ts';
import { short } from '../trace/plain_text.ts';
import type { TraceRow } from '../trace/trace.ts';
import type { Cause, Divergence, Suspect } from './comparison.ts';
import { type Evidence, type Miss, reproduces } from './evidence.ts';
import type { Recorded } from './isolation.ts';
import { sumSuspicion } from './sum_suspicion.ts';
import { changing, computationOf, type Faulty, faultyModel, faultyModels, suspectsAt } from './suspects.ts';

/** How many times nearer than all others the cause must come. */
const CLEARLY = 10;

/** Of the faults that miss, how many are tried two by two: the nearest ones. */
const PAIRED = 8;

/** Tensors at which a fault that fits is held against the rest of the trace. */
const CORROBORATED = 24;

/** A share of the heads up to which a divergence is that of single heads. */
const FEW_HEADS = 0.5;

/** Suspects that compute a tensor alike, or two by two, and how far they stay from the record. */
interface Tried extends Miss {
  readonly faulty: readonly Faulty[];
  readonly also: Suspect | null;
}

/** What the rest of the trace says of a suspect. */
interface Standing extends Faulty {
  readonly tried: Tried;
  /** Tensors that it reproduces and a healthy engine does not. */
  readonly explains: number;
  /** Tensors that a healthy engine reproduces and it does not. */
  readonly contradicted: number;
}

/** Whose ops are run, and what each side's record says of them. */
export interface CauseSearch {
  readonly model: Model;
  readonly evidenceOf: (side: 'ours' | 'reference') => Promise<Evidence>;
  readonly watched: Watched;
}

/**
 * The cause of a comparison's divergence, be it ours or the reference that made it. Null where no fault reproduces it: then it is
 * none of those we know, or the noise of the recording hides which. Throws InterruptedError where it is stopped.
 */
export async function causeOf(
  divergence: Divergence,
  sides: { readonly ours: Recorded; readonly reference: Recorded },
  { model, evidenceOf, watched }: CauseSearch,
): Promise<Cause | null> {
  const healthy = model.untransformed;
  const evidence = await evidenceOf(divergence.isolation?.madeBy === 'reference' ? 'reference' : 'ours');
  const from = evidence.rows.findIndex(({ name, pass }) => name === divergence.name && pass === divergence.pass);
  if (from < 0) return divergence.isolation ? null : sumSuspicion(divergence, sides, healthy, watched);
  const cause = await new Hunt(evidence, healthy, watched).causeFrom(from);
  const isFirst = cause?.at.name === divergence.name && cause.at.pass === divergence.pass;
  if (!cause || isFirst) return cause;
  const { products, others } = evidence.noise;
  const noise = `; what parts before ${cause.at.name} is no more than the noise of the recording, ${short(Math.max(products, others))}`;
  return { ...cause, sentence: `${cause.sentence}${noise}` };
}

class Hunt {
  readonly #evidence: Evidence;
  readonly #healthy: Model;
  readonly #watched: Watched;
  /** How far a healthy engine stays from the record, by name and pass. */
  readonly #misses = new Map<string, Miss | null>();

  constructor(evidence: Evidence, healthy: Model, watched: Watched) {
    this.#evidence = evidence;
    this.#healthy = healthy;
    this.#watched = watched;
  }

  /** The first row from there on that noise does not explain, and what made it. */
  async causeFrom(from: number): Promise<Cause | null> {
    for (const row of this.#evidence.rows.slice(from)) {
      const miss = await this.#healthyMiss(row);
      if (miss && !reproduces(miss)) return this.#causeAt(row, miss);
    }
    return null;
  }

  async #healthyMiss(row: TraceRow): Promise<Miss | null> {
    const key = `${row.name} ${row.pass}`;
    const known = this.#misses.get(key);
    if (known !== undefined) return known;
    this.#goOn(row);
    const miss = await this.#evidence.missOf(this.#healthy, row);
    this.#misses.set(key, miss);
    return miss;
  }

  async #causeAt(row: TraceRow, healthy: Miss): Promise<Cause | null> {
    const scene = {
      config: this.#healthy.config,
      layer: row.layer,
      heads: headsThatMiss(healthy),
      pos0: row.pos0,
    };
    const all = faultyModels(this.#healthy, suspectsAt(scene));
    const tried: Tried[] = [];
    for (const faulty of changing(row.name, this.#healthy, this.#evidence.known, all)) {
      tried.push(await this.#try(row, faulty, null, healthy));
    }
    let fits = tried.filter(reproduces);
    if (fits.length === 0) {
      const pairs = await this.#tryPairs(row, tried, healthy);
      fits = pairs.filter(reproduces);
      tried.push(...pairs);
    }
    if (fits.length === 0) return this.#unwrittenEnd(row, healthy);
    const standings = await this.#standings(fits);
    const least = Math.min(...standings.map(({ contradicted }) => contradicted));
    const spared = standings.filter(({ contradicted }) => contradicted === least);
    const most = Math.max(...spared.map(({ explains }) => explains));
    const [best, ...others] = spared
      .filter(({ explains }) => explains === most)
      .sort((a, b) => a.tried.error - b.tried.error || narrowness(a.suspect) - narrowness(b.suspect));
    return best ? this.#judge(row, { best, others, tried, healthy, isContradicted: least > 0 }) : null;
  }

  /** The noise of its own is asked of those alone that come near. */
  async #try(row: TraceRow, faulty: readonly Faulty[], also: Suspect | null, healthy: Miss): Promise<Tried> {
    this.#goOn(row);
    const { model } = faulty[0] as Faulty;
    const found = await this.#evidence.errorOf(model, row);
    if (!found) return { faulty, also, error: Number.POSITIVE_INFINITY, noise: 0, byHead: null };
    const isNear = found.error < healthy.error;
    return { faulty, also, ...found, noise: isNear ? await this.#evidence.noiseOf(model, row) : 0 };
  }

  async #tryPairs(row: TraceRow, tried: readonly Tried[], healthy: Miss): Promise<Tried[]> {
    const nearest = [...tried].sort((a, b) => a.error - b.error).slice(0, PAIRED);
    const pairs: Tried[] = [];
    for (const [i, one] of nearest.entries()) {
      for (const other of nearest.slice(i + 1)) {
        const [first, second] = [one.faulty[0] as Faulty, other.faulty[0] as Faulty];
        const model = faultyModel(first.model, second.suspect);
        if (!model) continue;
        pairs.push(await this.#try(row, [{ suspect: first.suspect, model }], second.suspect, healthy));
      }
    }
    return pairs;
  }

  async #standings(fits: readonly Tried[]): Promise<Standing[]> {
    const standings: Standing[] = [];
    for (const tried of fits) {
      for (const faulty of tried.faulty) standings.push({ ...faulty, tried, ...(await this.#elsewhere(faulty)) });
    }
    return standings;
  }

  /** What a suspect is seen to do at the tensors that it changes. */
  async #elsewhere({ suspect, model }: Faulty): Promise<{ explains: number; contradicted: number }> {
    const { known, rows } = this.#evidence;
    const text = (of: Model, name: string, fault: Suspect | null) => computationOf(of, name, known, fault);
    const names = [...known].filter((name) => text(this.#healthy, name, null) !== text(model, name, suspect));
    const touched = rows.filter(({ name }) => names.includes(name)).slice(0, CORROBORATED);
    const found = { explains: 0, contradicted: 0 };
    for (const row of touched) {
      const without = await this.#healthyMiss(row);
      const miss = await this.#evidence.missOf(model, row);
      if (!without || !miss) continue;
      if (reproduces(miss) && !reproduces(without)) found.explains++;
      if (!reproduces(miss) && reproduces(without)) found.contradicted++;
    }
    return found;
  }

  #judge(
    row: TraceRow,
    found: {
      readonly best: Standing;
      readonly others: readonly Standing[];
      readonly tried: readonly Tried[];
      readonly healthy: Miss;
      readonly isContradicted: boolean;
    },
  ): Cause {
    const { best, others, tried, healthy, isContradicted } = found;
    const { error, noise } = best.tried;
    const clear = CLEARLY * Math.max(error, noise);
    const missed = tried.filter((each) => !reproduces(each));
    const near = missed.filter((each) => each.error < clear).map(({ faulty }) => (faulty[0] as Faulty).suspect);
    const ties = distinct([...others.map(({ suspect }) => suspect), ...near], best.suspect);
    const isHealthyNear = healthy.error < clear;
    const next = nextBest(
      missed.filter((each) => each.error >= clear),
      healthy,
    );
    const certainty = isContradicted || isHealthyNear ? 'suspected' : ties.length > 0 ? 'tied' : 'named';
    const cause = {
      ...best.suspect,
      also: best.tried.also,
      at: { name: row.name, pass: row.pass },
      reproducedTo: error,
      nextBest: next,
      ties,
      certainty,
    } as const;
    const doubts = [
      ...(isContradicted
        ? ['elsewhere in the trace the record is what a healthy engine gives and this fault does not']
        : []),
      ...(isHealthyNear ? [`a healthy op misses by no more than ${short(healthy.error)}`] : []),
    ];
    return { ...cause, sentence: sentenceOf(cause, this.#evidence.label, doubts) };
  }

  /** A record that is healthy up to somewhere and nothing like it from there on: memory that nobody wrote to. */
  async #unwrittenEnd(row: TraceRow, healthy: Miss): Promise<Cause | null> {
    const stem = row.name.replace(/-\d+$/, '');
    if (!faultNamed(UNWRITTEN).params.tensor?.choices?.includes(stem)) return null;
    const share = await this.#evidence.wrongEnd(this.#healthy, row, healthy.noise);
    if (share === null) return null;
    const params = { tensor: stem, share, ...(row.layer === null ? {} : { layer: row.layer }) };
    const at = { name: row.name, pass: row.pass };
    const written = short(100 * (1 - share));
    return {
      ...{ fault: UNWRITTEN, params, also: null, at, reproducedTo: healthy.noise, ties: [], certainty: 'suspected' },
      nextBest: { what: 'healthy', error: healthy.error },
      sentence:
        `${faultNamed(UNWRITTEN).title}: the first ${written} % of ${row.name} are what a healthy engine gives and the rest is nothing ` +
        'like it, as where a kernel stops too early; what lay in that memory cannot be computed, so this is no proof',
    };
  }

  #goOn({ name }: TraceRow): void {
    mustGoOn(this.#watched.stop, 'look for the cause', 'compare again, or with cause: false');
    this.#watched.onProgress?.({
      task: 'looking for the cause',
      item: name,
      done: this.#misses.size,
      total: this.#evidence.rows.length,
      unit: 'ops',
    });
  }
}

const UNWRITTEN = 'stale-buffer';

/** Heads that are off where most are not. */
function headsThatMiss({ byHead, noise }: Miss): number[] {
  if (!byHead) return [];
  const heads = byHead.flatMap((error, head) => (reproduces({ error, noise, byHead }) ? [] : [head]));
  return heads.length <= FEW_HEADS * byHead.length ? heads : [];
}

/** Of two that fit alike, the one that says less of where: all layers before one. */
function narrowness({ params }: Suspect): number {
  return Object.keys(params).length;
}

/** Each once, and none that is the best under other words: the same fault in one layer of the one that is recorded. */
function distinct(suspects: readonly Suspect[], best: Suspect): Suspect[] {
  const own = ({ fault, params: { layer, ...rest } }: Suspect) => JSON.stringify([fault, Object.entries(rest).sort()]);
  const found = new Map<string, Suspect>();
  for (const suspect of suspects) {
    const key = own(suspect);
    if (key !== own(best) && !found.has(key)) found.set(key, suspect);
  }
  return [...found.values()];
}

function nextBest(missed: readonly Tried[], healthy: Miss): Cause['nextBest'] {
  const next = missed.reduce<Tried | null>((least, each) => (least && least.error <= each.error ? least : each), null);
  if (!next || healthy.error <= next.error) return { what: 'healthy', error: healthy.error };
  const { suspect } = next.faulty[0] as Faulty;
  return { what: suspectText(suspect), error: next.error };
}

/** `rope-base (layer 3, base 500000)` */
function suspectText({ fault, params }: Suspect): string {
  const small = (value: unknown) => typeof value === 'number' && value > 0 && value < 1e-3;
  const said = Object.entries(params).map(([name, value]) => {
    return `${name} ${small(value) ? Number(value).toExponential() : value}`;
  });
  return said.length === 0 ? fault : `${fault} (${said.join(', ')})`;
}

function sentenceOf(cause: Omit<Cause, 'sentence'>, label: string, doubts: readonly string[]): string {
  const { also, at, reproducedTo, nextBest: next, ties } = cause;
  const title = faultNamed(cause.fault).title;
  const second = also ? `, and ${suspectText(also)} with it` : '';
  const others = next ? `, every other candidate ≥ ${short(next.error)} (${next.what})` : '';
  const tied =
    ties.length === 0 ? '' : `; on these inputs it cannot be told apart from ${ties.map(suspectText).join(', ')}`;
  const doubted = doubts.length === 0 ? '' : `; yet ${doubts.join(', and ')}`;
  return (
    `${title}: ${suspectText(cause)}${second}, on the inputs of ${label}, reproduces ${at.name} to ${short(reproducedTo)}` +
    `${others}${tied}${doubted}`
  );
}
