/**
 * What cells import. Packages are imported as Node imports ES modules, from the cell's folder, before the cell runs; local
 * TypeScript files come compiled from the supervisor and run here, once, until they change.
 */
import { createRequire, isBuiltin } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import vm from 'node:vm';
import type { CompiledFile } from '../compiler/cell_compiler.ts';
import { RUNTIME } from '../compiler/common_js.ts';
import { type CellScope, currentCell, enter, Interrupted, OwnPromise } from './scope.ts';
import { BODY, rememberFile } from './stack.ts';

export type Exports = Record<string, unknown>;

/** What compiled code calls; see compiler/common_js.ts. */
interface Runtime {
  readonly current: CellScope | null;
  resume<T>(cell: CellScope | null, value: T): T;
  caught(cell: CellScope | null): void;
  each<T>(items: AsyncIterable<T> | Iterable<T>): AsyncIterable<T>;
  import(specifier: unknown): Promise<unknown>;
  readonly meta: Pick<ImportMeta, 'url' | 'filename' | 'dirname' | 'resolve'>;
  define(exports: Exports, name: string, descriptor: PropertyDescriptor): void;
}

type Require = (specifier: string) => unknown;
type Body = (
  exports: Exports,
  require: Require,
  runtime: Runtime,
  filename: string,
  dirname: string,
  module?: { exports: unknown },
) => Promise<void>;

/** Does what it is given, which is not to be cut off. */
type WhileLoading = <T>(load: () => Promise<T>) => Promise<T>;

export interface CellCode {
  /** Of the script; what stack traces know it by. */
  readonly script: string;
  readonly code: string;
  readonly imports: readonly string[];
}

export class Modules {
  /** The file that a cell is taken to be; there is none. */
  readonly #cell: string;
  readonly #ours: Readonly<Record<string, () => Promise<object>>>;
  readonly #whileLoading: WhileLoading;
  readonly #files = new Map<string, CompiledFile>();
  readonly #loaded = new Map<string, { exports: unknown }>();
  /** Packages by folder and specifier. */
  readonly #imported = new Map<string, unknown>();

  /** What Node imports goes through `whileLoading`. `ours` are the modules that come with us, by name. */
  constructor(cwd: string, whileLoading: WhileLoading, ours: Readonly<Record<string, () => Promise<object>>>) {
    this.#whileLoading = whileLoading;
    this.#cell = join(cwd, 'cell.js');
    this.#ours = ours;
  }

  /** Local files that are new or changed; they run when a cell next imports them. */
  add(files: readonly CompiledFile[]): void {
    for (const file of files) {
      this.#files.set(file.path, file);
      // What imports a changed file is to see the change.
      this.#loaded.clear();
      rememberFile(file.path, file.map);
    }
  }

  /** Runs a cell's code as that run's. What it declares goes into `exports`. Throws Interrupted where it was interrupted before. */
  async run({ script, code, imports }: CellCode, exports: Exports, cell: CellScope | null): Promise<void> {
    const folder = dirname(this.#cell);
    await this.#loadAll(imports, folder);
    // In a block of its own, a cell may declare names that its function has for parameters: module, __dirname.
    const body = bodyOf(`{${code}\n}`, script);
    const runtime = this.#runtime(this.#cell, setOnCell);
    // As a microtask of its own: there it can be terminated without harm to Node.
    await OwnPromise.resolve().then(() => {
      enter(cell);
      return body(exports, this.#require(folder), runtime, this.#cell, folder);
    });
  }

  async #loadAll(specifiers: readonly string[], folder: string): Promise<void> {
    for (const specifier of specifiers) {
      if (!isBuiltin(specifier)) await this.#load(specifier, folder);
    }
  }

  async #load(specifier: string, folder: string): Promise<unknown> {
    const file = this.#local(specifier, folder);
    if (file) return this.#loadFile(file);
    const key = `${folder}\0${specifier}`;
    if (extname(specifier) === '.json') this.#imported.set(key, readJson(specifier, folder));
    if (!this.#imported.has(key)) {
      this.#imported.set(key, asCommonJs(await this.#import(specifier, folder)));
    }
    return this.#imported.get(key);
  }

