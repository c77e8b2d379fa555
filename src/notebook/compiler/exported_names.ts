/** The names that a module exports, read from its declaration file alone: no program is made and nothing is checked. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type TypeScript from 'typescript';
import { typescript as ts } from './typescript.ts';

/** Values and types that the `.d.ts` file at `path` exports, those of `export * from './…'` included. */
export function exportedNames(path: string): string[] {
  const names = new Set<string>();
  const visit = (file: string) => {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022);
    for (const statement of source.statements) {
      if (!ts.isExportDeclaration(statement)) {
        for (const name of declaredNames(statement)) names.add(name);
      } else if (!statement.exportClause) {
        visit(declarationFile(file, statement.moduleSpecifier));
      } else if (ts.isNamespaceExport(statement.exportClause)) {
        names.add(statement.exportClause.name.text);
      } else {
        for (const { name } of statement.exportClause.elements) names.add(name.text);
      }
    }
  };
  visit(path);
  return [...names];
}

/** Names of an `export declare …`; none of another statement. */
function declaredNames(statement: TypeScript.Statement): string[] {
  if (!ts.canHaveModifiers(statement)) return [];
  const isExported = ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
  if (!isExported) return [];
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) => (ts.isIdentifier(name) ? name.text : []));
  }
  const { name } = statement as TypeScript.DeclarationStatement;
  return name && ts.isIdentifier(name) ? [name.text] : [];
}

function declarationFile(from: string, specifier: TypeScript.Expression | undefined): string {
  const text = specifier && ts.isStringLiteral(specifier) ? specifier.text : '';
  return join(dirname(from), text.replace(/\.[jt]s$/, '.d.ts'));
}
