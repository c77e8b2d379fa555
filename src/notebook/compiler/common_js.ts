/**
 * The second stage of compiling a cell: an ES module becomes the body of `async function (exports, require, __cell)`, as tslab
 * runs it, with four changes that a notebook needs.
 *
 * - `await x`, `for await` and `catch` pass through `__cell`, so that a loop of awaits can be interrupted and output knows its
 *   cell.
 * - `import(x)` and `import.meta` pass through `__cell`, so that they go by the cell's folder and find local .ts files.
 * - A variable that is declared with `let` or `var` lives in `exports` alone, so that functions of one cell see what a later
 *   cell assigns.
 * - Names that are imported can be declared again by a later cell: they are set, not defined.
 */
import remapping, { type SourceMapInput } from '@jridgewell/remapping';
import MagicString from 'magic-string';
import type TypeScript from 'typescript';
import { typescript as ts } from './typescript.ts';

/** What runs; `map` is a source map of version 3 from `code` to the cell's or file's TypeScript, as JSON. */
export interface CommonJs {
  readonly code: string;
  readonly map: string;
  /** Modules that are imported statically and not only as types. */
  readonly imports: readonly string[];
}

/** Name by which compiled code reaches the executor. */
export const RUNTIME = '__cell';

const OPTIONS: TypeScript.CompilerOptions = {
  module: ts.ModuleKind.CommonJS,
  target: ts.ScriptTarget.ES2022,
  esModuleInterop: true,
  newLine: ts.NewLineKind.LineFeed,
  inlineSourceMap: true,
};

const MAP_COMMENT = /\n?\/\/# sourceMappingURL=data:application\/json;base64,([\w+/=]+)\s*$/;

/** `javascript` is what the first stage gave, with its source map at the end. */
export function commonJs(javascript: string): CommonJs {
  const shared = withSharedVariables(javascript.replace(MAP_COMMENT, ''));
  const imports: string[] = [];
  const { outputText } = ts.transpileModule(shared.toString(), {
    fileName: 'cell.js',
    compilerOptions: OPTIONS,
    transformers: { before: [importsInto(imports), guarded], after: [settable] },
  });
  // The comment leaves an empty line, and "use strict" one more: a cell is sloppy, as tslab has it, and lines stay.
  const code = outputText.replace(MAP_COMMENT, '').replace(/^"use strict";/, '');
  const maps = [mapOf(outputText), shared.generateMap({ hires: 'boundary' }), mapOf(javascript)];
  const map = remapping(maps as SourceMapInput[], () => null);
  return { code, map: JSON.stringify(map), imports: [...new Set(imports)] };
}

function mapOf(text: string): unknown {
  const encoded = MAP_COMMENT.exec(text)?.[1] ?? '';
  return JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'));
}

type Transformer = TypeScript.TransformerFactory<TypeScript.SourceFile>;

/** Collects what the file imports. */
function importsInto(imports: string[]): Transformer {
  return () => (file) => {
    for (const statement of file.statements) {
      if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue;
      if (statement.moduleSpecifier && ts.isStringLiteral(statement.moduleSpecifier)) {
        imports.push(statement.moduleSpecifier.text);
      }
    }
    return file;
  };
}

/**
 * `await x` becomes `__cell.resume(__cell.current, await x)`, `for await (… of x)` goes over `__cell.each(x)`, `import(x)`
 * becomes `__cell.import(x)`, `import.meta` `__cell.meta`, and what is caught passes `__cell.caught(__cell.current)`: an await
 * that fails resumes nowhere else.
 */
