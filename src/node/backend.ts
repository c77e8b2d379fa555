/** Which backend this process is told to use, where nobody asks for one: LAYERSCOPE_BACKEND. */
import { UsageError } from '../errors.ts';

export type BackendName = 'webgpu' | 'reference';

/** Undefined where it is not set. Throws UsageError where it names none. */
export function backendOfEnvironment(env: NodeJS.ProcessEnv = process.env): BackendName | undefined {
  const { LAYERSCOPE_BACKEND: wanted } = env;
  if (wanted === undefined || wanted === '') return undefined;
  if (wanted === 'webgpu' || wanted === 'reference') return wanted;
  throw new UsageError(`Cannot use LAYERSCOPE_BACKEND=${wanted}: it must be webgpu or reference`);
}
