/** Who watches the long work of this process: one at a time, as it has one device. The notebook sets it for each cell. */
import type { Watch } from '../platform.ts';

let current: Watch = {};

/**
 * From now on `watch` goes with every move, upload and write of every model of this process that begins, also of models
 * opened before: its signal stops them, and it is told how far they are. Work under way keeps the watch it began with.
 * `{}` takes it back.
 */
export function setWatch(watch: Watch): void {
  current = watch;
}

export function currentWatch(): Watch {
  return current;
}
