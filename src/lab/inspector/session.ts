/**
 * The inspector's state on the side where the engine is: opened models and traces, and one run per experiment. Everything
 * else is in the requests, of which each asks it for a run.
 */
import { type BugHunt, bugHunt } from '../../compare/bug_hunt.ts';
import { type Model, openModelFrom } from '../../engine/model.ts';
import { DEFAULT_BUDGET, Run } from '../../engine/run.ts';
import { type AttributionOptions, attribution } from '../../engine/transforms/attribution.ts';
import { type LensOptions, lens } from '../../engine/transforms/lens.ts';
import type { Transform } from '../../engine/transforms/transform.ts';
import { DeviceError, UsageError } from '../../errors.ts';
import type { ByteSource, Gpu, Watch } from '../../platform.ts';
import { type ArrowTrace, openArrowTrace } from '../../trace/arrow_reader.ts';
import type { HeldComparison } from './comparisons.ts';
import { type Experiment, type HuntSpec, keyOf, transformsOf } from './experiment.ts';
import type { InspectorHost } from './host.ts';
import { insist } from './insist.ts';
import { Kept } from './kept.ts';
import type { ReadLent } from './port.ts';

/** How many are kept. What is used longer ago is given back: a run holds its values, a model its weights on the device. */
const [MOST_RUNS, MOST_MODELS, MOST_TRACES, MOST_COMPARISONS, MOST_HUNTS] = [6, 4, 4, 2, 8] as const;

/** Bytes of values that all runs may keep together, unless the host says otherwise. */
const RUNS_BUDGET = 3 * DEFAULT_BUDGET;

/** The most bytes that are asked of the page at a time, for a file that lies there. */
const LENT_PIECE = 2 ** 22;

/** A model, and what was done in place of what was asked for; null where nothing was. */
interface OpenedFile {
  readonly model: Model;
  readonly notice: string | null;
}

/** What is added to an experiment to look at more of it. Both keep the values of their own tensors alone. */
export interface Observer {
  readonly lens?: LensOptions;
  readonly attribution?: AttributionOptions;
}

