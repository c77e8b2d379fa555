/**
 * Golden tensors: what llama.cpp computes on a model's F32 twin for one prompt, as an Arrow trace that is shipped in
 * `fixtures/golden`. The f64 reference is held against them where llama.cpp is not at hand. The same release of llama.cpp
 * on the same CPU writes the same bytes: neither the day nor a path of this machine is in it.
 */
import { basename } from 'node:path';
import { writeArrowFile } from '../node/arrow_file.ts';
import type { Manifest } from '../trace/trace.ts';
import { llamaCpp } from './index.ts';
import { f32Twin } from './twin.ts';

/** Runs `prompt` as one prefill and writes every tensor that has a name of ours. Returns the file's size in bytes. */
export async function writeGolden(path: string, model: string, prompt: string): Promise<number> {
  const twin = llamaCpp(await f32Twin(model));
  try {
    const trace = await twin.trace(await twin.tokenize(prompt), { prompt });
    const { date, ...manifest }: Manifest = trace.manifest;
    return await writeArrowFile(path, { ...manifest, file: basename(model) }, (writer) => trace.writeTo(writer));
  } finally {
    await twin.close();
  }
}
