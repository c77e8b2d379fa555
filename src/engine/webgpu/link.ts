/**
 * The kernel linker: puts a kernel's WGSL together from its files and compiles it once.
 *
 *   kernels/<kernel>.wgsl          the kernel; its entry point is the last part of its name
 *   kernels/blocks/<block>.wgsl    the dequantiser of a weight's type, where the call names one
 *   kernels/parts/<part>.wgsl      whatever the call names, or any of these in a line `// use: <part>`
 *
 * WGSL has no include, but its declarations may stand in any order, so files are simply put one after another. Directives
 * (`enable f16;`) must come first and are moved there. An error is given with the file and line it has on disk.
 */
import { DeviceError } from '../../errors.ts';
import type { KernelCall, Uniform } from '../../ops/op.ts';
import type { Gpu, KernelText } from '../../platform.ts';

/** What makes a pipeline the same pipeline. */
export type PipelineIdentity = Pick<KernelCall, 'kernel' | 'block' | 'parts' | 'overrides'>;

interface LinkedKernel {
  readonly code: string;
  /** Where each line of `code` stands on disk. */
  readonly lines: readonly string[];
}

export class KernelLinker {
  readonly #gpu: Gpu;
  readonly #text: KernelText;
  readonly #modules = new Map<string, Promise<GPUShaderModule>>();
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();

  constructor(gpu: Gpu, text: KernelText) {
    this.#gpu = gpu;
    this.#text = text;
  }

  /** The compiled kernel with bind group layout 'auto'. Throws DeviceError with the kernel's file and line. */
  pipeline(call: PipelineIdentity): Promise<GPUComputePipeline> {
    const overrides = Object.entries(call.overrides ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify([call.kernel, call.block, call.parts, overrides]);
    return kept(this.#pipelines, key, () => this.#compilePipeline(call));
  }

  async #compilePipeline(call: PipelineIdentity): Promise<GPUComputePipeline> {
    const module = await kept(this.#modules, JSON.stringify([call.kernel, call.block, call.parts]), () =>
      this.#compileModule(call),
    );
    const compute = { module, entryPoint: entryPoint(call.kernel), constants: { ...call.overrides } };
    try {
      return await this.#gpu.device.createComputePipelineAsync({ label: label(call), layout: 'auto', compute });
    } catch (cause) {
      throw cannotCompile(call, cause instanceof Error ? cause.message : String(cause));
    }
  }

  async #compileModule(call: PipelineIdentity): Promise<GPUShaderModule> {
    const { code, lines } = await linkKernel(call, this.#text);
    const { device } = this.#gpu;
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ label: label(call), code });
    const scope = device.popErrorScope();
    const { messages } = await module.getCompilationInfo();
    const error = messages.find(({ type }) => type === 'error');
    if (error) throw cannotCompile(call, `${lines[error.lineNum - 1] ?? call.kernel}: ${error.message}`);
    const invalid = await scope;
    if (invalid) throw cannotCompile(call, invalid.message);
    return module;
  }
}

/** The kernel's files as one text. Files that several name are put in once. */
export async function linkKernel(call: PipelineIdentity, text: KernelText): Promise<LinkedKernel> {
  const parts = (call.parts ?? []).map((part) => `parts/${part}`);
  const names = [call.kernel, ...(call.block ? [`blocks/${call.block}`] : []), ...parts];
  const directives: string[] = [];
  const code: string[] = [];
  const places: string[] = [];
  // `names` grows while it is walked: a file's parts come after it.
  for (const name of names) {
    const file = (await text(name)).split('\n');
    for (const [index, line] of file.entries()) {
      const part = /^\/\/ use: (\w+)\s*$/.exec(line)?.[1];
      if (part && !names.includes(`parts/${part}`)) names.push(`parts/${part}`);
      const isDirective = /^(enable|requires|diagnostic)\b/.test(line);
      if (isDirective && !directives.includes(line)) directives.push(line);
      code.push(isDirective ? '' : line);
      places.push(`kernels/${name}.wgsl:${index + 1}`);
    }
  }
  return {
    code: [...directives, ...code].join('\n'),
    lines: [...directives.map((line) => `kernels/${call.kernel}.wgsl (${line})`), ...places],
  };
}

/** The uniform block as bytes: one word per value, padded to 16 bytes, which every backend accepts. */
export function uniformBytes(uniforms: readonly Uniform[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(4 * Math.ceil(Math.max(1, uniforms.length) / 4));
  const floats = new Float32Array(words.buffer);
  for (const [index, value] of uniforms.entries()) {
    if (typeof value === 'number') words[index] = value;
    else floats[index] = value.f32;
  }
  return words;
}

function entryPoint(kernel: string): string {
  return kernel.slice(kernel.lastIndexOf('/') + 1);
}

/** `mul_mat q8_0` */
export function label({ kernel, block }: PipelineIdentity): string {
  return block ? `${kernel} ${block}` : kernel;
}

function cannotCompile(call: PipelineIdentity, reason: string): DeviceError {
  const overrides = call.overrides ? ` with ${JSON.stringify(call.overrides)}` : '';
  return new DeviceError(`Cannot compile kernel ${label(call)}${overrides}: ${reason}`);
}

/** The value under `key`, made on first use. One that fails is forgotten, so that a later call tries again. */
function kept<T>(map: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = map.get(key);
  if (!value) {
    value = make();
    value.catch(() => map.delete(key));
    map.set(key, value);
  }
  return value;
}
