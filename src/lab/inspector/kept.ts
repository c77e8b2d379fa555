/** Things that take long to make, by key: made once, kept until enough others were used since, then given back. */
export class Kept<T> {
  readonly #most: number;
  readonly #giveBack: (thing: T) => Promise<void> | void;
  /** The one used longest ago stands first. */
  readonly #things = new Map<string, Promise<T>>();

  constructor(most: number, giveBack: (thing: T) => Promise<void> | void) {
    this.#most = most;
    this.#giveBack = giveBack;
  }

  get size(): number {
    return this.#things.size;
  }

  /** What `make` gave for this key before, or gives now. A failure is not kept. */
  get(key: string, make: () => Promise<T>): Promise<T> {
    const thing = this.#things.get(key) ?? this.#made(key, make);
    this.#things.delete(key);
    this.#things.set(key, thing);
    for (const [oldest, old] of [...this.#things].slice(0, -this.#most)) {
      this.#things.delete(oldest);
      void this.#leave(old);
    }
    return thing;
  }

  /** Gives back those that the claim holds for; resolves when all are. */
  async drop(isGone: (thing: T) => boolean = () => true): Promise<void> {
    for (const [key, promise] of [...this.#things]) {
      const thing = await promise.catch(() => null);
      if (thing === null || !isGone(thing) || this.#things.get(key) !== promise) continue;
      this.#things.delete(key);
      await this.#leave(promise);
    }
  }

  #made(key: string, make: () => Promise<T>): Promise<T> {
    const thing = make();
    thing.catch(() => {
      if (this.#things.get(key) === thing) this.#things.delete(key);
    });
    return thing;
  }

  async #leave(promise: Promise<T>): Promise<void> {
    const thing = await promise.catch(() => null);
    // What cannot be given back any more, as on a lost device, is gone already.
    if (thing !== null) await Promise.resolve(this.#giveBack(thing)).catch(() => {});
  }
}
