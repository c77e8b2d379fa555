/**
 * Opens a WebGPU device as Layerscope itself does, prints the adapter's description and ends. A process of its own,
 * because a bad driver can abort it. Exit code 0 means: this machine computes on WebGPU.
 */
import { openGpu } from '../../dist/node/gpu.js';

try {
  const { adapter } = await openGpu();
  process.stdout.write(adapter.info.description || adapter.info.vendor);
  process.exit(0); // Dawn's threads need not be waited for
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