  #import(specifier: string, folder: string): Promise<object> {
    return this.#whileLoading(this.#ours[specifier] ?? (() => importFrom(folder)(specifier)));
  }

  async #loadFile(file: CompiledFile): Promise<unknown> {
    const known = this.#loaded.get(file.path);
    if (known) return known.exports; // in a circle of imports as far as it has come
    const exports: Exports = {};
    const module = { exports: exports as unknown };
    this.#loaded.set(file.path, module);
    const folder = dirname(file.path);
    try {
      await this.#loadAll(file.imports, folder);
      const runtime = this.#runtime(file.path, setOnFile);
      await bodyOf(file.code, file.path)(exports, this.#require(folder), runtime, file.path, folder, module);
    } catch (error) {
      this.#loaded.delete(file.path);
      throw error;
    }
    return module.exports;
  }

  #require(folder: string): Require {
    const native = createRequire(join(folder, 'cell.js'));
    return (specifier) => {
      const file = this.#local(specifier, folder);
      if (file) return this.#loaded.get(file.path)?.exports;
      const key = `${folder}\0${specifier}`;
      return this.#imported.has(key) ? this.#imported.get(key) : native(specifier);
    };
  }

  #local(specifier: string, folder: string): CompiledFile | undefined {
    if (!specifier.startsWith('.') && !specifier.startsWith('/')) return undefined;
    const path = specifier.startsWith('/') ? specifier : join(folder, specifier);
    const places = [path, `${path}.ts`, `${path}.js`, path.replace(/\.js$/, '.ts'), join(path, 'index.ts')];
    return places.map((place) => this.#files.get(place.replaceAll('\\', '/'))).find((file) => file !== undefined);
  }

  #runtime(filename: string, define: Runtime['define']): Runtime {
    const folder = dirname(filename);
    return {
      get current() {
        return currentCell();
      },
      resume(cell, value) {
        enter(cell);
        return value;
      },
      caught: enter,
      each: interruptible,
      import: async (specifier) => {
        const name = String(specifier);
        const file = this.#local(name, folder);
        if (file) return this.#loadFile(file);
        if (extname(name) === '.json') return namespaceOf(readJson(name, folder));
        return this.#import(name, folder);
      },
      meta: metaOf(filename),
      define,
    };
  }
}

function bodyOf(code: string, script: string): Body {
  const parameters = ['exports', 'require', RUNTIME, '__filename', '__dirname', 'module'].join(', ');
  const source = `(async function ${BODY}(${parameters}) {\n${code}\n})`;
  const importModuleDynamically = vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  return vm.runInThisContext(source, { filename: script, lineOffset: -1, importModuleDynamically }) as Body;
}

/** Node's `import()` as a module in `folder` would call it. */
function importFrom(folder: string): (specifier: string) => Promise<object> {
  const importModuleDynamically = vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  const filename = join(folder, 'cell.js');
  return vm.runInThisContext('(specifier) => import(specifier)', { filename, importModuleDynamically });
}

/** What `import.meta` is in a file. */
function metaOf(filename: string): Runtime['meta'] {
  const { href: url } = pathToFileURL(filename);
  const resolve = (specifier: string): string => {
    if (/^\.{0,2}\//.test(specifier)) return new URL(specifier, url).href;
    const found = createRequire(filename).resolve(specifier);
    return isBuiltin(found) ? `node:${found.replace(/^node:/, '')}` : pathToFileURL(found).href;
  };
  return { url, filename, dirname: dirname(filename), resolve };
}

/** What a JSON file holds now: it may have changed since another cell imported it. */
function readJson(specifier: string, folder: string): unknown {
  const require = createRequire(join(folder, 'cell.js'));
  delete require.cache[require.resolve(specifier)];
  return require(specifier);
}

/** What `import()` gives of a JSON file: the whole as `default`, and its keys. */
function namespaceOf(json: unknown): object {
  return { ...(typeof json === 'object' && !Array.isArray(json) ? json : {}), default: json };
}

/**
 * A namespace as `require` would give it to compiled code: a CommonJS package as it is, an ES module with `__esModule`, by
 * which TypeScript's interop tells them apart.
 */
function asCommonJs(namespace: object): unknown {
  const { default: whole } = namespace as { default?: unknown };
  const { cache } = createRequire(import.meta.url);
  if (whole !== undefined && Object.values(cache).some((module) => module?.exports === whole)) return whole;
  const shim = Object.create(null, { __esModule: { value: true } });
  for (const name of Object.keys(namespace)) {
    const get = () => (namespace as Exports)[name];
    Object.defineProperty(shim, name, { enumerable: true, get });
  }
  return shim;
}

/** A cell's names are variables, which later cells may set and declare again. */
function setOnCell(exports: Exports, name: string, { get, value }: PropertyDescriptor): void {
  if (name !== '__esModule') exports[name] = get ? get() : value;
}

function setOnFile(exports: Exports, name: string, descriptor: PropertyDescriptor): void {
  Object.defineProperty(exports, name, descriptor);
}

/** The same items; an interrupt ends the loop over them. */
async function* interruptible<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T> {
  const cell = currentCell();
  for await (const item of items) {
    if (cell?.isInterrupted()) throw new Interrupted();
    yield item;
    enter(cell);
  }
}
