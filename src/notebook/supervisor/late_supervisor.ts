/**
 * A supervisor that loads late. The compiler takes more than a second to load, in which nothing is answered, and a front
 * end first asks who we are.
 */
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import type { Supervisor, SupervisorOptions } from './supervisor.ts';

/** How long the compiler waits for a front end's first question; jupyter_client looks every 100 ms whether we are there. */
const ASKED_WITHIN_MS = 150;

export class LateSupervisor {
  /** Rejects where the compiler cannot be loaded. */
  readonly loaded: Promise<Supervisor>;
  /** Something was asked, and could be answered before the compiler loads. */
  wasAsked: () => void = () => {};
  #supervisor: Supervisor | undefined;

  constructor(options: SupervisorOptions) {
    const asked = new Promise<void>((resolve) => {
      this.wasAsked = resolve;
    });
    this.loaded = this.#load(options, asked);
  }

  /** Ends what is there by now. */
  async close(): Promise<void> {
    await this.#supervisor?.close();
  }

  async #load(options: SupervisorOptions, asked: Promise<void>): Promise<Supervisor> {
    await Promise.race([asked, delay(ASKED_WITHIN_MS)]);
    await setImmediate();
    const { Supervisor } = await import('./supervisor.ts');
    const supervisor = new Supervisor(options);
    this.#supervisor = supervisor;
    // What its first use costs is spent before somebody waits for it.
    void setImmediate().then(() => supervisor.complete('', 0));
    return supervisor;
  }
}
