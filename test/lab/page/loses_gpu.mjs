/** The inspector's process as it is, which loses its GPU at SIGUSR2, as when a driver starts anew. */
import '../../../dist/lab/server/inspector_child.js';
import { openGpu } from '../../../dist/node/gpu.js';

process.on('SIGUSR2', async () => {
  const { device } = await openGpu();
  device.destroy();
});
