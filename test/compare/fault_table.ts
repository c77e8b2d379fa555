/**
 * The table of every fault × every probe, in the shipped model and in one of odd sizes, in whatever part of the model the fault
 * takes: its cells, a slice of them in which every two properties meet, and what two runs of a cell show bit by bit, which is the
 * truth that `compare` and the eliminator are held against.
 */
import { type ProbeName, probeNamed, probeRuns, probeTokens, runOf } from '../../src/compare/probes.ts';
import { type Fault, fault, faults, type Probe } from '../../src/engine/faults/index.ts';
import type { Model } from '../../src/engine/model.ts';
import type { Run } from '../../src/engine/run.ts';
import { openModel } from '../../src/node/index.ts';
import type { Params } from '../../src/ops/op.ts';
import type { TraceRow } from '../../src/trace/trace.ts';
import { backends, openRandom } from '../engine/models.ts';
import { seeded } from '../seeded.ts';

/** The model that the fault is put into. */
export type Home = 'shipped' | 'odd';
/** How much of it. */
export type Reach = 'all of it' | 'a layer' | 'a head' | 'a head of a layer';

export interface Cell {
  readonly found: Fault;
  readonly home: Home;
  readonly probe: ProbeName;
  readonly reach: Reach;
  readonly params: Params;
}

/** Six query heads of 18 dimensions share two KV heads, and nothing is a multiple of a workgroup. */
const ODD = { nLayer: 3, nEmbd: 83, nHead: 6, nHeadKv: 2, headDim: 18, nFf: 101, nVocab: 331, nCtx: 128 };
/** Rows of Q4_0 are whole blocks of 32. */
const ODD_IN_BLOCKS = { ...ODD, nEmbd: 96, nFf: 160, type: 'Q4_0' } as const;

/** What some faults need; the others go into any model. */
const NEEDS: Readonly<Record<string, 'ropeFreqs' | 'tied' | 'Q4_0'>> = {
  'rope-scaling-ignored': 'ropeFreqs',
  'tied-embedding-ignored': 'tied',
  'nibbles-swapped': 'Q4_0',
};

/** What no file of that home has. */
const LACKS: Readonly<Record<Home, readonly string[]>> = { shipped: ['ropeFreqs', 'tied'], odd: [] };

const opened = new Map<string, Promise<Model>>();

/** The model of a home that can have the fault. */
export function modelFor({ home, found: { name } }: Pick<Cell, 'home' | 'found'>): Promise<Model> {
  return modelOf(home, NEEDS[name]);
}

/** Opened once. */
export function modelOf(home: Home, need?: (typeof NEEDS)[string]): Promise<Model> {
  const key = `${home} ${need}`;
  const model = opened.get(key) ?? open(home, need);
  opened.set(key, model);
  return model;
}

function open(home: Home, need: (typeof NEEDS)[string] | undefined): Promise<Model> {
  if (home === 'shipped') {
    const file = `../../fixtures/lily-4m-${need === 'Q4_0' ? 'q4_0' : 'q8_0'}.gguf`;
    return openModel(new URL(file, import.meta.url).pathname, { backend: backends[0] });
  }
  return openRandom('reference', need === 'Q4_0' ? ODD_IN_BLOCKS : { ...ODD, ...(need ? { [need]: true } : {}) });
}

/** Sizes that decide what can be put where. */
const SIZES: Readonly<Record<Home, { nLayer: number; nHead: number; nHeadKv: number }>> = {
  shipped: { nLayer: 6, nHead: 8, nHeadKv: 2 },
  odd: ODD,
};

const REACHES: readonly Reach[] = ['all of it', 'a layer', 'a head', 'a head of a layer'];

/** Every cell that can be: a layer and a head drawn by a seed, every choice that the fault has. */
export function cellsOf(): Cell[] {
  const random = seeded(481);
  return faults
    .filter(({ changes }) => changes)
    .flatMap((found) =>
      (['shipped', 'odd'] as const)
        .filter((home) => !LACKS[home].includes(NEEDS[found.name] ?? ''))
        .flatMap((home) =>
          variantsOf(found, home, random).flatMap(([reach, params]) =>
            probeRuns.map(({ name }) => ({ found, home, probe: name, reach, params })),
          ),
        ),
    );
}

