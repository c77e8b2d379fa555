/**
 * TypeScript for tslab. tslab's cell compiler (`tslab/dist/converter.js`) is written for its own fork of TypeScript 5.0; here
 * it is given 5.9 in the fork's place, with what the fork adds made from 5.9's own parts. Both versions are pinned.
 *
 * tslab asks for three things that are the fork's: diagnostics of chosen files, quick info and completion without a language
 * service, and `transpileModule` without "use strict". The fork also reports a top-level await, so that tslab can tell which
 * cells are async functions; here all are.
 */
import { createRequire } from 'node:module';
import { dirname, posix, sep } from 'node:path';
import type TypeScript from 'typescript';
import { CELL_FILE, type CellBuilder, forCells, type Host, resolving } from './cell_program.ts';
import { internals, typescript } from './typescript.ts';

const require = createRequire(import.meta.url);

export interface TslabHooks {
  /** Folder of the cells. */
  readonly cwd: string;
  /** Compiler options over tslab's own. */
  readonly options: TypeScript.CompilerOptions;
  /** Files that every program has beside the cell: declarations of globals. */
  readonly rootFiles: readonly string[];
  /** Takes the diagnostics of each compilation as TypeScript has them, before tslab drops those of other folders. */
  onDiagnostics(diagnostics: readonly TypeScript.Diagnostic[]): void;
  /** Takes what a file that a cell imports compiles to. */
  onSideOutput(path: string, javascript: string): void;
  /** Watches a file that the program reads. */
  readonly watchFile: NonNullable<TypeScript.System['watchFile']>;
  /** The second stage: an ES module as the body of a CommonJS function. */
  toCommonJs(javascript: string): string;
}

/** tslab's module of the cell compiler. */
export type TslabConverter = typeof import('tslab/dist/converter.js');

let active: TslabHooks | undefined;

/** Whose work tslab does now. */
function hooks(): TslabHooks {
  if (active) return active;
  throw new Error('tslab was called outside of callTslab');
}

/** Calls tslab, which has nowhere to keep hooks for a converter; its work is never interrupted by another's. */
export function callTslab<T>(hooks: TslabHooks, call: (tslab: TslabConverter) => T): T {
  const before = active;
  active = hooks;
  try {
    loaded ??= loadTslab();
    return call(loaded);
  } finally {
    active = before;
  }
}

let loaded: TslabConverter | undefined;

/** The stand-in goes into this process's module cache, where tslab finds it under the fork's name. */
function loadTslab(): TslabConverter {
  const tslab = createRequire(require.resolve('tslab/dist/converter.js'));
  const fork = tslab.resolve('@tslab/typescript-for-tslab');
  const entry = new (require('node:module') as typeof import('node:module'))(fork);
  entry.exports = standIn();
  entry.loaded = true;
  require.cache[fork] = entry;
  return require('tslab/dist/converter.js');
}

function standIn(): object {
  const sys: TypeScript.System = {
    ...typescript.sys,
    getCurrentDirectory: () => hooks().cwd.replaceAll(sep, '/'),
    watchFile: (...watch) => hooks().watchFile(...watch),
    watchDirectory: () => ({ close: () => {} }), // see resolving
  };
  const additions = {
    sys,
    createWatchCompilerHost(
      roots: string[],
      options: TypeScript.CompilerOptions,
      system: TypeScript.System,
      _create: unknown,
      ...reporters: [TypeScript.DiagnosticReporter, TypeScript.WatchStatusReporter]
    ): Host {
      const { disableTopLevelAwait: _, noImplicitUseStrict: __, ...known } = options;
      const { options: ours, rootFiles } = hooks();
      const all = [...roots, ...rootFiles];
      // The builder that TypeScript takes by itself would look up, for each cell, what every file of the program refers to.
      const create = typescript.createAbstractBuilder;
      return typescript.createWatchCompilerHost(all, { ...known, ...ours }, mended(system), create, ...reporters);
    },
    createWatchProgram(host: Host): TypeScript.WatchOfFilesAndCompilerOptions<TypeScript.BuilderProgram> {
      const imports = resolving(host);
      const { afterProgramCreate } = host;
      host.afterProgramCreate = (made) => {
        const builder: CellBuilder = forCells(made.getProgram(), imports, hooks().onSideOutput);
        afterProgramCreate?.(builder as TypeScript.BuilderProgram);
      };
      return typescript.createWatchProgram(host);
    },
    getDefaultTypeRoots: (cwd: string) => typeRootsAbove(cwd),
    getNullTransformationContext: () => internals.nullTransformationContext,
    getPreEmitDiagnosticsOfFiles(program: TypeScript.Program, files: readonly TypeScript.SourceFile[]) {
      const found = diagnosticsOf(program, files);
      hooks().onDiagnostics(found);
      return found;
    },
    getQuickInfoAtPosition: (
      file: TypeScript.SourceFile,
      checker: TypeScript.TypeChecker,
      _cancellation: unknown,
      position: number,
    ) => quickInfo(file, checker, position),
    Completions: {
      getCompletionsAtPositionForTslab: (_: object, program: TypeScript.Program, ...rest: unknown[]) =>
        internals.Completions.getCompletionsAtPosition(completionHost(program), program, ...rest),
    },
    transpileModule: (javascript: string) => ({ outputText: hooks().toCommonJs(javascript) }),
  };
  const stand: object = {};
  for (const key of Object.keys(typescript)) {
    if (key in additions) continue;
    Object.defineProperty(stand, key, { enumerable: true, get: () => typescript[key as keyof typeof typescript] });
  }
  return Object.assign(stand, additions);
}

