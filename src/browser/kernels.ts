/** Kernel text in a browser: fetched from a folder that is served, or taken from texts that a bundler put in. */
import { DeviceError } from '../errors.ts';
import type { KernelText } from '../platform.ts';

/** Where kernels come from: the URL of the folder `kernels`, or each text by its name, as in `blocks/q4_0`. */
export type Kernels = string | URL | Readonly<Record<string, string>>;

/** By default the folder `kernels` beside the package's `dist`; as far from `src/browser` as from `dist/browser`. */
export function kernelText(kernels: Kernels = new URL('../../kernels/', import.meta.url)): KernelText {
  return typeof kernels === 'string' || kernels instanceof URL ? fetchedFrom(kernels) : takenFrom(kernels);
}

function fetchedFrom(folder: string | URL): KernelText {
  const base = `${folder}`.replace(/\/?$/, '/');
  return async (name) => {
    const url = `${base}${name}.wgsl`;
    const response = await fetch(url).catch((cause) => {
      throw new DeviceError(`Cannot read kernel ${name}: ${url} cannot be fetched (${cause.message}); ${CURE}`, {
        cause,
      });
    });
    if (!response.ok) {
      throw new DeviceError(`Cannot read kernel ${name}: ${url} answers ${response.status}; ${CURE}`);
    }
    return response.text();
  };
}

function takenFrom(texts: Readonly<Record<string, string>>): KernelText {
  return async (name) => {
    const text = Object.hasOwn(texts, name) ? texts[name] : undefined;
    if (text === undefined)
      throw new DeviceError(`Cannot read kernel ${name}: it is not among the texts given; ${CURE}`);
    return text;
  };
}

const CURE = "serve the package's folder kernels and give its URL: openModel(file, { kernels })";