function variantsOf({ name, params }: Fault, home: Home, random: () => number): [Reach, Params][] {
  const { nLayer, nHead } = SIZES[home];
  // No layer before the first has a cache to read in its stead.
  const layer = 1 + Math.floor(random() * (nLayer - 1));
  const head = name === 'gqa-tiled' ? headThatMoves(home, random) : Math.floor(random() * nHead);
  const choices = Object.entries(params).flatMap(([param, rule]) =>
    rule.choices ? [rule.choices.map((value): Params => ({ [param]: value }))] : [],
  );
  const sets = choices.reduce<Params[]>(
    (all, each) => all.flatMap((set) => each.map((one) => ({ ...set, ...one }))),
    [{}],
  );
  return REACHES.flatMap((reach) => {
    const [inLayer, inHead] = [/layer/.test(reach), /head/.test(reach)];
    if ((inLayer && !params.layer) || (inHead && !params.head)) return [];
    return sets
      .filter((set) => !(inHead && name === 'rope-missing' && set.of === 'k'))
      .map((set): [Reach, Params] => [reach, { ...set, ...(inLayer ? { layer } : {}), ...(inHead ? { head } : {}) }]);
  });
}

/** One that reads another KV head where they are tiled. */
function headThatMoves(home: Home, random: () => number): number {
  const { nHead, nHeadKv } = SIZES[home];
  const moved = Array.from({ length: nHead }, (_, head) => head).filter(
    (head) => head % nHeadKv !== Math.floor(head / (nHead / nHeadKv)),
  );
  return moved[Math.floor(random() * moved.length)] as number;
}

/** Cells in an order drawn by a seed, as many as it takes for every two properties that meet in some cell to meet in one of these. */
export function sliceOf(cells: readonly Cell[], seed: number): Cell[] {
  const random = seeded(seed);
  const drawn = cells.map((cell) => ({ cell, at: random() })).sort((a, b) => a.at - b.at);
  const met = new Set<string>();
  return drawn.flatMap(({ cell }) => {
    const { found, home, probe, reach } = cell;
    const properties = [found.name, home, probe, reach];
    const pairs = properties.flatMap((one, i) => properties.slice(i + 1).map((other) => `${one}, ${other}`));
    const isNew = pairs.some((pair) => !met.has(pair));
    for (const pair of pairs) met.add(pair);
    return isNew ? [cell] : [];
  });
}

/** What a page calls the earliest pass of a probe that shows the fault: a run with a decode has its prefill too. */
export function onPage({ found: { shows }, probe }: Pick<Cell, 'found' | 'probe'>): Probe {
  if (probe === 'one token') return 'oneToken';
  return probe === 'prefill of 7 + decode' && shows.prefill === 'no effect' ? 'decode' : 'prefill';
}

/** Two finished runs of a cell; close `faulty`. */
export interface Shown {
  readonly model: Model;
  readonly faulty: Run;
  readonly healthy: Run;
  /** The first tensor whose bits differ; null where none do. */
  readonly first: TraceRow | null;
  /** The first that holds other NaN or infinities than it should; null where none does. */
  readonly broken: TraceRow | null;
}

const healthyRuns = new Map<string, Promise<Run>>();

export async function shownBy(cell: Cell): Promise<Shown> {
  const { found, home, probe, params } = cell;
  const model = await modelFor(cell);
  const passes = probeNamed(probe).passes(probeTokens(model), model.tokenizer.bos as number);
  const key = `${home} ${NEEDS[found.name]} ${probe}`;
  const made = healthyRuns.get(key) ?? runOf(model, passes, {});
  healthyRuns.set(key, made);
  const [faulty, healthy] = [await runOf(model.with(fault(found.name, params)), passes, {}), await made];
  const theirs = new Map(faulty.trace.entries.map(({ name, pass, statistics }) => [`${name} ${pass}`, statistics]));
  const firstWhere = (differs: (a: TraceRow['statistics'], b: TraceRow['statistics']) => boolean) =>
    healthy.trace.entries.find(({ name, pass, statistics }) => {
      return differs(theirs.get(`${name} ${pass}`) as TraceRow['statistics'], statistics);
    }) ?? null;
  return {
    ...{ model, faulty, healthy },
    first: firstWhere((a, b) => a.hash64 !== b.hash64),
    broken: firstWhere((a, b) => a.nanCount !== b.nanCount || a.infCount !== b.infCount),
  };
}
