/**
 * From planned work to dispatches: what must be awaited first (weights on the device, compiled kernels, host tables) is
 * prepared, then everything is encoded without a pause. Uniform blocks of all dispatches lie in one buffer, 256 bytes
 * apart; bind groups are kept with the page they write to, so that a decode makes none after its first token.
 */
import type { Binding, DispatchRequest, KernelCall, Shape, WeightRows } from '../../ops/op.ts';
import { sizeOf } from '../../ops/shape.ts';
import type { Gpu } from '../../platform.ts';
import type { PassState } from '../backend.ts';
import type { Work } from '../plan.ts';
import { inputsOfKind } from '../shapes.ts';
import type { Bound, BoundPiece } from './bound.ts';
import { deviceTraits } from './device_traits.ts';
import type { Fill } from './fill.ts';
import { type KernelLinker, uniformBytes } from './link.ts';
import type { PassRecord, Placed } from './outputs.ts';
import type { DeviceWeights, ResidentWeight } from './resident.ts';
import { copyTexels, texelBytes, texelMemory } from './texels.ts';

const UNIFORM_SLOT_BYTES = 256;

export interface PreparedWork {
  readonly work: Work;
  readonly calls: readonly { readonly call: KernelCall; readonly pipeline: GPUComputePipeline }[];
  readonly weights: Readonly<Record<string, ResidentWeight>>;
  readonly table: BoundPiece | null;
}

export class Calls {
  readonly #gpu: Gpu;
  readonly #linker: KernelLinker;
  readonly #weights: DeviceWeights;
  readonly #fill: Fill | null;
  readonly #tables = new Map<string, { buffer: GPUBuffer; pass: PassState }>();
  readonly #ids = new WeakMap<object, number>();
  #nextId = 0;
  #tokens: GPUBuffer | null = null;
  #uniforms: GPUBuffer | null = null;
  #words = new Uint32Array(0);
  /** The copy of a tensor for kernels that read it from a texture, and the name of that tensor while it holds. */
  #copy: { texture: GPUTexture; view: GPUTextureView } | null = null;
  #copied: string | null = null;
  #slots = 0;

  /** `fill` is what a texture holds beyond the tensor that is copied to it; the tensor before unless given. */
  constructor(gpu: Gpu, linker: KernelLinker, weights: DeviceWeights, fill: Fill | null) {
    this.#gpu = gpu;
    this.#linker = linker;
    this.#weights = weights;
    this.#fill = fill;
  }

