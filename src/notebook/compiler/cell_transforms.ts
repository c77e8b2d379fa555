/**
 * What tslab's converter gets wrong in a cell, put right before TypeScript turns it into JavaScript. tslab then makes every name
 * of an earlier cell `exports.name`, and the last statement, if it is an expression, the cell's result.
 */
import type TypeScript from 'typescript';

type Transformer = TypeScript.TransformerFactory<TypeScript.SourceFile>;

/**
 * `{ x }` becomes `{ x: exports.x }` where an earlier cell declared x, which tslab forgets. And names that tslab would take for
 * variables of earlier cells, because it finds them declared there, lose their symbols: the x of `const { x: y } = o`, a property
 * of an earlier type, and what `declare global` added.
 */
export function withEarlierNames(
  ts: typeof TypeScript,
  checker: TypeScript.TypeChecker,
  isEarlier: (declaration: TypeScript.Declaration) => boolean,
): Transformer {
  const isGlobal = (node: TypeScript.Node): boolean =>
    (node.flags & ts.NodeFlags.GlobalAugmentation) !== 0 || (node.parent && isGlobal(node.parent));
  const earlierDeclarations = (symbol: TypeScript.Symbol | undefined) => symbol?.declarations?.filter(isEarlier) ?? [];
  const isVariable = (symbol: TypeScript.Symbol | undefined) =>
    earlierDeclarations(symbol).some((declaration) => !isGlobal(declaration));
  const isAddedGlobal = (symbol: TypeScript.Symbol | undefined) => earlierDeclarations(symbol).some(isGlobal);
  return (context) => (file) => {
    const { factory } = context;
    const visit = (node: TypeScript.Node): TypeScript.Node => {
      if (ts.isIdentifier(node)) {
        return isAddedGlobal(checker.getSymbolAtLocation(node)) ? factory.createIdentifier(node.text) : node;
      }
      if (ts.isBindingElement(node) && node.propertyName && ts.isIdentifier(node.propertyName)) {
        const { dotDotDotToken, propertyName, name, initializer } = ts.visitEachChild(node, visit, context);
        const plain = factory.createIdentifier((propertyName as TypeScript.Identifier).text);
        return factory.updateBindingElement(node, dotDotDotToken, plain, name, initializer);
      }
      if (!ts.isShorthandPropertyAssignment(node) || !isVariable(checker.getShorthandAssignmentValueSymbol(node))) {
        return ts.visitEachChild(node, visit, context);
      }
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

/**
 * Makes the result of a cell the last statement that its user wrote. Without it, tslab takes what namespaces, enums and
 * decorated classes are compiled to for one, and names a function or class that has no name after the variable it uses.
 */
export function asLastExpression(ts: typeof TypeScript): Transformer {
  return ({ factory }) =>
    (file) => {
      const at = file.statements.findLastIndex((statement) => !ts.isExportDeclaration(statement));
      const last = file.statements[at];
      if (!last) return file;
      const replaced = ts.isExpressionStatement(last)
        ? [isNameless(ts, last.expression) ? factory.updateExpressionStatement(last, unnamed(last.expression)) : last]
        : [last, factory.createEmptyStatement()];
      return factory.updateSourceFile(file, [
        ...file.statements.slice(0, at),
        ...replaced,
        ...file.statements.slice(at + 1),
      ]);

      /** `(0, f)`: JavaScript names `x = f` after x, but not this. */
      function unnamed(value: TypeScript.Expression): TypeScript.Expression {
        return factory.createParenthesizedExpression(factory.createComma(factory.createNumericLiteral(0), value));
      }
    };
}

function isNameless(ts: typeof TypeScript, expression: TypeScript.Expression): boolean {
  let value = expression;
  while (ts.isParenthesizedExpression(value)) value = value.expression;
  return ts.isArrowFunction(value) || ((ts.isFunctionExpression(value) || ts.isClassExpression(value)) && !value.name);
}
