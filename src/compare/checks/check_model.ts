/**
 * Every check on a model: a few short runs on its own backend. The model is not touched, whatever happens: what a check
 * changes, it changes in a model made with transforms, and every run is closed.
 */
import type { Model } from '../../engine/model.ts';
import type { Run } from '../../engine/run.ts';
import { type Watched, watchedBy } from '../../engine/watched.ts';
import { StepError } from '../../errors.ts';
import type { Progress, Watch } from '../../platform.ts';
import type { CheckReport, CheckResult, Experiment, RunsCheck } from './check.ts';
import { Findings } from './findings.ts';
import { checks } from './index.ts';
import { prefillDecode } from './prefill_decode.ts';
import { couldNot, layersText, reportOf, resultOf } from './result.ts';
import { Subject } from './subject.ts';

export interface CheckModelOptions extends Watch {
  /** The prompt's token ids. Default: eight, BOS first, some of them twice. */
  readonly tokens?: readonly number[];
  /** Bytes of values that each run may keep; where all layers' take more, some layers are left out, and that is said. Default 256 MB. */
  readonly budget?: number;
}

const BUDGET = 256e6;

/** A run's pages hold more than its values: they are padded, and those of a decode step are padded each. */
const ROOM = 4;

/**
 * Runs all checks. Throws UsageError where the tokens are none of the model's, InterruptedError where it is stopped.
 */
export async function checkModel(model: Model, options: CheckModelOptions = {}): Promise<CheckReport> {
  const { tokens = shortPrompt(model), budget = BUDGET, signal, onProgress } = options;
  model.checkTokens(tokens);
  const chosen = sampledLayers(model, tokens, budget);
  const others = new Map(runsChecks.map((check) => [check, check.other(tokens, model.config)]));
  const bench = new Bench(model, chosen, budget, { signal, onProgress }, [{ tokens }, ...others.values()]);
  const results: CheckResult[] = [];
  const base = await bench.run({ tokens });
  try {
    for (const [check, experiment] of others) {
      const other = await bench.tryRun(experiment);
      try {
        results.push(typeof other === 'string' ? couldNot(check, other) : await compared(check, base, other, bench));
        // The run in several passes is looked at by itself too: it holds a prefill and decode steps.
        if (check === prefillDecode) results.push(...(await looked(typeof other === 'string' ? base : other, bench)));
      } finally {
        if (typeof other !== 'string') other.close();
      }
    }
  } finally {
    base.close();
  }
  // A model has every tensor: what was left out, no dump would bring.
  const inOrder = checks.flatMap(({ name }) => results.filter((result) => result.name === name));
  return reportOf(
    `${model.name} on ${model.backend.name}`,
    tokens,
    chosen.says,
    inOrder.map((result) => ({ ...result, dump: null })),
  );
}

const runsChecks = checks.filter((check): check is RunsCheck => check.kind === 'runs');

async function compared(check: RunsCheck, base: Run, other: Run, bench: Bench): Promise<CheckResult> {
  const findings = new Findings();
  await check.look(bench.subject(base), bench.subject(other), findings);
  bench.checked(check.name);
  return resultOf(check, findings);
}

/** What the checks of one trace say. */
async function looked(run: Run, bench: Bench): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of checks) {
    if (check.kind !== 'trace') continue;
    const findings = new Findings();
    await check.look(bench.subject(run), findings);
    results.push(resultOf(check, findings));
    bench.checked(check.name);
  }
  return results;
}

/**
 * Eight tokens: BOS where the model begins with it, then some, of which three come twice: one of them first and last among those that
 * are decoded one by one, for a position that is clamped from the prefill on gives equal logits there.
 */
function shortPrompt({ tokenizer: { bos, addBos }, config: { nVocab, nCtx } }: Model): number[] {
  const some = [0.31, 0.57, 0.31, 0.83, 0.44, 0.57, 0.44].map((share) => Math.floor(share * nVocab));
  const first = addBos && bos !== undefined ? bos : Math.floor(0.13 * nVocab);
  return [first, ...some].slice(0, nCtx);
}

interface Sampled {
  readonly layers: readonly number[];
  readonly select: string | readonly string[];
  readonly says: string | null;
}

