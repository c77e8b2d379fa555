/**
 * Variables whose types cannot be written down. What a cell leaves for later ones is a declaration file, and TypeScript cannot
 * print every type that it infers: not that of `await import('node:fs')`, for instance. Such a variable gets a type.
 */
import type TypeScript from 'typescript';
import { typescript as ts } from './typescript.ts';

/** TS4000 to TS4999, and: cannot be named without a reference; longer than the compiler prints; needs an annotation. */
export function isUnnameable(code: number): boolean {
  return (code >= 4000 && code < 5000) || code === 2742 || code === 7056 || (code >= 9005 && code < 9100);
}

/**
 * The cell with types at the variables that stand at `offsets`: the module's own for an import, else `any`. Null where an
 * offset is at no variable that lacks a type.
 */
export function withTypes(code: string, offsets: readonly number[]): string | null {
  const file = ts.createSourceFile('cell.ts', code, ts.ScriptTarget.ES2022, true);
  const insertions = new Map<number, string>();
  for (const offset of offsets) {
    const declaration = declarationAt(file, offset);
    if (!declaration || declaration.type) return null;
    insertions.set(declaration.name.end, `: ${typeFor(declaration.initializer)}`);
  }
  let typed = code;
  for (const [at, type] of [...insertions].sort(([a], [b]) => b - a))
    typed = typed.slice(0, at) + type + typed.slice(at);
  return typed;
}

function declarationAt(file: TypeScript.SourceFile, offset: number): TypeScript.VariableDeclaration | undefined {
  const find = (node: TypeScript.Node): TypeScript.VariableDeclaration | undefined => {
    if (offset < node.pos || offset >= node.end) return undefined;
    const isHere = ts.isVariableDeclaration(node) && offset >= node.name.getStart(file) && offset < node.name.end;
    return isHere ? node : ts.forEachChild(node, find);
  };
  return find(file);
}

function typeFor(initializer: TypeScript.Expression | undefined): string {
  if (!initializer || !ts.isAwaitExpression(initializer) || !ts.isCallExpression(initializer.expression)) return 'any';
  const { expression, arguments: values } = initializer.expression;
  const [specifier] = values;
  const isImport = expression.kind === ts.SyntaxKind.ImportKeyword && specifier && ts.isStringLiteral(specifier);
  return isImport ? `typeof import(${JSON.stringify(specifier.text)})` : 'any';
}
