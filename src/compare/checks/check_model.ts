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

/**
 * Runs all checks. Throws UsageError where the tokens are none of the model's, InterruptedError where it is stopped.
 */
export async function checkModel(model: Model, options: CheckModelOptions = {}): Promise<CheckReport> {
  const { tokens = shortPrompt(model), budget = BUDGET, signal, onProgress } = options;
  model.checkTokens(tokens);
  const chosen = sampledLayers(model, tokens, budget);
  const watched = watchedBy(model.platform, { signal, onProgress });
  const runsChecks = checks.filter((check): check is RunsCheck => check.kind === 'runs');
  const experiments = new Map(runsChecks.map((check) => [check, check.other(tokens, model.config)]));
  const bench = new Bench(model, chosen, budget, watched, [{ tokens }, ...experiments.values()]);
  const results = new Map<string, CheckResult>();
  const base = await bench.run({ tokens });
  try {
    // The run in several passes is looked at by itself too: it holds a prefill and decode steps.
    let steps = base;
    for (const [check, experiment] of [...experiments].sort(
      ([a], [b]) => Number(b === prefillDecode) - Number(a === prefillDecode),
    )) {
      const other = typeof experiment === 'string' ? experiment : await bench.tryRun(experiment);
      try {
        results.set(
          check.name,
          typeof other === 'string' ? couldNot(check, other) : await compared(check, base, other, bench),
        );
        if (check !== prefillDecode) continue;
        if (typeof other !== 'string') steps = other;
        for (const each of checks) {
          if (each.kind !== 'trace') continue;
          const findings = new Findings();
          await each.look(bench.subject(steps), findings);
          results.set(each.name, resultOf(each, findings));
          bench.checked(each.name);
        }
      } finally {
        if (typeof other !== 'string') other.close();
      }
    }
  } finally {
    base.close();
  }
  const inOrder = checks.map(({ name }) => results.get(name) as CheckResult);
  return reportOf(`${model.name} on ${model.backend.name}`, tokens, chosen.says, inOrder);
}

async function compared(check: RunsCheck, base: Run, other: Run, bench: Bench): Promise<CheckResult> {
  const findings = new Findings();
  await check.look(bench.subject(base), bench.subject(other), findings);
  bench.checked(check.name);
  return resultOf(check, findings);
}

/** Eight tokens: BOS where the model begins with it, then some, of which two come twice. */
function shortPrompt({ tokenizer: { bos, addBos }, config: { nVocab, nCtx } }: Model): number[] {
  const some = [0.31, 0.57, 0.31, 0.83, 0.44, 0.57, 0.72].map((share) => Math.floor(share * nVocab));
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
  if (bytes('all') <= budget) return { layers: all, select: 'all', says: null };
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
    const says = `Looked at ${layersText(layers)} of ${nLayer}: values of all would take ${Math.ceil(bytes('all') / 1e6)} MB, more than ${Math.floor(budget / 1e6)}`;
    chosen = { layers, select: names, says };
  } while (count > 1 && bytes(chosen.select) > budget);
  return chosen;
}

/** Makes the runs, and tells how far all of it is. */
class Bench {
  readonly #model: Model;
  readonly #chosen: Sampled;
  readonly #budget: number;
  readonly #watched: Watched;
  readonly #total: number;
  #done = 0;

  constructor(
    model: Model,
    chosen: Sampled,
    budget: number,
    watched: Watched,
    experiments: readonly (Experiment | string)[],
  ) {
    this.#model = model;
    this.#chosen = chosen;
    this.#budget = budget;
    this.#watched = watched;
    const passes = experiments.reduce(
      (sum, each) => sum + (typeof each === 'string' ? 0 : (each.passes?.length ?? 1)),
      0,
    );
    this.#total = passes * model.steps.length + checks.length;
  }

  /** A finished run; close it. Layerless values and those of the sampled layers are kept, whatever that takes. */
  async run({ tokens, passes = [tokens.length], transforms = [] }: Experiment): Promise<Run> {
    const model = transforms.length > 0 ? this.#model.with(...transforms) : this.#model;
    const { select } = this.#chosen;
    const run = model.start(tokens.slice(0, passes[0]), { select, budget: 2 * this.#budget + 64e6 });
    try {
      let at = 0;
      for (const count of passes) {
        if (at > 0) await run.append(tokens.slice(at, at + count));
        at += count;
        await run.toEnd(this.#watch());
        this.#done += model.steps.length;
      }
      return run;
    } catch (error) {
      run.close();
      throw error;
    }
  }

  /** As `run`; a sentence where the model has no step for what the experiment changes. */
  async tryRun(experiment: Experiment): Promise<Run | string> {
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
    this.#report({ item, task: 'checking', unit: 'steps' });
  }

  /** Of one pass. Work of other kinds, such as weights that are uploaded, is shown as it is. */
  #watch(): Watch {
    const { stop, onProgress } = this.#watched;
    return {
      ...(stop ? { signal: stop as AbortSignal } : {}),
      onProgress: (progress) => {
        if (progress.task !== 'running') onProgress?.(progress);
        else
          this.#report(
            { item: progress.item, task: 'checking', unit: 'steps' },
            Math.min(progress.done, this.#model.steps.length),
          );
      },
    };
  }

  #report(progress: Pick<Progress, 'task' | 'item' | 'unit'>, more = 0): void {
    this.#watched.onProgress?.({ ...progress, done: Math.min(this.#total, this.#done + more), total: this.#total });
  }
}