export class Session {
  readonly host: InspectorHost;
  readonly #readLent: ReadLent | null;
  readonly #dropped = new Map<string, ByteSource>();
  readonly #kinds = new Map<string, 'model' | 'trace'>();
  readonly #runs = new Kept<Run>(MOST_RUNS, (run) => run.close());
  /** Comparisons; see comparisons.ts. */
  readonly comparisons = new Kept<HeldComparison>(MOST_COMPARISONS, (held) => held.close());
  readonly #hunts = new Kept<BugHunt>(MOST_HUNTS, () => {});
  readonly #models = new Kept<OpenedFile>(MOST_MODELS, async ({ model }) => {
    await this.#runs.drop((run) => run.model.gguf === model.gguf);
    await this.comparisons.drop((held) => held.model?.gguf === model.gguf);
    await this.#hunts.drop((hunt) => hunt.engine.gguf === model.gguf);
    await model.close();
  });
  readonly #traces = new Kept<ArrowTrace>(MOST_TRACES, (trace) => trace.close());
  #gpu: Gpu | null = null;
  /** What is to be told of a device that was lost; null where nothing is, or it was told. */
  #loss: string | null = null;

  /** `readLent` reads files that lie on the page, where there is one. */
  constructor(host: InspectorHost, readLent: ReadLent | null = null) {
    this.host = host;
    this.#readLent = readLent;
  }

  /** How many runs, models and traces are kept now. */
  get usage(): { readonly runs: number; readonly models: number; readonly traces: number } {
    return { runs: this.#runs.size, models: this.#models.size, traces: this.#traces.size };
  }

  /** A file that was dropped on the page takes the name that it has from now on. */
  async drop(name: string, source: ByteSource): Promise<void> {
    this.#dropped.set(name, source);
    this.#kinds.delete(name);
    await this.#models.drop(({ model }) => model.name === name);
    await this.#traces.drop((trace) => trace.source === name);
  }

  /** The same of a file that stays on the page: it is read by range from there. Throws UsageError where no page lends any. */
  lend(name: string, size: number): Promise<void> {
    const read = this.#readLent;
    if (!read) throw new UsageError(`Cannot read ${name}: no page is there that has it; open it by its path`);
    return this.drop(name, lentSource(name, size, read));
  }

  isDropped(file: string): boolean {
    return this.#dropped.has(file);
  }

  /** The bytes of a dropped file, or of one that the host has. */
  source(file: string): Promise<ByteSource> {
    const dropped = this.#dropped.get(file);
    return dropped ? Promise.resolve(dropped) : this.host.open(file);
  }

  /** Whether a file holds a model or a trace, by its first bytes. Throws UsageError where it is neither. */
  async kind(file: string): Promise<'model' | 'trace'> {
    const known = this.#kinds.get(file);
    if (known) return known;
    const source = await this.source(file);
    try {
      const magic = new TextDecoder('latin1').decode(await source.read(0, Math.min(6, source.size)));
      const kind = magic.startsWith('GGUF') ? 'model' : magic === 'ARROW1' ? 'trace' : null;
      if (!kind) {
        throw new UsageError(
          `Cannot open ${file}: it begins with ${JSON.stringify(magic)}; wanted a model ("GGUF") or a trace ("ARROW1"). ` +
            'Choose a .gguf or an .arrow file; if it is one, it is broken: copy or download it again',
          { file },
        );
      }
      this.#kinds.set(file, kind);
      return kind;
    } finally {
      await source.close();
    }
  }

  /** The file's model without any transform; opened once. */
  async model(from: Pick<Experiment, 'file' | 'backend'>): Promise<Model> {
    return (await this.opened(from)).model;
  }

  /** The same, and a sentence where another backend runs it than was asked for. */
  async opened({ file, backend }: Pick<Experiment, 'file' | 'backend'>): Promise<OpenedFile> {
    this.#tellLoss();
    if ((await this.kind(file)) === 'trace') {
      throw new UsageError(
        `Cannot run ${file}: it is a trace, which holds what was computed and no model; open the model for that`,
        { file },
      );
    }
    return this.#models.get(JSON.stringify([file, backend]), () => this.#open(file, backend));
  }

  async #open(file: string, backend: Experiment['backend']): Promise<OpenedFile> {
    const source = await this.source(file);
    try {
      const notice = backend === 'webgpu' ? await this.#whyNoGpu() : null;
      const model = await openModelFrom(source, this.host.platform, { backend: notice ? 'reference' : backend });
      return { model, notice };
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /** Why the reference computes in place of a GPU; null where there is one. */
  async #whyNoGpu(): Promise<string | null> {
    let gpu: Gpu;
    try {
      gpu = await this.host.platform.gpu();
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      return `Runs on the reference backend, in f64 on the CPU and slower, because there is no WebGPU here. ${error.message}`;
    }
    if (gpu !== this.#gpu) {
      this.#gpu = gpu;
      void gpu.device.lost.then(({ reason, message }) => this.#lose(message || reason));
    }
    return null;
  }

  /** Everything on the device is gone: models and runs begin anew on another. */
  async #lose(why: string): Promise<void> {
    this.#gpu = null;
    this.#loss =
      `Cannot go on: the GPU was lost (${why.trim()}). Do it again: a new device is opened, and runs begin anew from their ` +
      'text. If it is lost again, choose the reference backend';
    await this.#models.drop(({ model }) => model.backend.name === 'webgpu');
  }

  /** Throws DeviceError, once, where the device was lost since the last request. */
  #tellLoss(): void {
    const loss = this.#loss;
    this.#loss = null;
    if (loss !== null) throw new DeviceError(loss);
  }

  /** What to tell of what ended a request: of a loss that was not told yet what to do here, of anything else what was thrown. */
  told(error: unknown): unknown {
    const loss = this.#loss;
    if (loss === null || !(error instanceof DeviceError)) return error;
    this.#loss = null;
    return new DeviceError(loss, { cause: error });
  }

  /** A trace in a file; opened once. Throws TraceError where it is broken. */
  trace(file: string): Promise<ArrowTrace> {
    return this.#traces.get(file, async () => {
      const source = await this.source(file);
      try {
        return await openArrowTrace(source);
      } catch (error) {
        await source.close();
        throw error;
      }
    });
  }

  /** What runs an experiment: its file's model, or the broken engine of its hunt, with what it changes. */
  async engine(experiment: Experiment): Promise<Model> {
    const { hunt, faults } = experiment;
    if (!hunt) return (await this.model(experiment)).with(...transformsOf(experiment));
    if (faults.length > 0) {
      throw new UsageError(
        'Cannot switch a fault on during a hunt: it would hide the one that is there; end the hunt first',
      );
    }
    return (await this.hunt({ ...experiment, hunt })).engine.with(...transformsOf(experiment));
  }

  /** The hunt in a file's model; begun once. Throws UsageError and InterruptedError as `bugHunt` does. */
  async hunt(
    { file, backend, hunt }: Pick<Experiment, 'file' | 'backend'> & { readonly hunt: HuntSpec },
    watch: Watch = {},
  ): Promise<BugHunt> {
    const model = await this.model({ file, backend });
    const begin = () => bugHunt({ model, ...hunt, ...watch });
    return insist(this.#hunts, keyOf({ file, backend, hunt }), begin, watch);
  }

  /** The experiment's run, wherever its last move left it. */
  run(experiment: Experiment): Promise<Run> {
    return this.#run(experiment, keyOf(experiment), [], {});
  }

  /** What charts and comparisons take: the experiment's run, or the trace that its file holds. */
  async subject(experiment: Experiment): Promise<Run | ArrowTrace> {
    return (await this.kind(experiment.file)) === 'trace' ? this.trace(experiment.file) : this.run(experiment);
  }

  /** A run over the same tokens, the drawn ones too, to its end and with observers; the experiment's own stays where it is. */
  async observed(experiment: Experiment, observer: Observer, watch: Watch = {}): Promise<Run> {
    const { tokens } = await this.run(experiment);
    const same = { ...experiment, tokens };
    const added = [
      ...(observer.lens ? [lens(observer.lens)] : []),
      ...(observer.attribution ? [attribution(observer.attribution)] : []),
    ];
    const select = added.map(({ name }) => `${name}_*`);
    const run = await this.#run(same, `${keyOf(same)} ${JSON.stringify(observer)}`, added, {
      select,
      statistics: false,
    });
    return run.toEnd(watch);
  }

  async #run(
    experiment: Experiment,
    key: string,
    observers: readonly Transform[],
    options: { readonly select?: readonly string[]; readonly statistics?: boolean },
  ): Promise<Run> {
    const engine = await this.engine(experiment);
    return this.#runs.get(key, async () => {
      const { tokens, text, bos, chat, hunt } = experiment;
      const budget = (this.host.budget ?? RUNS_BUDGET) / MOST_RUNS;
      if (hunt) (await this.hunt({ ...experiment, hunt })).countText(keyOf({ tokens, text, bos, chat }));
      return engine
        .with(...observers)
        .start(tokens ?? text, { bos, chat, budget, ...options, ...(tokens ? { prompt: text } : {}) });
    });
  }

  async close(): Promise<void> {
    await this.#runs.drop();
    await this.comparisons.drop();
    await this.#hunts.drop();
    await this.#models.drop();
    await this.#traces.drop();
  }
}

/** A run can go on; a trace is what it is. */
export function isRun(subject: Run | ArrowTrace): subject is Run {
  return subject instanceof Run;
}

/** Reads of more than a message should hold are several. */
function lentSource(name: string, size: number, read: ReadLent): ByteSource {
  return {
    name,
    size,
    async read(offset, length, into) {
      const bytes = into && into.length >= length ? into.subarray(0, length) : new Uint8Array(length);
      for (let done = 0; done < length; done += LENT_PIECE) {
        bytes.set(await read(name, offset + done, Math.min(LENT_PIECE, length - done)), done);
      }
      return bytes;
    },
    async close() {},
  };
}
