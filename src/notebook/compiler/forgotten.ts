/**
 * Declarations that tslab does not carry from cell to cell: namespaces, `import A = B.c`, and augmentations (`declare global`,
 * `declare module 'm'`). Here they are kept until a cell declares their name again.
 */
import type TypeScript from 'typescript';
import { declaredNames } from './module_syntax.ts';
import { parseCell, typescript as ts } from './typescript.ts';

/** Of the declarations `earlier`, those that tslab forgets and that still hold after the cell `code`. */
export function forgotten(earlier: string, code: string): string {
  const again = new Set(
    parseCell(code).statements.flatMap((statement) => declaredNames(statement).map(({ text }) => text)),
  );
  const kept = parseCell(earlier).statements.filter((statement) => {
    if (isAugmentation(statement)) return true;
    const isForgotten = ts.isModuleDeclaration(statement) || ts.isImportEqualsDeclaration(statement);
    return isForgotten && !again.has(statement.name.text);
  });
  return kept.map((statement) => `${statement.getFullText().trim()}\n`).join('');
}

/** `earlier` without the augmentations that the cell `code` makes again, perhaps otherwise. */
export function withoutMadeAgain(earlier: string, code: string): string {
  const again = augmentations(code).flatMap(augmentedNames);
  if (again.length === 0) return earlier;
  const gone = augmentations(earlier).filter((each) => augmentedNames(each).every((name) => again.includes(name)));
  return gone.reduceRight((text, { pos, end }) => text.slice(0, pos) + text.slice(end), earlier);
}

type Augmentation = TypeScript.ModuleDeclaration & { readonly body?: TypeScript.ModuleBody };

function isAugmentation(statement: TypeScript.Statement): statement is Augmentation {
  if (!ts.isModuleDeclaration(statement)) return false;
  return ts.isStringLiteral(statement.name) || (statement.flags & ts.NodeFlags.GlobalAugmentation) !== 0;
}

function augmentations(text: string): Augmentation[] {
  return parseCell(text).statements.filter(isAugmentation);
}

/** What it declares, with the module in front. */
function augmentedNames({ name, body }: Augmentation): string[] {
  if (!body || !ts.isModuleBlock(body)) return [];
  return body.statements.flatMap(declaredNames).map(({ text }) => `${name.text} ${text}`);
}
