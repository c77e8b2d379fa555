/** Kernel text from the `kernels` folder beside the package root; `src/node` and `dist/node` are equally far from it. */
import { readFile } from 'node:fs/promises';
import { DeviceError } from '../errors.ts';
import type { KernelText } from '../platform.ts';

const folder = new URL('../../kernels/', import.meta.url);

/** Reads `kernels/<name>.wgsl`. Throws DeviceError where there is no such file. */
export const readKernel: KernelText = async (name) => {
  try {
    return await readFile(new URL(`${name}.wgsl`, folder), 'utf8');
  } catch (cause) {
    throw new DeviceError(
      `Cannot read kernel ${name}: kernels/${name}.wgsl is not in this package; install layerscope again`,
      { cause },
    );
  }
};
