/** WebGPU in a browser, through `navigator.gpu`. */
import { gpuOf } from '../engine/webgpu/gpu_of.ts';
import { DeviceError } from '../errors.ts';
import type { Gpu } from '../platform.ts';

let opened: Promise<Gpu> | undefined;
let wasLost = false;

/** The page's one device, opened on first use and again after it was lost. */
export function openGpu(): Promise<Gpu> {
  opened ??= requestGpu().catch((error) => {
    opened = undefined;
    throw error;
  });
  return opened;
}

async function requestGpu(): Promise<Gpu> {
  const { navigator } = globalThis as { navigator?: { gpu?: GPU } };
  if (!navigator?.gpu) {
    throw new DeviceError(
      'Cannot open a GPU: this page has no navigator.gpu; use a browser with WebGPU, and a page from https or localhost',
    );
  }
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) {
    throw new DeviceError(
      'Cannot open a GPU: the browser offers no WebGPU adapter' +
        // Chromium gives no other to a page under which its GPU process ended twice.
        (wasLost ? ' any more; load the page again, ' : '; turn hardware acceleration on, ') +
        "or use the f64 reference: openModel(file, { backend: 'reference' })",
    );
  }
  const gpu = await gpuOf(adapter);
  gpu.device.lost.then(() => {
    opened = undefined;
    wasLost = true;
  });
  return gpu;
}
