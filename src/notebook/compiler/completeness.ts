/** Whether a cell could run as it stands, or wants more lines; for consoles. */
import { createRequire } from 'node:module';
import { typescript as ts } from './typescript.ts';

const require = createRequire(import.meta.url);

export type Completeness = { readonly isComplete: true } | { readonly isComplete: false; readonly indent: string };

export function completeness(code: string): Completeness {
  const { isCompleteCode } = require('tslab/dist/converter.js') as typeof import('tslab/dist/converter.js');
  const { completed, indent } = isCompleteCode(code);
  if (!completed) return { isComplete: false, indent: indent ?? '' };
  return endsInTemplate(code) ? { isComplete: false, indent: '' } : { isComplete: true };
}

/** TypeScript's "Unterminated template literal", which tslab takes for a mistake. */
const UNTERMINATED_TEMPLATE = 1160;

function endsInTemplate(code: string): boolean {
  const { diagnostics = [] } = ts.transpileModule(code, { reportDiagnostics: true });
  return diagnostics.some(({ code }) => code === UNTERMINATED_TEMPLATE);
}
