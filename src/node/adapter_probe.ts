/**
 * A program: opens a WebGPU device as Layerscope does, prints what it is as one line of JSON and ends with 0, or prints
 * `{ error }` and ends with 1. A process of its own, because a bad driver can abort it.
 */
import { openGpu } from './gpu.ts';

/** What a device is, as plain data. */
export interface AdapterReport {
  readonly vendor: string;
  readonly architecture: string;
  /** For Mesa with its version: `llvmpipe: Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6) 0.0.1`. */
  readonly description: string;
  /** True where it computes on the CPU. */
  readonly software: boolean;
  readonly subgroups: { readonly min: number; readonly max: number } | null;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

function reportOf({ device, adapter, subgroups }: Awaited<ReturnType<typeof openGpu>>): AdapterReport {
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const limits: Record<string, number> = {};
  for (const name in device.limits) limits[name] = Number(device.limits[name as keyof GPUSupportedLimits]);
  const features = [...device.features].sort();
  return { vendor, architecture, description, software: isFallbackAdapter, subgroups, features, limits };
}

function end(result: AdapterReport | { readonly error: string }, code: number): void {
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(code));
}

try {
  end(reportOf(await openGpu()), 0);
} catch (error) {
  end({ error: error instanceof Error ? error.message : String(error) }, 1);
}
