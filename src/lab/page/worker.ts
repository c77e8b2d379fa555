/**
 * The inspector's session in a page without a server: in a worker, so that long computing leaves the page free, or in the
 * page itself where there can be no worker. The same script does for both: a bundler gives it the kernels' texts and calls
 * `serveAlone` (see src/lab/build_pages.mjs).
 */
import { blobSource, browserPlatform, type Kernels } from '../../browser/index.ts';
import { UsageError } from '../../errors.ts';
import type { ByteSource } from '../../platform.ts';
import type { InspectorHost } from '../inspector/host.ts';
import { serveInspector } from '../inspector/index.ts';
import { type EngineInPage, READY } from './alone/engine.ts';

/** A worker's own side of its messages. */
interface WorkerScope {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
}

/** Bytes of values that all runs keep: a tab of a class's laptop has less room than a server. */
const BUDGET = 2 ** 28;

/** Serves the page whose worker this is; in a page, leaves `serveLayerscope` for it to call. */
export function serveAlone(kernels: Exclude<Kernels, string | URL>): void {
  const host: InspectorHost = { platform: browserPlatform(kernels), open: fetched, llamaCpp: null, budget: BUDGET };
  if ('document' in globalThis) {
    (globalThis as EngineInPage).serveLayerscope = (port) => void serveInspector(port, host);
    return;
  }
  const scope = globalThis as unknown as WorkerScope;
  serveInspector(
    {
      post: (message) => scope.postMessage(message),
      onMessage: (listener) => scope.addEventListener('message', ({ data }) => listener(data)),
      onClose: () => {}, // a worker ends with its page, at once
    },
    host,
  );
  scope.postMessage(READY);
}

/** A file that lies beside the page, as the shipped model may. Others have to be dropped. */
async function fetched(path: string): Promise<ByteSource> {
  const cure = 'Drop the file on this page, or choose it with "Open file"';
  const response = await fetch(new URL(path, location.href)).catch((cause: Error) => {
    throw new UsageError(`Cannot open ${path}: it does not lie beside this page (${cause.message}). ${cure}`, {
      cause,
    });
  });
  if (!response.ok) {
    throw new UsageError(`Cannot open ${path}: the server of this page answers ${response.status}. ${cure}`);
  }
  return blobSource(Object.assign(await response.blob(), { name: path }));
}
