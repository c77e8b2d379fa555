/**
 * The WebGPU backend: plans a pass, encodes its kernel calls, and keeps the outputs somebody looks at on the device until
 * they are read. The same code runs in Node and in a browser.
 */
import { DeviceError, InterruptedError, StepError } from '../../errors.ts';
import type { Shape } from '../../ops/op.ts';
import type { Step } from '../../ops/step.ts';
import type { Gpu, KernelText } from '../../platform.ts';
import { type Statistics, statisticsOf } from '../../trace/statistics.ts';
import type { Backend, ExecuteRequest, Observed, Output, PassState, Session } from '../backend.ts';
import { planWork } from '../plan.ts';
import { inputsOfKind, outputShapes } from '../shapes.ts';
import type { WeightSource } from '../weight_store.ts';
import { Calls, callsOf, type PreparedWork, residentInputs } from './calls.ts';
import { deviceTraits } from './device_traits.ts';
import { Fill } from './fill.ts';
import { DeviceHealth } from './health.ts';
import { KvCache } from './kv_cache.ts';
import { KernelLinker, label, linkKernel } from './link.ts';
import { Outputs, type PassRecord, type Placed } from './outputs.ts';
import { Pace } from './pace.ts';
import { PartialOutputs } from './partial_outputs.ts';
import { DeviceWeights, type ResidentWeight } from './resident.ts';
import type { WebgpuContext } from './run_op.ts';
import { DeviceStatistics, type StatisticsReadback } from './statistics.ts';

/** The most tokens a pass may have where memory does not set a lower bound. */
const MAX_PASS_TOKENS = 512;

export function webgpuBackend(
  gpu: Gpu,
  kernels: KernelText,
  source: WeightSource,
  weights = new DeviceWeights(gpu, source),
): Backend {
  const { linker, health } = deviceContext(gpu, kernels);
  const { vendor, architecture, device, description } = gpu.adapter.info;
  return {
    name: 'webgpu',
    adapter: [vendor, architecture, device, description].filter(Boolean).join(' '),
    plan(steps, observed) {
      const fused = planWork(steps, 0, steps.length, observed).filter(({ names }) => names.length > 1);
      const { subgroupSize, fastStorage } = deviceTraits(gpu);
      return { fused: [...new Set(fused.map(({ op }) => op.name))], variants: { subgroupSize, fastStorage } };
    },
    async kernels({ name, steps, pass, observed }) {
      const work = planWork(steps, 0, steps.length, observed).find(({ names }) => names.includes(name));
      if (!work) return { together: [], kernels: [] };
      const shapes = outputShapes(steps, pass, (weight) => source.info(weight)?.shape);
      const resident: Record<string, ResidentWeight> = {};
      for (const [role, weight] of residentInputs(work)) resident[role] = await weights.get(weight);
      const context = { shapes, weights: resident, pass, device: deviceTraits(gpu) };
      const run = callsOf(work, context).map(async (call) => ({
        name: label(call),
        code: (await linkKernel(call, kernels)).code,
        overrides: call.overrides ?? {},
        workgroups: call.workgroups,
      }));
      return { together: work.names, kernels: await Promise.all(run) };
    },
    maxPassTokens(largestRow) {
      const floats = gpu.device.limits.maxStorageBufferBindingSize / 4;
      return Math.max(1, Math.min(MAX_PASS_TOKENS, Math.floor(floats / largestRow)));
    },
    over: (others) => webgpuBackend(gpu, kernels, others, weights.over(others)),
    session: (budget, fill) => new WebgpuSession({ gpu, linker, weights, health, source }, budget, fill),
    close: () => weights.destroy(),
  };
}

interface DeviceContext extends WebgpuContext {
  readonly gpu: Gpu;
  readonly linker: KernelLinker;
  readonly health: DeviceHealth;
}

const contexts = new WeakMap<Gpu, DeviceContext>();

/** What every model on a device shares: kernels are compiled once. */
export function deviceContext(gpu: Gpu, kernels: KernelText): DeviceContext {
  let context = contexts.get(gpu);
  if (!context) {
    context = { gpu, linker: new KernelLinker(gpu, kernels), health: new DeviceHealth(gpu.device) };
    contexts.set(gpu, context);
  }
  return context;
}

