import { beforeAll, describe, expect, it } from 'vitest';
import { KernelLinker } from '../../src/engine/webgpu/link.ts';
import { DeviceStatistics, type Region } from '../../src/engine/webgpu/statistics.ts';
import { openGpu } from '../../src/node/gpu.ts';
import { readKernel } from '../../src/node/kernels.ts';
import { type Statistics, statisticsOf } from '../../src/trace/statistics.ts';
import { normals, seeded } from '../seeded.ts';

let device: GPUDevice;
let linker: KernelLinker;
let statistics: DeviceStatistics;

beforeAll(async () => {
  const gpu = await openGpu();
  device = gpu.device;
  linker = new KernelLinker(gpu, readKernel);
  statistics = new DeviceStatistics(gpu, linker);
  await statistics.prepare();
});

/** The device's statistics of tensors that lie in one page, 256 bytes apart at least. */
async function onDevice(tensors: readonly Float32Array[]): Promise<Statistics[]> {
  const regions: Region[] = [];
  let size = 0;
  for (const { length } of tensors) {
    regions.push({ offset: size, count: length });
    size += Math.ceil((length * 4) / 256) * 256;
  }
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: Math.max(size, 256), usage });
  for (const [i, values] of tensors.entries()) {
    device.queue.writeBuffer(buffer, regions[i]!.offset, values.buffer, values.byteOffset, values.byteLength);
  }
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  statistics.encode(pass, buffer, regions);
  pass.end();
  const readback = statistics.collect(encoder);
  device.queue.submit([encoder.finish()]);
  const all = await readback.read();
  buffer.destroy();
  return all;
}

/** Equal where bits are compared; the sums within 1e-6 of Σ|x| and of the RMS: DESIGN.md, "What agreement means". */
function expectAgreement(found: Statistics | undefined, values: Float32Array): void {
  const { sum, mean, rms, ...exact } = statisticsOf(values);
  expect(found).toMatchObject(exact);
  const absolute = values.reduce((total, x) => total + (Number.isFinite(x) ? Math.abs(x) : 0), 0);
  expect(Math.abs(found!.sum - sum)).toBeLessThanOrEqual(1e-6 * absolute);
  expect(Math.abs(found!.mean - mean)).toBeLessThanOrEqual((1e-6 * absolute) / Math.max(values.length, 1));
  expect(Math.abs(found!.rms - rms)).toBeLessThanOrEqual(1e-6 * rms);
}

function bound(on: GPUDevice, key: string | symbol): unknown {
  const value = Reflect.get(on, key, on);
  return typeof value === 'function' ? value.bind(on) : value;
}

function withBits(...bits: number[]): Float32Array {
  return new Float32Array(Uint32Array.from(bits).buffer);
}

