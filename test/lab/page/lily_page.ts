/** The inspector in Chromium with the shipped model, llama.cpp where there is one, and the notebook's kernel for its cells. */
import { fileURLToPath } from 'node:url';
import type { CellOutput } from '../../../src/notebook/index.ts';
import { nodeHost } from '../inspector/lab_session.ts';
import { type InspectorPage, type LabFiles, openInspectorPage } from './inspector_page.ts';

/** A path that names the model for the page as for a cell that runs in the repository's root. */
export const MODEL = 'fixtures/lily-4m-f16.gguf';
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export async function openLilyPage(chromium: string, files: LabFiles = {}): Promise<InspectorPage> {
  const { llamaCpp, readDump } = nodeHost;
  return openInspectorPage(chromium, { [MODEL]: `${ROOT}${MODEL}`, ...files }, undefined, {
    llamaCpp,
    ...(readDump ? { readDump } : {}),
  });
}

/** Opens a view as a link does that somebody was given. */
export async function followLink(
  { page, url }: InspectorPage,
  view: string,
  ...more: readonly string[]
): Promise<void> {
  await page.goto('about:blank');
  const link = [`inspect=1`, `model=${MODEL}`, 'text=Lily+gave+the+ball+to+Tom.+Tom+thanked', `view=${view}`, ...more];
  await page.goto(`${url}#${link.join('&')}`);
  await page.locator(`[data-view="${view}"]`).waitFor();
}

/** Puts the view into the notebook as the button does, runs the cell in our kernel, and gives what it shows as text. */
export async function runCopiedCell({ page, cells }: InspectorPage): Promise<{ code: string; shown: string }> {
  await page.getByRole('button', { name: 'Copy as cell' }).click();
  await page.waitForFunction('cells.length > 0');
  const code = (await cells()).at(-1) as string;
  // The built one: its prelude is the package's own types.
  const { startCells }: typeof import('../../../src/notebook/index.ts') = await import(`${ROOT}dist/notebook/index.js`);
  const kernel = await startCells({ cwd: ROOT });
  try {
    const outputs: CellOutput[] = [];
    const { error } = await kernel.execute(code, (output) => outputs.push(output));
    if (error) throw new Error(`${code}\n${error.evalue}`);
    const shown = outputs.map((output) => ('data' in output ? `${output.data['text/plain']}` : '')).join('\n');
    return { code, shown };
  } finally {
    await kernel.close();
  }
}