const guarded: Transformer = (context) => (file) => {
  const { factory } = context;
  const member = (name: string) => factory.createPropertyAccessExpression(factory.createIdentifier(RUNTIME), name);
  const call = (name: string, values: TypeScript.Expression[]) =>
    factory.createCallExpression(member(name), undefined, values);
  const visit = (node: TypeScript.Node): TypeScript.Node => {
    const inner = ts.visitEachChild(node, visit, context);
    if (ts.isAwaitExpression(inner)) return ts.setTextRange(call('resume', [member('current'), inner]), node);
    if (ts.isForOfStatement(inner) && inner.awaitModifier) {
      const each = call('each', [inner.expression]);
      return factory.updateForOfStatement(inner, inner.awaitModifier, inner.initializer, each, inner.statement);
    }
    if (ts.isCatchClause(inner)) {
      const check = factory.createExpressionStatement(call('caught', [member('current')]));
      const block = factory.updateBlock(inner.block, [check, ...inner.block.statements]);
      return factory.updateCatchClause(inner, inner.variableDeclaration, block);
    }
    if (ts.isCallExpression(inner) && inner.expression.kind === ts.SyntaxKind.ImportKeyword) {
      return ts.setTextRange(call('import', [...inner.arguments]), node);
    }
    if (ts.isMetaProperty(inner) && inner.keywordToken === ts.SyntaxKind.ImportKeyword) return member('meta');
    return inner;
  };
  return ts.visitNode(file, visit) as TypeScript.SourceFile;
};

/** `let x = 1; export { x }` becomes `export let x = 1`, whose every use TypeScript turns into `exports.x`. */
function withSharedVariables(javascript: string): MagicString {
  const text = new MagicString(javascript);
  const file = ts.createSourceFile('cell.js', javascript, ts.ScriptTarget.ES2022);
  const list = file.statements.findLast(isListOfExports);
  if (!list) return text;
  const exported = new Set(list.exportClause.elements.map(({ name }) => name.text));
  for (const statement of file.statements) {
    if (!isAssignable(statement)) continue;
    const names = statement.declarationList.declarations
      .flatMap(({ name }) => boundNames(name))
      .map(({ text }) => text);
    if (!names.every((name) => exported.has(name))) continue;
    for (const name of names) exported.delete(name);
    text.appendLeft(statement.getStart(file), 'export ');
  }
  text.update(list.getStart(file), list.end, `export { ${[...exported].join(', ')} };`);
  return text;
}

/** tslab's list of all that a cell declares; it renames nothing. */
function isListOfExports(
  statement: TypeScript.Statement,
): statement is TypeScript.ExportDeclaration & { exportClause: TypeScript.NamedExports } {
  return (
    ts.isExportDeclaration(statement) &&
    statement.moduleSpecifier === undefined &&
    statement.exportClause !== undefined &&
    ts.isNamedExports(statement.exportClause) &&
    statement.exportClause.elements.every(({ propertyName }) => propertyName === undefined)
  );
}

function isAssignable(statement: TypeScript.Statement): statement is TypeScript.VariableStatement {
  return (
    ts.isVariableStatement(statement) &&
    !statement.modifiers?.length &&
    !(statement.declarationList.flags & ts.NodeFlags.Const)
  );
}

/** The identifiers that a variable's name, or the pattern in its place, declares. */
export function boundNames(name: TypeScript.BindingName): TypeScript.Identifier[] {
  if (ts.isIdentifier(name)) return [name];
  return name.elements.flatMap((element) => (ts.isOmittedExpression(element) ? [] : boundNames(element.name)));
}

/** `Object.defineProperty(exports, "x", …)`, which a second cell could not repeat, becomes `__cell.define(exports, "x", …)`. */
const settable: Transformer = (context) => (file) => {
  const { factory } = context;
  const define = factory.createPropertyAccessExpression(factory.createIdentifier(RUNTIME), 'define');
  const visit = (node: TypeScript.Node): TypeScript.Node => {
    if (!ts.isExpressionStatement(node) || !ts.isCallExpression(node.expression)) return node;
    const { expression: callee, arguments: values } = node.expression;
    const isDefinition =
      ts.isPropertyAccessExpression(callee) &&
      callee.name.text === 'defineProperty' &&
      values[0] !== undefined &&
      ts.isIdentifier(values[0]) &&
      values[0].text === 'exports';
    return isDefinition
      ? factory.updateExpressionStatement(node, factory.createCallExpression(define, undefined, values))
      : node;
  };
  return ts.visitEachChild(file, visit, context);
};
