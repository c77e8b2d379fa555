/** What the tests run in a page: bundled, and called through `page.evaluate`. `tensorsOf` runs in Node as well. */
import { type Model, openModel } from '../../src/browser/index.ts';

/** Every tensor of one pass over `tokens`, by name, in order of computation. */
export async function tensorsOf(model: Model, tokens: readonly number[]): Promise<Record<string, number[]>> {
  const run = model.start(tokens);
  await run.toEnd();
  const values: Record<string, number[]> = {};
  for (const name of run.trace.names) values[name] = Array.from((await run.trace.tensor(name)).data);
  return values;
}

/** The same of the GGUF file at `url`. */
async function tensorsOfFile(url: string, tokens: readonly number[]): Promise<Record<string, number[]>> {
  const file = await (await fetch(url)).blob();
  return tensorsOf(await openModel(file, { kernels: '/kernels' }), tokens);
}

export type InPage = typeof globalThis & { tensorsOfFile: typeof tensorsOfFile };
(globalThis as InPage).tensorsOfFile = tensorsOfFile;
