/** Layerscope in a browser: the public API, with models opened from a File or Blob. */
import { type Model, type OpenOptions, openModelFrom } from '../engine/model.ts';
import { TraceError } from '../errors.ts';
import type { Platform } from '../platform.ts';
import { blobSource } from './blob.ts';
import { openGpu } from './gpu.ts';
import { type Kernels, kernelText } from './kernels.ts';

export * from '../index.ts';
export { blobSource } from './blob.ts';
export { type Kernels, kernelText } from './kernels.ts';

export interface BrowserOpenOptions extends OpenOptions {
  /** Default: the folder `kernels` beside the package's `dist`. A bundle moves away from it, and has to say. */
  readonly kernels?: Kernels;
}

export const browserPlatform = (kernels?: Kernels): Platform => ({
  kernel: kernelText(kernels),
  gpu: openGpu,
  now: () => new Date(),
  writeFile: async (path) => {
    throw new TraceError(`Cannot write ${path}: a page has no files to write to; trace the model in Node for that`, {
      file: path,
    });
  },
});

/** Opens a GGUF file that the user chose or the page fetched. Weights are read when a step first needs them. */
export function openModel(file: Blob, { kernels, ...options }: BrowserOpenOptions = {}): Promise<Model> {
  return openModelFrom(blobSource(file), browserPlatform(kernels), options);
}
