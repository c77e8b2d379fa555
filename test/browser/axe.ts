/** What axe finds in a page. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** Selectors of what is looked at, and of what in it is not. */
interface Within {
  readonly include: readonly string[];
  readonly exclude?: readonly string[];
}

/** What axe calls serious or critical, each with the elements. Axe is run by the debugger: the pages' policy lets in no script. */
export async function seriousFaults(page: Page, within: Within = { include: [':root'] }): Promise<string[]> {
  if (await page.evaluate<boolean>("typeof axe === 'undefined'")) await page.evaluate(AXE);
  const { violations } = await page.evaluate<{ violations: readonly Violation[] }>(
    `axe.run(${JSON.stringify(within)}, { resultTypes: ['violations'] })`,
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(elementSaid).join(' | ')}`);
}

const elementSaid = ({ html, failureSummary }: Violation['nodes'][number]): string =>
  `${html.slice(0, 160)} ${failureSummary}`;