  /** Puts weights, tokens and tables on the device and compiles what is not compiled yet. */
  async prepare(record: PassRecord, works: readonly Work[]): Promise<PreparedWork[]> {
    const { pass } = record;
    this.#tokens = this.#upload(this.#tokens, 'tokens', Uint32Array.from(pass.tokens));
    const device = deviceTraits(this.#gpu);
    const prepared: PreparedWork[] = [];
    for (const work of works) {
      const weights: Record<string, ResidentWeight> = {};
      for (const [role, name] of residentInputs(work)) weights[role] = await this.#weights.get(name);
      const table = work.op.table ? await this.#table(work, pass) : null;
      const calls = [];
      for (const call of callsOf(work, { shapes: record.shapes, weights, pass, device })) {
        calls.push({ call, pipeline: await this.#linker.pipeline(call) });
      }
      prepared.push({ work, calls, weights, table });
    }
    this.#reserve(prepared.reduce((sum, { calls }) => sum + calls.length, 0));
    this.#reserveCopy(record, prepared);
    return prepared;
  }

  /** The tensor that the work reads from a texture and that must be copied there before its pass; neighbours share a copy. */
  toCopy({ work, calls }: PreparedWork): string | null {
    const binding = calls[0]?.call.bindings.find(isCopy);
    const name = binding ? (work.step.inputs[binding.role] ?? null) : null;
    return name === this.#copied ? null : name;
  }

  copy(encoder: GPUCommandEncoder, record: PassRecord, name: string): void {
    this.#fill?.texture(encoder, this.#copy!.texture);
    copyTexels(encoder, valuesOf(record, name), this.#copy!.texture);
    this.#copied = name;
  }

  /** Encodes one piece of work; `cache` gives a cache slot's buffer. */
  encode(
    encoder: GPUComputePassEncoder,
    record: PassRecord,
    { work, calls, weights, table }: PreparedWork,
    output: Placed,
    cache: (slot: string) => GPUBuffer,
  ): void {
    const resourceOf = (binding: Binding): Bound => {
      const { role, chunk = 0 } = binding;
      if (isCopy(binding)) return this.#copy!.view;
      if (role === 'output') return placedPiece(output);
      if (role === 'table' && table) return table;
      const name = work.step.inputs[role] ?? '';
      switch (work.op.inputs[role]?.kind) {
        case 'weight':
          return weights[role]!.resources[chunk]!;
        case 'tokens':
          return { buffer: this.#tokens!, offset: 0, size: 4 * record.pass.nTokens };
        case 'cache':
          return whole(cache(name));
        default:
          return placedPiece(record.placed.get(name)!);
      }
    };
    for (const { call, pipeline } of calls) {
      const slot = this.#slots++;
      this.#words.set(uniformBytes(call.uniforms), (slot * UNIFORM_SLOT_BYTES) / 4);
      const uniform = { buffer: this.#uniforms!, offset: slot * UNIFORM_SLOT_BYTES, size: UNIFORM_SLOT_BYTES };
      const resources = [uniform, ...call.bindings.map(resourceOf)];
      encoder.setPipeline(pipeline);
      encoder.setBindGroup(0, this.#bindGroup(output, pipeline, resources));
      encoder.dispatchWorkgroups(...call.workgroups);
    }
  }

  /** Sends the uniform blocks of what was encoded since `prepare`; call before submitting it. */
  writeUniforms(): void {
    if (this.#slots > 0) {
      this.#gpu.device.queue.writeBuffer(this.#uniforms!, 0, this.#words, 0, (this.#slots * UNIFORM_SLOT_BYTES) / 4);
    }
  }

  destroy(): void {
    for (const { buffer } of this.#tables.values()) buffer.destroy();
    this.#tokens?.destroy();
    this.#uniforms?.destroy();
    this.#copy?.texture.destroy();
  }

  /** The op's host-computed table for this pass, shared by every step of the same params. */
  async #table({ op, step }: Work, pass: PassState): Promise<BoundPiece> {
    const sources = inputsOfKind(op, step, 'weight');
    const key = JSON.stringify([op.name, step.params, sources]);
    const found = this.#tables.get(key);
    if (found && found.pass === pass) return whole(found.buffer);
    const weights: Record<string, WeightRows> = {};
    for (const [role, name] of sources) weights[role] = await this.#weights.host(name);
    const { data } = op.table!(step.params, pass, weights);
    const buffer = this.#upload(found?.buffer ?? null, `${op.name} table`, Float32Array.from(data));
    this.#tables.set(key, { buffer, pass });
    return whole(buffer);
  }

  /** Writes data to the buffer, or to a new one where it is too small. */
  #upload(
    buffer: GPUBuffer | null,
    label: string,
    data: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
  ): GPUBuffer {
    const { device } = this.#gpu;
    let target = buffer;
    if (!target || target.size < data.byteLength) {
      target?.destroy();
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
      target = device.createBuffer({ label, size: data.byteLength, usage });
    }
    device.queue.writeBuffer(target, 0, data);
    return target;
  }

  #reserve(calls: number): void {
    this.#slots = 0;
    const size = calls * UNIFORM_SLOT_BYTES;
    if (this.#uniforms && this.#uniforms.size >= size) return;
    this.#uniforms?.destroy();
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    this.#uniforms = this.#gpu.device.createBuffer({ label: 'uniforms', size: 2 * size, usage });
    this.#words = new Uint32Array((2 * size) / 4);
  }

  /** Makes room for the largest tensor that a kernel wants as a texture. */
  #reserveCopy(record: PassRecord, prepared: readonly PreparedWork[]): void {
    this.#copied = null;
    const sizes = prepared.flatMap(({ work, calls }) =>
      calls.flatMap(({ call }) =>
        call.bindings.filter(isCopy).map(({ role }) => 4 * sizeOf(record.shapes.get(work.step.inputs[role]!)!)),
      ),
    );
    const bytes = Math.max(0, ...sizes);
    if (bytes === 0 || (this.#copy && texelBytes(this.#copy.texture) >= bytes)) return;
    this.#copy?.texture.destroy();
    const texture = texelMemory(this.#gpu.device, 'copy', bytes, 'rgba32float');
    this.#copy = { texture, view: texture.createView() };
  }

  #bindGroup({ page }: Placed, pipeline: GPUComputePipeline, resources: readonly Bound[]): GPUBindGroup {
    const parts = resources.map((resource) =>
      'buffer' in resource ? `${this.#id(resource.buffer)}:${resource.offset}:${resource.size}` : this.#id(resource),
    );
    const key = `${this.#id(pipeline)} ${parts.join(' ')}`;
    let group = page.bindGroups.get(key);
    if (!group) {
      const entries = resources.map((resource, binding) => ({ binding, resource }));
      group = this.#gpu.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
      page.bindGroups.set(key, group);
    }
    return group;
  }

  #id(object: object): number {
    let id = this.#ids.get(object);
    if (id === undefined) {
      id = this.#nextId++;
      this.#ids.set(object, id);
    }
    return id;
  }
}

/** What decides the dispatches of work beside itself; shapes are those of the whole pass, by name. */
interface CallContext extends Pick<DispatchRequest, 'weights' | 'pass' | 'device'> {
  readonly shapes: ReadonlyMap<string, Shape>;
}

/** The dispatches that the op of planned work chooses. */
export function callsOf({ op, step }: Work, { shapes: all, ...context }: CallContext): readonly KernelCall[] {
  const shapes: Record<string, Shape> = {};
  for (const [role, name] of Object.entries(step.inputs)) {
    const shape = all.get(name);
    if (shape) shapes[role] = shape;
  }
  return op.dispatch({ ...context, shapes, output: all.get(step.name)!, params: step.params });
}

/** Roles and names of the weights that work reads on the device; a table's are read on the host, by the op itself. */
export function residentInputs({ op, step }: Work): (readonly [role: string, name: string])[] {
  return op.table ? [] : inputsOfKind(op, step, 'weight');
}

function placedPiece({ page, region }: Placed): BoundPiece {
  return { buffer: page.buffer, offset: region.offset, size: region.bytes };
}

/** Exactly the values of a tensor; the region it is placed in may be larger. */
function valuesOf(record: PassRecord, name: string): BoundPiece {
  const { page, region } = record.placed.get(name)!;
  return { buffer: page.buffer, offset: region.offset, size: 4 * region.count };
}

/** A tensor that the kernel reads from a texture. */
function isCopy({ storage }: Binding): boolean {
  return storage === 'texture';
}

function whole(buffer: GPUBuffer): BoundPiece {
  return { buffer, offset: 0, size: buffer.size };
}
