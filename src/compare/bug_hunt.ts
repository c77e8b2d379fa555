/**
 * Blind mode: a fault is drawn by seed and put into a model, and whoever hunts it sees nothing but what that engine computed.
 * They get traces, as they would of a stranger's engine: names, ops and manifest are a healthy run's, so that nothing
 * but the numbers tells. In the end they submit a suspect, and get a score and the shortest path that would have found it.
 */
import { fault, faultNamed, faults } from '../engine/faults/index.ts';
import type { Model } from '../engine/model.ts';
import type { Run } from '../engine/run.ts';
import { mulberry32 } from '../engine/sampler.ts';
import type { TokenizeOptions } from '../engine/transforms/transform.ts';
import { mustGoOn, type Watched, watchedBy } from '../engine/watched.ts';
import { UsageError } from '../errors.ts';
import type { Params } from '../ops/op.ts';
import type { Watch } from '../platform.ts';
import { RowTrace, type Trace, type TraceRow } from '../trace/trace.ts';
import { measure } from './measure.ts';
import { type ProbeName, pairAt, probeNamed, probeRuns, probeTokens, runOf, showsOf } from './probes.ts';

/** easy: a single token shows it in the logits. hard: a single token does not; a longer text does. */
export type HuntLevel = 'easy' | 'hard';

const LEVELS: readonly HuntLevel[] = ['easy', 'hard'];

export interface HuntOptions extends Watch {
  readonly model: Model;
  /** A whole number; of the same model and level it draws the same fault on every machine. */
  readonly seed: number;
  /** Default 'easy'. */
  readonly level?: HuntLevel;
}

export interface HuntTraceOptions extends Watch, TokenizeOptions {
  /** How many of the last tokens to run one by one, from the cache. Default 0: all in one pass. */
  readonly decode?: number;
}

/** Where a fault is said to be; what is left out is all layers, or all heads. */
export interface Suspicion {
  readonly layer?: number;
  readonly head?: number;
}

/** The cheapest probe that shows the fault, and the first tensor that does. */
interface Path {
  readonly probe: ProbeName;
  readonly tensor: string;
  readonly relativeRmsError: number;
}

interface Drawn {
  readonly name: string;
  readonly params: Params;
  readonly broken: Model;
  readonly path: Path;
}

/** A fault that shows less than this at its first tensor is left out: a hunt is no test of eyesight. */
const FAINT = 1e-2;

/**
 * Draws a fault that shows in this model, with a layer and sometimes a head, and gives the hunt for it. The model stays as it
 * is. Throws UsageError for a seed or a level that there is not, or where no fault of that level shows, InterruptedError
 * where it is stopped.
 */
export async function bugHunt({ model, seed, level = 'easy', signal, onProgress }: HuntOptions): Promise<BugHunt> {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new UsageError(
      `Cannot begin a bug hunt: there is no seed ${seed}; wanted a whole number, 0 to ${2 ** 32 - 1}`,
    );
  }
  if (!LEVELS.includes(level)) {
    throw new UsageError(
      `Cannot begin a bug hunt: there is no level ${JSON.stringify(level)}; wanted ${LEVELS.join(' or ')}`,
    );
  }
  const bench = new HuntBench(model, watchedBy(model.platform, { signal, onProgress }), signal);
  try {
    const drawn = await draw(model, seed, level, bench);
    return new BugHunt(model, seed, level, drawn);
  } finally {
    bench.close();
  }
}

/** Faults in an order that the seed gives, each with a place; the first that the model can have and that fits the level. */
async function draw(model: Model, seed: number, level: HuntLevel, bench: HuntBench): Promise<Drawn> {
  const random = mulberry32(seed);
  const { nLayer, nHead } = model.config;
  const shuffled = hidable.map((each) => ({ each, at: random() })).sort((a, b) => a.at - b.at);
  for (const [i, { each }] of shuffled.entries()) {
    const [layer, isInHead, head] = [random(), random() < 0.5, random()];
    const params: Params = {
      ...(each.params.layer ? { layer: Math.floor(layer * nLayer) } : {}),
      ...(each.params.head && isInHead ? { head: Math.floor(head * nHead) } : {}),
    };
    const broken = putInto(model, each.name, params);
    const path = broken && (await bench.shortestPath(broken, level));
    bench.tried(i + 1, shuffled.length);
    if (broken && path) return { name: each.name, params, broken, path };
  }
  throw new UsageError(
    `Cannot begin a bug hunt: no fault of level ${level} shows in ${model.name}; try the other level, or another model`,
  );
}

/** Those of the prompt would be read off the token ids. */
const hidable = faults.filter(({ changes }) => changes);