/** What the sessions of one model share. */
interface Shared {
  readonly gpu: Gpu;
  readonly linker: KernelLinker;
  readonly weights: DeviceWeights;
  readonly health: DeviceHealth;
  readonly source: WeightSource;
}

/** What was submitted: whose statistics come, in order, and how to read them. */
interface Submitted {
  readonly watched: readonly string[];
  readonly readback: StatisticsReadback | null;
}

class WebgpuSession implements Session {
  readonly #shared: Shared;
  readonly #device: GPUDevice;
  readonly #outputs: Outputs;
  readonly #cache: KvCache;
  readonly #calls: Calls;
  readonly #statistics: DeviceStatistics;
  readonly #partial: PartialOutputs;
  readonly #fill: Fill | null;
  readonly #pace = new Pace();

  constructor(shared: Shared, budget: number, fill: Uint32Array | undefined) {
    const { gpu, linker, weights } = shared;
    this.#shared = shared;
    this.#device = gpu.device;
    this.#outputs = new Outputs(gpu.device, budget);
    this.#fill = fill ? new Fill(gpu.device, fill) : null;
    this.#cache = new KvCache(gpu.device, this.#fill);
    this.#calls = new Calls(gpu, linker, weights, this.#fill);
    this.#statistics = new DeviceStatistics(gpu, linker);
    this.#partial = new PartialOutputs(gpu.device);
  }

  execute(request: ExecuteRequest): Promise<number> {
    return this.#shared.health.during(this.#execute(request));
  }

  async #execute(request: ExecuteRequest): Promise<number> {
    const record = this.#outputs.pass(request.pass.index) ?? this.#begin(request);
    const { from, to, observed, stop, onDone } = request;
    if (stop === undefined && onDone === undefined) {
      await this.#run(record, from, to, observed, false);
      return to;
    }
    if (!(await this.#upload(record, request))) return from;
    let done = from;
    while (done < to && !stop?.aborted) {
      const layers = this.#pace.layersAtOnce(request.pass.nTokens);
      const ahead = record.segments.filter(({ to }) => to > done).slice(0, Math.max(1, layers));
      done = await this.#runWatched(
        record,
        { ...request, from: done, to: Math.min(ahead.at(-1)!.to, to) },
        ahead.length,
      );
    }
    return done;
  }

