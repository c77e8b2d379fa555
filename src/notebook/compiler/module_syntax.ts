/**
 * What the text of a module may hold and a cell may not. A cell shares all that it declares, so `export` before a declaration
 * is blanked out, at no cost to positions; what has no meaning in a cell is refused in words that name the cure.
 */
import type TypeScript from 'typescript';
import { boundNames, RUNTIME } from './common_js.ts';
import { parseCell, typescript as ts } from './typescript.ts';

/** Something in a cell that cannot be. Offsets are in UTF-16 units. */
export interface Refusal {
  readonly start: number;
  readonly end: number;
  readonly message: string;
}

/** Names by which compiled cells reach each other and the executor, and tslab's for a cell's result. */
const TAKEN = ['exports', 'require', RUNTIME, 'tsLastExpr'];

/** A cell whose text is as long as `code` and exports nothing by itself, and what cannot stay in it. */
export function asCell(code: string): { readonly code: string; readonly refusals: readonly Refusal[] } {
  const file = parseCell(code);
  const refusals: Refusal[] = [];
  let text = code;
  const blank = (from: number, to: number) => {
    text = text.slice(0, from) + text.slice(from, to).replace(/[^\r\n]/g, ' ') + text.slice(to);
  };
  for (const statement of file.statements) {
    const [start, end] = [statement.getStart(file), statement.end];
    if (isPlainList(statement)) blank(start, end);
    else if (ts.isExportDeclaration(statement)) refusals.push({ start, end, message: EXPORTED_FROM });
    else if (ts.isExportAssignment(statement) || isNamelessDefault(statement)) {
      refusals.push({ start, end, message: EXPORTED_VALUE });
    } else {
      for (const modifier of exportModifiers(statement)) blank(modifier.getStart(file), modifier.end);
      for (const name of declaredNames(statement)) {
        if (!TAKEN.includes(name.text)) continue;
        const message = `Cannot declare ${name.text}: compiled cells use this name; choose another`;
        refusals.push({ start: name.getStart(file), end: name.end, message });
      }
    }
  }
  return { code: text, refusals };
}

const EXPORTED_FROM =
  'Cannot export this from a cell: no module imports a cell. What a cell imports or declares, later cells see: write ' +
  "`import { a } from 'b'` or `const c = a` instead";
const EXPORTED_VALUE =
  'Cannot export a default from a cell: no module imports a cell. Give the value a name, as in `const a = …`, or leave ' +
  '`export default` out';

/** `export { a, b };`, which says what is so in a cell anyway. */
function isPlainList(statement: TypeScript.Statement): boolean {
  if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier || !statement.exportClause) return false;
  return (
    ts.isNamedExports(statement.exportClause) && statement.exportClause.elements.every((each) => !each.propertyName)
  );
}

function isNamelessDefault(statement: TypeScript.Statement): boolean {
  const isNameless = (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) && !statement.name;
  return isNameless && exportModifiers(statement).length > 0;
}

function exportModifiers(statement: TypeScript.Statement): TypeScript.Modifier[] {
  const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
  return modifiers.filter(({ kind }) => kind === ts.SyntaxKind.ExportKeyword || kind === ts.SyntaxKind.DefaultKeyword);
}

/** The identifiers by which a statement at the top of a cell names something; those of an import too. */
export function declaredNames(statement: TypeScript.Statement): TypeScript.Identifier[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) => boundNames(name));
  }
  if (ts.isImportDeclaration(statement)) {
    const { name, namedBindings } = statement.importClause ?? {};
    const bindings = !namedBindings
      ? []
      : ts.isNamespaceImport(namedBindings)
        ? [namedBindings]
        : namedBindings.elements;
    return [...(name ? [name] : []), ...bindings.map((binding) => binding.name)];
  }
  const { name } = statement as TypeScript.DeclarationStatement;
  return name && ts.isIdentifier(name) ? [name] : [];
}
