/** Layerscope in Node: the public API, with models and traces opened by path. */
import { type Model, type OpenOptions, openModelFrom } from '../engine/model.ts';
import type { Platform } from '../platform.ts';
import { backendOfEnvironment } from './backend.ts';
import { openFile } from './files.ts';
import { openGpu } from './gpu.ts';
import { readKernel } from './kernels.ts';
import { resolveModel } from './models.ts';
import { currentWatch } from './watch.ts';
import { writeWholeFile } from './whole_file.ts';

export * from '../index.ts';
export { readArrow } from './arrow_file.ts';
export { type DumpFormat, dumpFormats, type ReadDumpOptions, readDump } from './dump.ts';
export { openFile } from './files.ts';
export { type FoundModel, listModels } from './models.ts';
export { setWatch } from './watch.ts';

export const nodePlatform: Platform = {
  kernel: readKernel,
  gpu: openGpu,
  now: () => new Date(),
  writeFile: writeWholeFile,
  watch: currentWatch,
};

/**
 * Opens a GGUF file: a path, or the name of one that is already on this machine, such as `ollama:llama3.2:1b`. Nothing is
 * ever downloaded. Weights are read when a step first needs them, so a model of any size opens at once. Where no backend is
 * asked for, LAYERSCOPE_BACKEND chooses it, else it is WebGPU.
 */
export async function openModel(pathOrName: string, options: OpenOptions = {}): Promise<Model> {
  const { backend = backendOfEnvironment() ?? 'webgpu' } = options;
  const source = await openFile(await resolveModel(pathOrName));
  try {
    return await openModelFrom(source, nodePlatform, { ...options, backend });
  } catch (error) {
    await source.close();
    throw error;
  }
}
