/** The call around the cursor, for hover inside its brackets. */
import type TypeScript from 'typescript';
import { parseCell, typescript as ts } from './typescript.ts';

/** Offset of the name of the function in whose arguments `offset` lies; null where it lies in none. */
export function calleeBefore(code: string, offset: number): number | null {
  // Without what follows, the calls around the cursor are those that are not closed, and they reach to the end.
  const before = code.slice(0, offset).trimEnd();
  const file = parseCell(before);
  let found: number | null = null;
  const visit = (node: TypeScript.Node): void => {
    if (node.end < before.length) return;
    if ((ts.isCallExpression(node) || ts.isNewExpression(node)) && node.arguments && !isClosed(node)) {
      const { expression } = node;
      found = (ts.isPropertyAccessExpression(expression) ? expression.name : expression).getStart(file);
    }
    ts.forEachChild(node, visit);
  };
  const isClosed = (call: TypeScript.Node) => call.getChildren(file).at(-1)?.kind === ts.SyntaxKind.CloseParenToken;
  visit(file);
  return found;
}
