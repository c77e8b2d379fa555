/** The run that an inspector shows, as its button "Whole run" saves it. */
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { bytesSource } from '../../../src/gguf/bytes.ts';
import { openArrowTrace } from '../../../src/trace/arrow_reader.ts';

/** The values of every tensor, by name, in the order of the steps. */
export async function wholeRun(page: Page): Promise<Map<string, Float32Array>> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Whole run' }).click(),
  ]);
  const trace = await openArrowTrace(bytesSource('run.arrow', readFileSync(await download.path())));
  const values = new Map<string, Float32Array>();
  for (const { name } of trace.entries) values.set(name, (await trace.tensor(name)).data);
  return values;
}
