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

const require = createRequire(import.meta.url);

export const typescript: typeof TypeScript = require('typescript');

/** What 5.9 has and does not declare. */
interface Internals {
  readonly nullTransformationContext: TypeScript.TransformationContext;
  readonly Completions: {
    getCompletionsAtPosition(host: object, ...rest: unknown[]): TypeScript.CompletionInfo | undefined;
  };
  readonly SymbolDisplay: {
    getSymbolDisplayPartsDocumentationAndSymbolKind(
      checker: TypeScript.TypeChecker,
      symbol: TypeScript.Symbol,
      file: TypeScript.SourceFile,
      enclosing: TypeScript.Node | undefined,
      location: TypeScript.Node,
    ): Pick<TypeScript.QuickInfo, 'displayParts' | 'documentation' | 'tags'> & { symbolKind: string };
  };
  getTouchingPropertyName(file: TypeScript.SourceFile, position: number): TypeScript.Node;
  getContainerNode(node: TypeScript.Node): TypeScript.Node | undefined;
  typeToDisplayParts(
    checker: TypeScript.TypeChecker,
    type: TypeScript.Type,
    enclosing: TypeScript.Node | undefined,
  ): TypeScript.SymbolDisplayPart[];
}
const internals = require('typescript') as Internals;

type Host = TypeScript.WatchCompilerHostOfFilesAndCompilerOptions<TypeScript.EmitAndSemanticDiagnosticsBuilderProgram>;
type Builder = TypeScript.EmitAndSemanticDiagnosticsBuilderProgram;

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

/** Name of the file that tslab takes a cell to be, and of that which declares what earlier cells left. */
export const CELL_FILE = '__tslab__.ts';
const EARLIER_FILE = '__prev__.d.ts';

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
    watchDirectory: () => ({ close: () => {} }), // see lookingAgain
  };
  const additions = {
    sys,
    createWatchCompilerHost(roots: string[], options: TypeScript.CompilerOptions, ...rest: unknown[]): Host {
      const { disableTopLevelAwait: _, noImplicitUseStrict: __, ...known } = options;
      const { options: ours, rootFiles } = hooks();
      const create = typescript.createWatchCompilerHost as (...args: unknown[]) => Host;
      return lookingAgain(create([...roots, ...rootFiles], { ...known, ...ours }, ...rest));
    },
    createWatchProgram(host: Host): TypeScript.WatchOfFilesAndCompilerOptions<Builder> {
      const { afterProgramCreate } = host;
      host.afterProgramCreate = (builder) => afterProgramCreate?.(forCells(builder, hooks().onSideOutput));
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
      getCompletionsAtPositionForTslab: (host: object, ...rest: unknown[]) =>
        internals.Completions.getCompletionsAtPosition(host, ...rest),
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

/**
 * A host that looks again for what a cell, or a local file, imports and was not found: it may have been written or installed
 * since. TypeScript would watch folders for it and tell of a find by a timer beside that of the next program; tslab keeps one.
 */
function lookingAgain(host: Host): Host {
  const isUsers = (path: string) => !path.endsWith('.d.ts') || path.endsWith(`/${EARLIER_FILE}`);
  const cache = typescript.createModuleResolutionCache(host.getCurrentDirectory(), (name) => name, host.options);
  /** Files of the user's that import what was not found. */
  const lacking = new Set<string>();
  host.getModuleResolutionCache = () => cache;
  host.hasInvalidatedResolutions = (path) => lacking.has(path);
  host.resolveModuleNameLiterals = (literals, path, redirected, options, source) => {
    const known = isUsers(path) ? undefined : cache;
    const resolved = literals.map((literal) => {
      const mode = typescript.getModeForUsageLocation(source, literal, options);
      return typescript.resolveModuleName(literal.text, path, options, host, known, redirected, mode);
    });
    if (isUsers(path) && resolved.some(({ resolvedModule }) => !resolvedModule)) lacking.add(path);
    else lacking.delete(path);
    return resolved;
  };
  return host;
}

/**
 * A builder that emits cells with earlier variables in `{ x }` spelt out, which tslab forgets, and that gives other files to
 * `onSideOutput`: tslab itself takes only those below the working folder and throws for others.
 */
function forCells(builder: Builder, onSideOutput: TslabHooks['onSideOutput']): Builder {
  const emit: Builder['emit'] = (file, write, cancellation, declarationsOnly, transformers) => {
    if (!file || file.fileName.endsWith(`/${CELL_FILE}`)) {
      const inTslabsPlace: TypeScript.WriteFileCallback = (name, ...rest) =>
        write?.(`outDir/${name.slice(name.lastIndexOf('/') + 1)}`, ...rest);
      const before = [...(transformers?.before ?? []), spelledOut(builder.getProgram().getTypeChecker())];
      return builder.emit(file, inTslabsPlace, cancellation, declarationsOnly, { ...transformers, before });
    }
    return builder.emit(file, (name, text) => {
      if (name.endsWith('.js')) onSideOutput(file.fileName, text);
    });
  };
  return new Proxy(builder, {
    get: (target, key) => (key === 'emit' ? emit : Reflect.get(target, key)),
  });
}

/** `{ x }` becomes `{ x: exports.x }` where an earlier cell declared x. */
function spelledOut(checker: TypeScript.TypeChecker): TypeScript.TransformerFactory<TypeScript.SourceFile> {
  const ts = typescript;
  return (context) => (file) => {
    const { factory } = context;
    const visit = (node: TypeScript.Node): TypeScript.Node => {
      if (!ts.isShorthandPropertyAssignment(node)) return ts.visitEachChild(node, visit, context);
      const declarations = checker.getShorthandAssignmentValueSymbol(node)?.declarations ?? [];
      if (!declarations.some((each) => each.getSourceFile().fileName.endsWith(`/${EARLIER_FILE}`))) return node;
      const earlier = factory.createPropertyAccessExpression(factory.createIdentifier('exports'), node.name.text);
      const value = node.objectAssignmentInitializer
        ? factory.createAssignment(
            earlier,
            ts.visitNode(node.objectAssignmentInitializer, visit) as TypeScript.Expression,
          )
        : earlier;
      return factory.createPropertyAssignment(node.name.text, value);
    };
    return ts.visitNode(file, visit) as TypeScript.SourceFile;
  };
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
