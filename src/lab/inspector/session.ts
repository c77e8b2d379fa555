/**
 * The inspector's state on the side where the engine is: opened files, models, and one run per experiment. Everything else is
 * in the requests, of which each asks it for a run.
 */
import { type Model, openModelFrom } from '../../engine/model.ts';
import type { Run } from '../../engine/run.ts';
import type { ByteSource, Watch } from '../../platform.ts';
import { type Experiment, transformsOf } from './experiment.ts';
import type { InspectorHost } from './host.ts';

/** Runs that are kept; the one used longest ago goes first. Each holds its values, up to the engine's budget. */
const MOST_RUNS = 4;

export class Session {
  readonly host: InspectorHost;
  readonly #dropped = new Map<string, ByteSource>();
  readonly #models = new Map<string, Promise<Model>>();
  readonly #runs = new Map<string, Promise<Run>>();

  constructor(host: InspectorHost) {
    this.host = host;
  }

  /** A file that was dropped on the page takes the name that it has from now on. */
  drop(name: string, source: ByteSource): void {
    this.#dropped.set(name, source);
    for (const key of [...this.#models.keys()].filter((key) => JSON.parse(key)[0] === name)) this.#models.delete(key);
  }

  /** The bytes of a dropped file, or of one that the host has. */
  source(file: string): Promise<ByteSource> {
    const dropped = this.#dropped.get(file);
    return dropped ? Promise.resolve(dropped) : this.host.open(file);
  }

  /** The file's model without any transform; opened once. */
  model({ file, backend }: Pick<Experiment, 'file' | 'backend'>): Promise<Model> {
    return kept(this.#models, JSON.stringify([file, backend]), async () =>
      openModelFrom(await this.source(file), this.host.platform, { backend }),
    );
  }

  /** The experiment's run, wherever its last move left it. */
  async run(experiment: Experiment, _watch?: Watch): Promise<Run> {
    const key = JSON.stringify(experiment);
    const run = await kept(this.#runs, key, async () => {
      const model = (await this.model(experiment)).with(...transformsOf(experiment));
      const { tokens, text, bos, chat } = experiment;
      return model.start(tokens ?? text, { bos, chat, ...(tokens ? { prompt: text } : {}) });
    });
    await this.#keepOnly(key);
    return run;
  }

  async #keepOnly(used: string): Promise<void> {
    const run = this.#runs.get(used);
    if (!run) return;
    this.#runs.delete(used);
    this.#runs.set(used, run);
    for (const [key, old] of [...this.#runs].slice(0, -MOST_RUNS)) {
      this.#runs.delete(key);
      (await old).close();
    }
  }

  async close(): Promise<void> {
    for (const run of this.#runs.values()) (await run.catch(() => null))?.close();
    for (const model of this.#models.values()) await (await model.catch(() => null))?.close();
  }
}

/** What `make` gave for this key before, or gives now; a failure is not kept. */
function kept<T>(made: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = made.get(key);
  if (known) return known;
  const promise = make().catch((error) => {
    made.delete(key);
    throw error;
  });
  made.set(key, promise);
  return promise;
}