  /** Runs steps of so many segments in one submit or in several, and waits for each. Gives the first step not done. */
  async #runWatched(record: PassRecord, request: ExecuteRequest, segments: number): Promise<number> {
    const { from, to, observed, stop, onDone } = request;
    const ends = planWork(record.steps, from, to, observed).map(({ index }) => index + 1);
    const isWhole = this.#pace.layersAtOnce(request.pass.nTokens) > 0;
    const begun = performance.now();
    let done = from;
    for (const end of isWhole ? [to] : ends) {
      if (stop?.aborted) return done;
      await this.#run(record, done, end, observed, true);
      done = end;
      await onDone?.(done);
    }
    this.#pace.took(segments, ends.length, performance.now() - begun);
    return done;
  }

  /** Puts all weights of a request on the device before its first step; false where it was stopped. */
  async #upload({ steps }: PassRecord, { from, to, observed, stop, onUpload }: ExecuteRequest): Promise<boolean> {
    const names = planWork(steps, from, to, observed).flatMap((work) => residentInputs(work).map(([, name]) => name));
    try {
      await this.#shared.weights.upload(names, { stop, onProgress: onUpload });
      return true;
    } catch (error) {
      if (error instanceof InterruptedError) return false;
      throw error;
    }
  }

  #begin({ pass, steps, observed }: ExecuteRequest): PassRecord {
    const shapes = outputShapes(steps, pass, (name) => this.#shared.source.info(name)?.shape);
    const encoder = this.#device.createCommandEncoder();
    const record = this.#outputs.begin(pass, steps, shapes, observed, encoder);
    this.#device.queue.submit([encoder.finish()]);
    return record;
  }

  /** Runs steps from … to-1 in one submit, and waits only where somebody wants statistics or progress. */
  async #run(record: PassRecord, from: number, to: number, observed: Observed, isWatched: boolean): Promise<void> {
    const { health, gpu } = this.#shared;
    health.check();
    const prepared = await this.#calls.prepare(record, planWork(record.steps, from, to, observed));
    await this.#statistics.prepare();
    this.#device.pushErrorScope('out-of-memory');
    let submitted: Submitted;
    let memory: Promise<GPUError | null>;
    try {
      submitted = this.#submit(record, to, prepared, observed);
    } finally {
      memory = this.#device.popErrorScope();
    }
    const { watched, readback } = submitted;
    if (readback) {
      const map = (buffer: GPUBuffer, size: number) => gpu.settle(buffer.mapAsync(GPUMapMode.READ, 0, size));
      const statistics = await readback.read(map);
      for (const [i, name] of watched.entries()) record.statistics.set(name, statistics[i]!);
    } else if (isWatched) {
      await gpu.settle(this.#device.queue.onSubmittedWorkDone());
    }
    const error = await memory;
    if (error) {
      throw new DeviceError(
        `Cannot run steps ${record.steps[from]?.name} to ${record.steps[to - 1]?.name}: the GPU's memory is full ` +
          `(${error.message}); use a shorter prompt, or a smaller budget`,
      );
    }
    health.check();
  }

  /** Encodes and submits what was prepared, segment by segment. */
  #submit(record: PassRecord, to: number, prepared: readonly PreparedWork[], observed: Observed): Submitted {
    const encoder = this.#device.createCommandEncoder();
    const watched: string[] = [];
    for (const [index, segment] of record.segments.entries()) {
      const inside = prepared.filter(({ work }) => work.index >= segment.from && work.index < segment.to);
      if (inside.length === 0) continue;
      this.#encode(encoder, record, index, inside);
      const names = inside.map(({ work }) => work.step.name).filter((name) => observed.statistics(name));
      watched.push(...this.#encodeStatistics(encoder, record, names));
      this.#outputs.retire(record, to >= segment.to ? index + 1 : index, observed, encoder);
    }
    const readback = watched.length > 0 ? this.#statistics.collect(encoder) : null;
    this.#calls.writeUniforms();
    this.#device.queue.submit([encoder.finish()]);
    return { watched, readback };
  }

  #encode(encoder: GPUCommandEncoder, record: PassRecord, segment: number, prepared: readonly PreparedWork[]): void {
    const slot = (name: string) => this.#cache.buffer(name, record.shapes.get(name)!);
    let pass: GPUComputePassEncoder | null = null;
    for (const item of prepared) {
      const { step } = item.work;
      const output = this.#outputs.place(record, segment, step.name);
      const target = this.#partial.target(step, output);
      const found = this.#slotsAsFound(record, item);
      if (this.#fill) {
        pass?.end();
        pass = null;
        this.#fill.buffer(encoder, output.page.buffer, output.region.offset, output.region.bytes);
      }
      const toCopy = this.#calls.toCopy(item);
      if (toCopy || found) {
        pass?.end();
        pass = null;
      }
      if (toCopy) this.#calls.copy(encoder, record, toCopy);
      const copies = found?.(encoder);
      pass ??= encoder.beginComputePass();
      this.#calls.encode(pass, record, item, target, (name) => copies?.get(name) ?? slot(name));
      if (step.unwritten) {
        pass.end();
        pass = null;
        this.#partial.encode(encoder, step.unwritten, target, output);
      }
      if (step.writes) {
        pass?.end();
        pass = null;
        const { page, region } = output;
        const at = this.#cache.offset(record.pass.nPast, record.shapes.get(step.writes)!);
        encoder.copyBufferToBuffer(page.buffer, region.offset, slot(step.writes), at, 4 * region.count);
      }
    }
    pass?.end();
  }

  /** Copies of the cache slots that a step reads, by name, where it finds other rows in them than were written; else null. */
  #slotsAsFound({ pass, shapes }: PassRecord, { work: { op, step } }: PreparedWork) {
    const { cached } = step;
    if (!cached) return null;
    const slots = inputsOfKind(op, step, 'cache').map(([, name]) => name);
    return (encoder: GPUCommandEncoder) =>
      new Map(
        slots.map((name) => [name, this.#cache.copy(encoder, name, shapes.get(name)!, (at) => cached(at, pass))]),
      );
  }

  /** Looks at every named output, page by page. Gives the names in the order in which their statistics will come. */
  #encodeStatistics(encoder: GPUCommandEncoder, record: PassRecord, names: readonly string[]): string[] {
    if (names.length === 0) return [];
    const pageOf = (name: string) => record.placed.get(name)!.page;
    const pages = [...new Set(names.map(pageOf))];
    const byPage = pages.map((page) => ({ page, inside: names.filter((name) => pageOf(name) === page) }));
    const pass = encoder.beginComputePass();
    for (const { page, inside } of byPage) {
      const regions = inside.map((name) => record.placed.get(name)!.region);
      this.#statistics.encode(pass, page.buffer, regions);
    }
    pass.end();
    return byPage.flatMap(({ inside }) => inside);
  }

  has(pass: number, name: string): boolean {
    return this.#outputs.pass(pass)?.placed.has(name) ?? false;
  }

  read(pass: number, name: string, rows?: { start: number; count: number }): Promise<Output> {
    return this.#shared.health.during(this.#read(pass, name, rows));
  }

  async #read(pass: number, name: string, rows?: { start: number; count: number }): Promise<Output> {
    this.#shared.health.check();
    const { page, region, shape } = this.#placed(pass, name);
    const width = region.count / (shape[0] ?? 1);
    const start = 4 * width * (rows?.start ?? 0);
    const bytes = 4 * width * (rows?.count ?? shape[0] ?? 1);
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const staging = this.#device.createBuffer({ label: `read ${name}`, size: bytes, usage });
    try {
      const encoder = this.#device.createCommandEncoder();
      encoder.copyBufferToBuffer(page.buffer, region.offset + start, staging, 0, bytes);
      this.#device.queue.submit([encoder.finish()]);
      await this.#shared.gpu.settle(staging.mapAsync(GPUMapMode.READ));
      this.#shared.health.check();
      const data = new Float32Array(bytes / 4);
      data.set(new Float32Array(staging.getMappedRange()));
      return { shape: rows ? [rows.count, ...shape.slice(1)] : shape, data };
    } finally {
      staging.destroy();
    }
  }

  async write(pass: PassState, step: Step, data: Float32Array): Promise<void> {
    this.#shared.health.check();
    const { page, region } = this.#placed(pass.index, step.name);
    const { queue } = this.#device;
    const copy = Float32Array.from(data);
    queue.writeBuffer(page.buffer, region.offset, copy);
    const record = this.#outputs.pass(pass.index)!;
    if (step.writes) {
      const shape = record.shapes.get(step.writes)!;
      queue.writeBuffer(this.#cache.buffer(step.writes, shape), this.#cache.offset(pass.nPast, shape), copy);
    }
    if (record.statistics.has(step.name)) record.statistics.set(step.name, statisticsOf(copy));
  }

  #placed(pass: number, name: string): Placed & { readonly shape: Shape } {
    const record = this.#outputs.pass(pass);
    const placed = record?.placed.get(name);
    const shape = record?.shapes.get(name);
    if (!placed || !shape) throw new StepError(`Cannot read ${name}: pass ${pass} does not keep it`, { step: name });
    return { ...placed, shape };
  }

  statistics(pass: number, name: string): Statistics | null {
    return this.#outputs.pass(pass)?.statistics.get(name) ?? null;
  }

  shape(pass: number, name: string): Shape | null {
    return this.#outputs.pass(pass)?.shapes.get(name) ?? null;
  }

  rewind(pass: number, _steps: readonly Step[], from: number): void {
    this.#outputs.rewind(pass, from);
  }

  usage() {
    return { bytes: this.#outputs.keptBytes, dropped: this.#outputs.dropped };
  }

  close(): void {
    this.#outputs.destroy();
    this.#cache.destroy();
    this.#calls.destroy();
    this.#statistics.destroy();
    this.#partial.destroy();
    this.#fill?.destroy();
  }
}