/** Where completion looks for modules and their files; tslab gives it nothing, which it cannot do without in an import. */
function completionHost(program: TypeScript.Program): Partial<TypeScript.LanguageServiceHost> {
  const { fileExists, readFile, readDirectory, directoryExists, getDirectories } = typescript.sys;
  return {
    ...{ fileExists, readFile, readDirectory, directoryExists, getDirectories },
    getCurrentDirectory: () => hooks().cwd.replaceAll(sep, '/'),
    getCompilationSettings: () => program.getCompilerOptions(),
    useCaseSensitiveFileNames: () => true,
  };
}

/** The one timer whose callback tslab knows to call. */
const UPDATE_TIMER = 'timerToUpdateProgram';

/**
 * tslab's `sys`, which throws for good at TypeScript's second timer: that one, by which failed imports are looked up again, may
 * as well never fire, since the next update does its work. And tslab takes the names that a cell declares from TypeScript's
 * tables, where those with two underscores in front have three, and `declare global` is one, too.
 */
function mended(sys: TypeScript.System): TypeScript.System {
  const never = {};
  const mends: Partial<TypeScript.System> = {
    readFile(path, encoding) {
      const text = sys.readFile(path, encoding);
      return path.endsWith(`/${CELL_FILE}`) ? text?.replace(LIST_OF_EXPORTS, withSpeltNames) : text;
    },
    setTimeout: (callback, ms, name) =>
      name === UPDATE_TIMER ? sys.setTimeout?.(callback as () => void, ms, name) : never,
    clearTimeout: (timer) => timer !== never && sys.clearTimeout?.(timer),
  };
  return Object.assign(Object.create(sys), mends);
}

/** What tslab puts after a cell. */
const LIST_OF_EXPORTS = /\nexport \{([^{}]*)\}$/;

function withSpeltNames(_: string, list: string): string {
  const names = list.split(', ').filter((name) => name !== '__global');
  return `\nexport {${names.map((name) => name.replace(/^___/, '__')).join(', ')}}`;
}

function typeRootsAbove(cwd: string): string[] {
  const roots: string[] = [];
  for (let folder = cwd.replaceAll(sep, '/'); ; folder = dirname(folder)) {
    const root = posix.join(folder, 'node_modules/@types');
    if (typescript.sys.directoryExists(root)) roots.push(root);
    if (dirname(folder) === folder) return roots;
  }
}

function diagnosticsOf(program: TypeScript.Program, files: readonly TypeScript.SourceFile[]) {
  const syntactic = files.flatMap((file) => program.getSyntacticDiagnostics(file));
  const declarations = program.getCompilerOptions().declaration && syntactic.length === 0;
  return typescript.sortAndDeduplicateDiagnostics([
    ...syntactic,
    ...program.getGlobalDiagnostics(),
    ...files.flatMap((file) => program.getSemanticDiagnostics(file)),
    ...(declarations ? files.flatMap((file) => program.getDeclarationDiagnostics(file)) : []),
  ]);
}

function quickInfo(
  file: TypeScript.SourceFile,
  checker: TypeScript.TypeChecker,
  position: number,
): TypeScript.QuickInfo | undefined {
  const node = internals.getTouchingPropertyName(file, position);
  if (node === file) return undefined;
  const textSpan = { start: node.getStart(file), length: node.getWidth(file) };
  const enclosing = internals.getContainerNode(node);
  const symbol = checker.getSymbolAtLocation(node);
  if (!symbol) return undefined;
  const { symbolKind, displayParts, documentation, tags } =
    internals.SymbolDisplay.getSymbolDisplayPartsDocumentationAndSymbolKind(checker, symbol, file, enclosing, node);
  const kind = symbolKind as TypeScript.ScriptElementKind;
  return {
    kind,
    kindModifiers: '',
    textSpan,
    ...(displayParts ? { displayParts } : {}),
    ...(documentation ? { documentation } : {}),
    ...(tags ? { tags } : {}),
  };
}
