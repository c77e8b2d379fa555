/**
 * The files that cells import, watched without watching: TypeScript is told of changes just before a cell is compiled, so
 * that what was saved is what runs, and no watcher walks the user's folders.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type TypeScript from 'typescript';
import { typescript as ts } from './typescript.ts';

interface WatchedFile {
  readonly callback: TypeScript.FileWatcherCallback;
  stamp: string;
}

export class Watches {
  readonly #files = new Map<string, WatchedFile>();
  readonly #folders = new Map<string, Set<TypeScript.DirectoryWatcherCallback>>();

  readonly watchFile: NonNullable<TypeScript.System['watchFile']> = (path, callback) => {
    // What is installed changes with the packages alone.
    if (path.includes('/node_modules/')) return { close: () => {} };
    this.#files.set(path, { callback, stamp: stampOf(path) });
    return { close: () => void this.#files.delete(path) };
  };

  readonly watchDirectory: NonNullable<TypeScript.System['watchDirectory']> = (path, callback) => {
    const callbacks = this.#folders.get(path) ?? new Set();
    this.#folders.set(path, callbacks.add(callback));
    return { close: () => void callbacks.delete(callback) };
  };

  /** Reports what changed, and those files and packages that `code`, in folder `cwd`, imports and that may be new. */
  report(code: string, cwd: string): void {
    for (const [path, file] of [...this.#files]) {
      const stamp = stampOf(path);
      if (stamp === file.stamp) continue;
      file.stamp = stamp;
      const kind = stamp === '' ? ts.FileWatcherEventKind.Deleted : ts.FileWatcherEventKind.Changed;
      file.callback(path, kind);
    }
    for (const { fileName } of ts.preProcessFile(code, true, true).importedFiles) {
      for (const path of placesOf(fileName, cwd)) this.#appeared(path);
    }
  }

  #appeared(path: string): void {
    if (this.#files.has(path) || !existsSync(path)) return;
    for (const [folder, callbacks] of [...this.#folders]) {
      if (path.startsWith(`${folder}/`)) for (const callback of [...callbacks]) callback(path);
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

/** Where the module could be: a file beside the notebook, or a package in a node_modules above it. */
function placesOf(specifier: string, cwd: string): string[] {
  if (specifier.startsWith('.')) {
    const path = resolve(cwd, specifier);
    return [path, `${path}.ts`, `${path}.js`, join(path, 'index.ts'), path.replace(/\.js$/, '.ts')];
  }
  const [name] = /^(?:@[^/]+\/)?[^/]+/.exec(specifier) ?? [];
  const places: string[] = [];
  for (let folder = cwd; name; folder = dirname(folder)) {
    places.push(join(folder, 'node_modules', name, 'package.json'));
    if (dirname(folder) === folder) break;
  }
  return places;
}
