/** TypeScript 5.9, with those of its parts that it does not declare, and cells as its syntax trees. */
import { createRequire } from 'node:module';
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
  /** Finds what a file declares, for its `locals`. */
  bindSourceFile(file: TypeScript.SourceFile, options: TypeScript.CompilerOptions): void;
  getTouchingPropertyName(file: TypeScript.SourceFile, position: number): TypeScript.Node;
  getContainerNode(node: TypeScript.Node): TypeScript.Node | undefined;
}
export const internals = require('typescript') as Internals;

/** A cell as a syntax tree: a module, in which `await` may stand at the top. Its parts know their parents. */
export function parseCell(
  code: string,
): TypeScript.SourceFile & { readonly parseDiagnostics: TypeScript.Diagnostic[] } {
  const setExternalModuleIndicator = (file: TypeScript.SourceFile) =>
    void Object.assign(file, { externalModuleIndicator: true });
  const options = { languageVersion: typescript.ScriptTarget.ES2022, setExternalModuleIndicator };
  return typescript.createSourceFile('cell.ts', code, options, true) as ReturnType<typeof parseCell>;
}