/** All layers, or as many, evenly over the model with the first and the last, as have room. */
function sampledLayers(model: Model, tokens: readonly number[], budget: number): Sampled {
  const { nLayer } = model.config;
  const all = Array.from({ length: nLayer }, (_, layer) => layer);
  const bytes = (select: string | readonly string[]) => 4 * model.traceSize(tokens, select).values;
  if (bytes('all') <= budget || nLayer <= 2) return { layers: all, select: 'all', says: null };
  let count = nLayer;
  let chosen: Sampled;
  do {
    count--;
    const layers = [
      ...new Set(all.slice(0, count).map((i) => Math.round((i * (nLayer - 1)) / Math.max(1, count - 1)))),
    ];
    const names = model.steps
      .filter(
        ({ name, layer }) =>
          layer === null || layers.includes(layer) || (layers.includes(layer + 1) && name === `l_out-${layer}`),
      )
      .map(({ name }) => name);
    const says = `Looked at ${layersText(layers)} of ${nLayer}: values of all would take ${megabytes(bytes('all'))} MB, more than ${megabytes(budget)}`;
    chosen = { layers, select: names, says };
  } while (count > 2 && bytes(chosen.select) > budget);
  return chosen;
}

const megabytes = (bytes: number): string => `${Number((bytes / 1e6).toPrecision(3))}`;

/** Makes the runs, and tells how far all of it is. */
class Bench {
  readonly #model: Model;
  readonly #chosen: Sampled;
  readonly #budget: number;
  readonly #watch: Watch;
  readonly #watched: Watched;
  readonly #total: number;
  #done = 0;

  constructor(
    model: Model,
    chosen: Sampled,
    budget: number,
    { signal, onProgress }: Watch,
    experiments: readonly (Experiment | string)[],
  ) {
    this.#model = model;
    this.#chosen = chosen;
    this.#budget = budget;
    this.#watched = watchedBy(model.platform, { signal, onProgress });
    const passes = experiments.map((each) => (typeof each === 'string' ? 0 : (each.passes?.length ?? 1)));
    this.#total = passes.reduce((sum, count) => sum + count) * model.steps.length + checks.length;
    this.#watch = { signal, ...(this.#watched.onProgress ? { onProgress: (progress) => this.#tell(progress) } : {}) };
  }

  /** A finished run; close it. What was chosen is kept, whatever that takes. */
  async run({ tokens, passes = [tokens.length], transforms = [] }: Experiment): Promise<Run> {
    const model = this.#model.with(...transforms);
    const { select } = this.#chosen;
    const run = model.start(tokens.slice(0, passes[0]), { select, budget: ROOM * this.#budget });
    try {
      let at = 0;
      for (const count of passes) {
        if (at > 0) await run.append(tokens.slice(at, at + count));
        at += count;
        await run.toEnd(this.#watch);
        this.#done += this.#model.steps.length;
      }
      return run;
    } catch (error) {
      run.close();
      throw error;
    }
  }

  /** As `run`; a sentence where there is no such run: the check's own, or that of a transform that finds nothing to change. */
  async tryRun(experiment: Experiment | string): Promise<Run | string> {
    if (typeof experiment === 'string') return experiment;
    try {
      this.#model.with(...(experiment.transforms ?? []));
    } catch (error) {
      if (error instanceof StepError) return error.message;
      throw error;
    }
    return this.run(experiment);
  }

  subject(run: Run): Subject {
    return new Subject({ trace: run.trace, model: this.#model, layers: this.#chosen.layers, stop: this.#watched.stop });
  }

  checked(item: string): void {
    this.#done++;
    this.#report(item, this.#done);
  }

  /** Steps count towards the whole; work of other kinds, such as weights that are uploaded, is shown as it is. */
  #tell(progress: Progress): void {
    if (progress.task !== 'running') this.#watched.onProgress?.(progress);
    else this.#report(progress.item, this.#done + Math.min(progress.done, this.#model.steps.length));
  }

  #report(item: string, done: number): void {
    this.#watched.onProgress?.({
      task: 'checking',
      item,
      done: Math.min(this.#total, done),
      total: this.#total,
      unit: 'steps',
    });
  }
}
