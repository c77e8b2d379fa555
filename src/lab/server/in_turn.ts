/** Work on one thing is done one piece after another; work on different things goes on side by side. */
export class InTurn {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Does `work` when all that was given for `key` before is done, whether that failed or not. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#last.get(key) ?? Promise.resolve()).then(work, work);
    this.#last.set(key, done);
    const forget = () => {
      if (this.#last.get(key) === done) this.#last.delete(key);
    };
    done.then(forget, forget);
    return done;
  }
}
