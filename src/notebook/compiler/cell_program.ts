/**
 * The program that tslab compiles a cell in: what cells and local files import is looked for again each time, names and last
 * expressions that tslab mistakes are mended, and local files go where they are wanted.
 */
import type TypeScript from 'typescript';
import { asLastExpression, withEarlierNames } from './cell_transforms.ts';
import { internals, typescript } from './typescript.ts';

/** Name of the file that tslab takes a cell to be, and of that which declares what earlier cells left. */
export const CELL_FILE = '__tslab__.ts';
const EARLIER_FILE = '__prev__.d.ts';

export type Host = TypeScript.WatchCompilerHostOfFilesAndCompilerOptions<TypeScript.BuilderProgram>;

/** What each of the user's files imports: resolved files, and undefined for what was not found. */
export type Imports = ReadonlyMap<string, readonly (string | undefined)[]>;

/**
 * Has a host look again for what a cell, or a local file, imports and was not found: it may have been written or installed
 * since. TypeScript would watch folders for it and tell of a find by a timer beside that of the next program; tslab keeps one.
 */
export function resolving(host: Host): Imports {
  const imports = new Map<string, (string | undefined)[]>();
  const isUsers = (path: string) => !path.endsWith('.d.ts') || path.endsWith(`/${EARLIER_FILE}`);
  const cache = typescript.createModuleResolutionCache(host.getCurrentDirectory(), (name) => name, host.options);
  host.getModuleResolutionCache = () => cache;
  host.hasInvalidatedResolutions = (path) => imports.get(path)?.includes(undefined) ?? false;
  host.resolveModuleNameLiterals = (literals, path, redirected, options, source) => {
    const known = isUsers(path) ? undefined : cache;
    const resolved = literals.map((literal) => {
      const mode = typescript.getModeForUsageLocation(source, literal, options);
      return typescript.resolveModuleName(literal.text, path, options, host, known, redirected, mode);
    });
    if (isUsers(path))
      imports.set(
        path,
        resolved.map(({ resolvedModule }) => resolvedModule?.resolvedFileName),
      );
    return resolved;
  };
  return imports;
}

/** What tslab asks of a builder. */
export type CellBuilder = Pick<
  TypeScript.BuilderProgram,
  'getProgram' | 'getSourceFile' | 'getAllDependencies' | 'emit'
>;

/**
 * A builder that mends cells where tslab would mistake a name or their last expression, and that gives other files to
 * `onSideOutput`: tslab itself takes only those below the working folder and throws for others.
 */
export function forCells(
  program: TypeScript.Program,
  imports: Imports,
  onSideOutput: (path: string, javascript: string) => void,
): CellBuilder {
  return {
    getProgram: () => program,
    getSourceFile(name) {
      const file = program.getSourceFile(name);
      if (file) internals.bindSourceFile(file, program.getCompilerOptions());
      return file;
    },
    getAllDependencies({ fileName }) {
      const found = new Set([fileName]);
      for (const name of found) {
        for (const each of imports.get(name) ?? []) if (each && program.getSourceFile(each)) found.add(each);
      }
      return [...found];
    },
    emit(file, write, cancellation, declarationsOnly, transformers) {
      if (!file || file.fileName.endsWith(`/${CELL_FILE}`)) {
        const inTslabsPlace: TypeScript.WriteFileCallback = (name, ...rest) =>
          write?.(`outDir/${name.slice(name.lastIndexOf('/') + 1)}`, ...rest);
        const names = withEarlierNames(typescript, program.getTypeChecker(), (declaration) =>
          declaration.getSourceFile().fileName.endsWith(`/${EARLIER_FILE}`),
        );
        const before = [...(transformers?.before ?? []), names, asLastExpression(typescript)];
        return program.emit(file, inTslabsPlace, cancellation, declarationsOnly, { ...transformers, before });
      }
      return program.emit(file, (name, text) => {
        if (name.endsWith('.js')) onSideOutput(file.fileName, text);
      });
    },
  };
}