describe('statistics on the device', () => {
  it('of [3, -4, 0, 1] are those computed by hand', async () => {
    const [s] = await onDevice([Float32Array.of(3, -4, 0, 1)]);
    expect(s).toMatchObject({ n: 4, sum: 0, min: -4, max: 3, absmax: 4, zeroCount: 1, nanCount: 0, infCount: 0 });
    expect(s!.rms).toBeCloseTo(Math.sqrt(26 / 4), 6);
  });

  it('agree with the definition at awkward sizes, many tensors in one dispatch', async () => {
    const sizes = [1, 2, 63, 64, 65, 257, 4095, 4096, 4097, 12289, 32000, 100003, 0, 7];
    const tensors = sizes.map((size, i) => normals(seeded(i), size, 10 ** ((i % 5) - 2)));
    const found = await onDevice(tensors);
    expect(found).toHaveLength(sizes.length);
    for (const [i, values] of tensors.entries()) expectAgreement(found[i], values);
  });

  it('agree on huge, tiny, mixed and denormal values', async () => {
    const random = seeded(5);
    const tensors = [
      normals(random, 5000, 1e30),
      normals(random, 5000, 1e-30),
      new Float32Array(5000).fill(3.4e38),
      Float32Array.from({ length: 5000 }, () => 10 ** (random() * 76 - 38) * (random() < 0.5 ? -1 : 1)),
      Float32Array.from({ length: 5000 }, (_, i) => (i - 2500) * 2 ** -149),
      Float32Array.from({ length: 5000 }, (_, i) => (i % 2 ? 1.5 : -1) * 2 ** -127),
      Float32Array.from({ length: 5000 }, (_, i) => (i % 2 ? 2 ** -140 : 2 ** -120)),
      Float32Array.of(2 ** -149),
      Float32Array.of(-(2 ** -126), 2 ** -127),
    ];
    const found = await onDevice(tensors);
    for (const [i, values] of tensors.entries()) expectAgreement(found[i], values);
  });

  it('see NaN of every kind, both infinities and both zeros', async () => {
    const odd = withBits(
      0x7fc00000,
      0xffc00000,
      0x7f800001,
      0x7fffffff,
      0x7f800000,
      0xff800000,
      0,
      0x80000000,
      1,
      0x3f800000,
    );
    const among = normals(seeded(6), 9000);
    for (const [i, at] of [0, 63, 64, 4095, 4096, 5000, 8191, 8192, 8999].entries()) among[at] = odd[i] as number;
    const tensors = [
      odd,
      among,
      new Float32Array(5000).fill(NaN),
      withBits(0x7f800000),
      withBits(0xff800000),
      withBits(0xffffffff),
      withBits(0x80000000),
      new Float32Array(70),
      new Float32Array(4096).fill(Infinity),
    ];
    const found = await onDevice(tensors);
    for (const [i, values] of tensors.entries()) expectAgreement(found[i], values);
    expect(found[0]).toMatchObject({ nanCount: 4, infCount: 2, zeroCount: 2, min: 0, max: 1 });
    expect(found[5]).toMatchObject({ nanCount: 1, min: null, max: null, absmax: null, sum: 0, rms: 0 });
  });

  it('keep the error of a sum below 1e-6 Σ|x| where all roundings go one way', async () => {
    const tensors = [1 + 2 ** -23, 1.9999999, 0.1, 1 / 3].map((x) => new Float32Array(720_896).fill(x));
    const found = await onDevice(tensors);
    for (const [i, values] of tensors.entries()) expectAgreement(found[i], values);
  });

  it('do not lose many small elements beside a large one', async () => {
    const tensors = [-12, -22, -30].map((power) => new Float32Array(4096).fill(2 ** power, 1).fill(1, 0, 1));
    const found = await onDevice(tensors);
    for (const [i, values] of tensors.entries()) expectAgreement(found[i], values);
    expect(found[1]!.sum).toBeCloseTo(1 + 4095 * 2 ** -22, 6);
  });

  it('accumulate over pages and passes of a forward pass, and start anew after it', async () => {
    const values = normals(seeded(7), 3000);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    const buffer = device.createBuffer({ size: 12032, usage });
    device.queue.writeBuffer(buffer, 0, values.buffer);
    for (const rounds of [40, 3]) {
      const encoder = device.createCommandEncoder();
      for (let round = 0; round < rounds; round++) {
        const pass = encoder.beginComputePass();
        statistics.encode(pass, buffer, [{ offset: 256 + 4 * round, count: 100 }]);
        statistics.encode(pass, buffer, [
          { offset: 40, count: round },
          { offset: 0, count: 3000 },
        ]);
        pass.end();
      }
      const readback = statistics.collect(encoder);
      device.queue.submit([encoder.finish()]);
      const found = await readback.read();
      expect(found).toHaveLength(3 * rounds);
      for (let round = 0; round < rounds; round++) {
        expectAgreement(found[3 * round], values.subarray(64 + round, 164 + round));
        expectAgreement(found[3 * round + 1], values.subarray(10, 10 + round));
        expectAgreement(found[3 * round + 2], values);
      }
    }
    buffer.destroy();
  });

  it('go on beyond one sheet of records', async () => {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    const values = normals(seeded(8), 4096 * 30);
    const buffer = device.createBuffer({ size: values.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, values.buffer);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const regions = Array.from({ length: 19_000 }, (_, i) => ({ offset: (i % 1000) * 4, count: 5 }));
    regions.push({ offset: 0, count: values.length });
    statistics.encode(pass, buffer, regions);
    pass.end();
    const readback = statistics.collect(encoder);
    device.queue.submit([encoder.finish()]);
    const found = await readback.read();
    for (const i of [0, 999, 4095, 4096, 16383, 16384, 18999]) {
      expectAgreement(found[i], values.subarray(i % 1000, (i % 1000) + 5));
    }
    expectAgreement(found[19_000], values);
    buffer.destroy();
  });

  it('see a page that is larger than a binding through several', async () => {
    const limits = { maxStorageBufferBindingSize: 1 << 16 };
    const small = { device: new Proxy(device, { get: (on, key) => (key === 'limits' ? limits : bound(on, key)) }) };
    const through = new DeviceStatistics(small, linker);
    await through.prepare();
    const values = normals(seeded(10), 100_000);
    const buffer = device.createBuffer({
      size: values.byteLength,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(buffer, 0, values.buffer);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    through.encode(pass, buffer, [
      { offset: 0, count: 100_000 },
      { offset: 4 * 50, count: 90_001 },
      { offset: 4 * 8190, count: 5 },
    ]);
    pass.end();
    const readback = through.collect(encoder);
    device.queue.submit([encoder.finish()]);
    const found = await readback.read();
    expectAgreement(found[0], values);
    expectAgreement(found[1], values.subarray(50, 90_051));
    expectAgreement(found[2], values.subarray(8190, 8195));
    through.destroy();
    buffer.destroy();
  });

  it('are the same in every bit when computed twice', async () => {
    const values = normals(seeded(9), 50_000);
    expect(await onDevice([values])).toEqual(await onDevice([values]));
  });
});