/** The model with the fault; null where it cannot have it. */
function putInto(model: Model, name: string, params: Params): Model | null {
  try {
    return model.with(fault(name, params));
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
}

/** Runs probes of broken models beside those of the healthy one, which are made once. */
class HuntBench {
  readonly #model: Model;
  readonly #watched: Watched;
  readonly #signal: AbortSignal | undefined;
  readonly #healthy = new Map<ProbeName, Run>();

  constructor(model: Model, watched: Watched, signal: AbortSignal | undefined) {
    this.#model = model;
    this.#watched = watched;
    this.#signal = signal;
  }

  /** The first probe that shows the fault; null where none does, or where the fault is not of that level. */
  async shortestPath(broken: Model, level: HuntLevel): Promise<Path | null> {
    for (const { name, onPage } of probeRuns) {
      const path = await this.#path(broken, name);
      if (onPage === 'oneToken' && (path !== null) !== (level === 'easy')) return null;
      if (path) return path;
    }
    return null;
  }

  async #path(broken: Model, probe: ProbeName): Promise<Path | null> {
    mustGoOn(this.#watched.stop, 'begin a bug hunt', 'call it again');
    const passes = passesOf(this.#model, probe);
    const healthy = this.#healthy.get(probe) ?? (await runOf(this.#model, passes, { signal: this.#signal }));
    this.#healthy.set(probe, healthy);
    const faulty = await runOf(broken, passes, { signal: this.#signal });
    try {
      const { first, effect } = await showsOf(faulty, healthy);
      if (!first || effect !== 'seen') return null;
      const { relativeRmsError } = measure(await pairAt(first, faulty, healthy)).measure;
      return relativeRmsError < FAINT ? null : { probe, tensor: first.name, relativeRmsError };
    } finally {
      faulty.close();
    }
  }

  tried(done: number, total: number): void {
    this.#watched.onProgress?.({ task: 'hiding a bug', item: `${done} tried`, done, total, unit: 'faults' });
  }

  close(): void {
    for (const run of this.#healthy.values()) run.close();
  }
}

function passesOf(model: Model, probe: ProbeName): readonly (readonly number[])[] {
  return probeNamed(probe).passes(probeTokens(model), model.tokenizer.bos ?? 0);
}

/** A hunt under way. What was drawn is kept where neither printing nor JSON finds it. */
export class BugHunt {
  readonly seed: number;
  readonly level: HuntLevel;
  /** The broken engine, that looks like a healthy one: its runs can be stepped through and drawn as any other's. */
  readonly engine: Model;
  readonly #model: Model;
  readonly #drawn: Drawn;
  readonly #counted = new Set<string>();
  #texts = 0;

  constructor(model: Model, seed: number, level: HuntLevel, drawn: Drawn) {
    this.seed = seed;
    this.level = level;
    this.engine = drawn.broken.seenAs(model);
    this.#model = model;
    this.#drawn = drawn;
  }

  /** How many texts the broken engine was given so far. */
  get texts(): number {
    return this.#texts;
  }

  /** Every fault that could have been drawn, of either level: what `submit` takes, and what each is. */
  get suspects(): readonly { readonly name: string; readonly title: string }[] {
    return hidable
      .filter(({ name }) => putInto(this.#model, name, {}) !== null)
      .map(({ name, title }) => ({ name, title }));
  }

  /**
   * What the broken engine computes of a text or of token ids, every tensor with its values. Throws UsageError where more
   * tokens are to be decoded than follow the first, InterruptedError where it is stopped.
   */
  async trace(input: string | readonly number[], options: HuntTraceOptions = {}): Promise<Trace> {
    const { decode = 0, signal, onProgress, ...how } = options;
    const tokens = typeof input === 'string' ? this.#model.tokenize(input, how) : [...input];
    if (!Number.isInteger(decode) || decode < 0 || (decode > 0 && decode >= tokens.length)) {
      throw new UsageError(
        `Cannot decode ${decode} of ${tokens.length} tokens: wanted a whole number, and at least one token before them`,
      );
    }
    const prompt = tokens.slice(0, tokens.length - decode);
    const passes = [prompt, ...tokens.slice(prompt.length).map((token) => [token])];
    const run = await runOf(this.engine, passes, { signal, onProgress });
    try {
      this.#texts++;
      return await this.#copied(run, typeof input === 'string' ? input : undefined);
    } finally {
      run.close();
    }
  }

  /** Counts a text that `engine` was given; one of the same key counts once. */
  countText(key: string): void {
    if (this.#counted.has(key)) return;
    this.#counted.add(key);
    this.#texts++;
  }

  /** The run's numbers as a trace that outlives it. */
  async #copied({ trace, tokens }: Run, prompt: string | undefined): Promise<Trace> {
    const values = new Map<TraceRow, Float32Array>();
    for (const row of trace.entries) {
      const { data } = await trace.tensor(row.name, { pass: row.pass });
      // Whether the run has the values would be asked of it when it is gone.
      values.set({ ...row }, data);
    }
    const { plan: _plan, ...manifest } = this.#model.manifest(tokens, prompt === undefined ? {} : { prompt });
    return new RowTrace({
      manifest: { ...manifest, hunt: { seed: this.seed, level: this.level } },
      entries: [...values.keys()],
      values: async (row) => values.get(row) ?? new Float32Array(),
      source: `the broken engine of bug hunt ${this.seed}`,
    });
  }

  /**
   * Names a suspect, and ends the guessing: the result tells what it was. Throws UsageError where there is no fault of that
   * name, or none in such a layer or head.
   */
  async submit(name: string, suspicion: Suspicion = {}): Promise<HuntResult> {
    const { name: drawn, params, path } = this.#drawn;
    // Refuses what no model has, and what this one cannot have.
    this.#model.with(fault(name, { ...suspicion }));
    const isPlace = (what: 'layer' | 'head') => (suspicion[what] ?? null) === (params[what] ?? null);
    return new HuntResult({
      ...{ submitted: { name, ...suspicion }, drawn: { name: drawn, ...params }, path, texts: this.#texts },
      ...{ isFault: name === drawn, isLayer: isPlace('layer'), isHead: isPlace('head') },
    });
  }

  /** `Bug hunt 7, hard: somewhere in lily.gguf is a fault; 2 texts tried` */
  toString(): string {
    const texts = `${this.#texts} ${this.#texts === 1 ? 'text' : 'texts'} tried`;
    return `Bug hunt ${this.seed}, ${this.level}: somewhere in ${this.#model.name.replace(/^.*[\\/]/, '')} is a fault; ${texts}`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** Points, 100 in all. */
const POINTS = { fault: 60, layer: 20, head: 10, thrift: 10 } as const;
/** Texts that cost nothing: one that shows the fault, and one to make sure. Each more costs two points of the thrift's. */
const FREE_TEXTS = 2;
const POINTS_PER_TEXT = 2;

type Place = { readonly name: string } & Params;

interface HuntResultParts {
  readonly submitted: Place;
  /** What it was. */
  readonly drawn: Place;
  readonly isFault: boolean;
  readonly isLayer: boolean;
  readonly isHead: boolean;
  readonly texts: number;
  readonly path: Path;
}

/** What `submit` gives. Plain data but for how it prints. */
export class HuntResult implements HuntResultParts {
  readonly submitted: Place;
  readonly drawn: Place;
  readonly isFault: boolean;
  readonly isLayer: boolean;
  readonly isHead: boolean;
  readonly texts: number;
  readonly path: Path;
  /** Of 100: 60 for the fault; and with it 20 for the layer, 10 for the head, 10 for few texts. */
  readonly score: number;

  constructor(parts: HuntResultParts) {
    this.submitted = parts.submitted;
    this.drawn = parts.drawn;
    this.isFault = parts.isFault;
    this.isLayer = parts.isLayer;
    this.isHead = parts.isHead;
    this.texts = parts.texts;
    this.path = parts.path;
    this.score = scoreOf(parts);
  }

  /** What was right, what it was, and the path, in lines. */
  toString(): string {
    const { score, submitted, drawn, isFault, isLayer, isHead, texts, path } = this;
    const right = (is: boolean) => (is ? 'right' : 'not right');
    const off = Number.isFinite(path.relativeRmsError)
      ? `off by ${Number((100 * path.relativeRmsError).toPrecision(2))} %`
      : 'not finite';
    return [
      `${score} of 100 for ${placeText(submitted)}, after ${texts} ${texts === 1 ? 'text' : 'texts'}`,
      `Fault ${right(isFault)}, layer ${right(isLayer)}, head ${right(isHead)}`,
      `It was ${placeText(drawn)}: ${faultNamed(drawn.name).title}`,
      `Shortest path: ${path.probe} → ${path.tensor}, the first tensor that differs, ${off} → ${drawn.name}`,
    ].join('\n');
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** Where the fault is wrong, a layer may still be right: half of the work is finding the place. */
function scoreOf({ isFault, isLayer, isHead, texts }: HuntResultParts): number {
  const layer = isLayer ? POINTS.layer : 0;
  if (!isFault) return layer;
  const thrift = Math.max(0, POINTS.thrift - POINTS_PER_TEXT * Math.max(0, texts - FREE_TEXTS));
  return POINTS.fault + layer + (isHead ? POINTS.head : 0) + thrift;
}

/** `rope-pairing in layer 3, head 2` */
function placeText({ name, layer, head }: Place): string {
  const where = [...(layer === undefined ? [] : [`layer ${layer}`]), ...(head === undefined ? [] : [`head ${head}`])];
  return where.length > 0 ? `${name} in ${where.join(', ')}` : name;
}
