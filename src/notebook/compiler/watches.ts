/**
 * The files that cells import, watched without watching: TypeScript is told of changes just before a cell is compiled, so
 * that what was saved is what runs, and no watcher walks the user's folders.
 */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type TypeScript from 'typescript';
import { typescript as ts } from './typescript.ts';

/** Where our own declarations are, as TypeScript writes paths. */
const OURS = fileURLToPath(new URL('../../', import.meta.url)).replaceAll('\\', '/');

interface WatchedFile {
  readonly callback: TypeScript.FileWatcherCallback;
  stamp: string;
}

export class Watches {
  readonly #files = new Map<string, WatchedFile>();

  readonly watchFile: NonNullable<TypeScript.System['watchFile']> = (path, callback) => {
    // What is installed changes with the packages alone; and we are installed, or as we were when the kernel started.
    if (path.includes('/node_modules/') || path.startsWith(OURS)) return { close: () => {} };
    this.#files.set(path, { callback, stamp: stampOf(path) });
    return { close: () => void this.#files.delete(path) };
  };

  /** Reports what changed. */
  report(): void {
    for (const [path, file] of [...this.#files]) {
      const stamp = stampOf(path);
      if (stamp === file.stamp) continue;
      file.stamp = stamp;
      const kind = stamp === '' ? ts.FileWatcherEventKind.Deleted : ts.FileWatcherEventKind.Changed;
      file.callback(path, kind);
    }
  }
}

/** Empty where there is no such file, or none that can be looked at. */
function stampOf(path: string): string {
  try {
    const { mtimeMs, size } = statSync(path);
    return `${mtimeMs} ${size}`;
  } catch {
    return '';
  }
}
