/**
 * Declarations whose types cannot be written down. What a cell leaves for later ones is a declaration file, and TypeScript
 * cannot print every type that it infers: not that of `await import('node:fs')`, for instance. Such a declaration gets a type.
 */
import type TypeScript from 'typescript';
import { parseCell, typescript as ts } from './typescript.ts';

/** TS4000 to TS4999, and: cannot be named without a reference; longer than the compiler prints; needs an annotation. */
export function isUnnameable(code: number): boolean {
  return (code >= 4000 && code < 5000) || code === 2742 || code === 7056 || (code >= 9005 && code < 9100);
}

/** Text to put into a cell. */
export interface Insertion {
  /** Offset in the cell, in UTF-16 units. */
  readonly at: number;
  readonly text: string;
}

/**
 * Types for the declarations that stand at `offsets`: the module's own for a variable that holds an import, else `any`. Null
 * where an offset is at nothing that could have a type and has none.
 */
export function missingTypes(code: string, offsets: readonly number[]): Insertion[] | null {
  const file = parseCell(code);
  const insertions = new Map<number, string>();
  for (const offset of offsets) {
    const missing = missingType(declarationAt(file, offset), file);
    if (!missing) return null;
    insertions.set(missing.at, missing.text);
  }
  return [...insertions].map(([at, text]) => ({ at, text })).sort((a, b) => a.at - b.at);
}

/** The innermost declaration whose name, or pattern in its place, stands at the offset. */
function declarationAt(file: TypeScript.SourceFile, offset: number): TypeScript.NamedDeclaration | undefined {
  let found: TypeScript.NamedDeclaration | undefined;
  const visit = (node: TypeScript.Node): void => {
    if (offset < node.pos || offset >= node.end) return;
    const { name } = node as TypeScript.NamedDeclaration;
    // A part of a pattern has no type of its own: the whole pattern gets one.
    const isHere = name && !ts.isBindingElement(node) && offset >= name.getStart(file) && offset < name.end;
    if (isHere) found = node as TypeScript.NamedDeclaration;
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function missingType(declaration: TypeScript.Node | undefined, file: TypeScript.SourceFile): Insertion | null {
  if (!declaration) return null;
  if (ts.isVariableDeclaration(declaration) || ts.isParameter(declaration) || ts.isPropertyDeclaration(declaration)) {
    if (declaration.type) return null;
    const mark = ts.isVariableDeclaration(declaration)
      ? declaration.exclamationToken
      : (declaration.questionToken ??
        (ts.isPropertyDeclaration(declaration) ? declaration.exclamationToken : undefined));
    const isNamed = ts.isIdentifier(declaration.name);
    return { at: (mark ?? declaration.name).end, text: `: ${isNamed ? typeFor(declaration.initializer) : 'any'}` };
  }
  if (!ts.isFunctionLike(declaration) || declaration.type) return null;
  const isAsync = (ts.getCombinedModifierFlags(declaration as TypeScript.Declaration) & ts.ModifierFlags.Async) !== 0;
  const isGenerator = (declaration as TypeScript.FunctionLikeDeclaration).asteriskToken !== undefined;
  const close = declaration.getChildren(file).find(({ kind }) => kind === ts.SyntaxKind.CloseParenToken);
  return close ? { at: close.end, text: isAsync && !isGenerator ? ': Promise<any>' : ': any' } : null;
}

function typeFor(initializer: TypeScript.Expression | undefined): string {
  if (!initializer || !ts.isAwaitExpression(initializer) || !ts.isCallExpression(initializer.expression)) return 'any';
  const { expression, arguments: values } = initializer.expression;
  const [specifier] = values;
  const isImport = expression.kind === ts.SyntaxKind.ImportKeyword && specifier && ts.isStringLiteral(specifier);
  return isImport ? `typeof import(${JSON.stringify(specifier.text)})` : 'any';
}
