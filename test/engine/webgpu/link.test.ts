import { describe, expect, test } from 'vitest';
import { KernelLinker, linkKernel, uniformBytes } from '../../../src/engine/webgpu/link.ts';
import { DeviceError } from '../../../src/errors.ts';
import { openGpu } from '../../../src/node/gpu.ts';
import { readKernel } from '../../../src/node/kernels.ts';
import { ops } from '../../../src/ops/index.ts';

const files: Readonly<Record<string, string>> = {
  twice: [
    '// use: by_two',
    'enable f16;',
    '@group(0) @binding(0) var<storage, read_write> y: array<f32>;',
    '@compute @workgroup_size(1)',
    'fn twice() { y[0] = by_two(y[0]); }',
  ].join('\n'),
  'parts/by_two': ['// use: two', 'fn by_two(x: f32) -> f32 {', '  return TWO * x;', '}'].join('\n'),
  'parts/two': 'enable f16;\nconst TWO = 2.0;',
  'blocks/q': '// use: two\nconst BLOCK = TWO;',
  'fused/broken': ['// use: wrong', '@compute @workgroup_size(1)', 'fn broken() { wrong(); }'].join('\n'),
  'parts/wrong': 'fn wrong() {\n  let x: u32 = -1.5;\n}',
};
const text = async (name: string) => files[name] ?? '';

test('a kernel is linked with its block and, once each, the parts that its files use', async () => {
  const { code } = await linkKernel({ kernel: 'twice', block: 'q' }, text);
  for (const piece of ['fn twice', 'fn by_two', 'const TWO', 'const BLOCK']) expect(code.split(piece)).toHaveLength(2);
});

test('directives come first, once each, and every line keeps its place on disk', async () => {
  const { code, lines } = await linkKernel({ kernel: 'twice' }, text);
  expect(code.match(/enable f16;/g)).toHaveLength(1);
  expect(code.startsWith('enable f16;\n')).toBe(true);
  const at = code.split('\n').indexOf('  return TWO * x;');
  expect(lines[at]).toBe('kernels/parts/by_two.wgsl:3');
});

test('a part that two files name in a circle is put in once', async () => {
  const circle = async (name: string) =>
    ({ a: '// use: b', 'parts/b': '// use: c\n// b', 'parts/c': '// use: b\n// c' })[name] ?? '';
  const { code } = await linkKernel({ kernel: 'a' }, circle);
  expect(code.match(/^\/\/ [bc]$/gm)).toEqual(['// b', '// c']);
});

test('uniforms are words in order, f32 as their bits, padded to 16 bytes', () => {
  expect([...uniformBytes([7, { f32: 1 }, 4_294_967_295, 1, 2])]).toEqual([
    7, 0x3f800000, 4_294_967_295, 1, 2, 0, 0, 0,
  ]);
  expect(uniformBytes([]).byteLength).toBe(16);
});

test('a kernel that is not in the package is refused by its path', async () => {
  await expect(readKernel('nothing')).rejects.toThrow(/Cannot read kernel nothing: kernels\/nothing.wgsl/);
});

const gpu = await openGpu().catch((error: Error) => error);
if (gpu instanceof Error) {
  test.skip(`the linker on a device skipped: ${gpu.message}`);
} else {
  describe('on a device', () => {
    test('the same kernel, block and overrides are compiled once', async () => {
      const linker = new KernelLinker(gpu, readKernel);
      const [first, second] = await Promise.all([
        linker.pipeline({ kernel: 'add' }),
        linker.pipeline({ kernel: 'add' }),
      ]);
      expect(second).toBe(first);
      expect(await linker.pipeline({ kernel: 'mul' })).not.toBe(first);
    });

    test('an error names the file and line where the text is wrong, and raises no other', async () => {
      const raised: string[] = [];
      const listen = (event: GPUUncapturedErrorEvent) => void raised.push(event.error.message);
      gpu.device.addEventListener('uncapturederror', listen);
      const broken = new KernelLinker(gpu, text).pipeline({ kernel: 'fused/broken' });
      await expect(broken).rejects.toThrow(DeviceError);
      await expect(broken).rejects.toThrow(/^Cannot compile kernel fused\/broken: kernels\/parts\/wrong.wgsl:2: /);
      await gpu.device.queue.onSubmittedWorkDone();
      gpu.device.removeEventListener('uncapturederror', listen);
      expect(raised).toEqual([]);
    });

    test('an override that the kernel does not declare is refused with its name', async () => {
      const unknown = new KernelLinker(gpu, readKernel).pipeline({ kernel: 'add', overrides: { lanez: 3 } });
      await expect(unknown).rejects.toThrow(/Cannot compile kernel add with {"lanez":3}: .*lanez/);
    });

    test('every kernel without blocks compiles', async () => {
      const linker = new KernelLinker(gpu, readKernel);
      const plain: string[] = [];
      for (const name of Object.keys(ops)) {
        const usesBlocks = /^\/\/ use: (group_dot|weight_group)$/m.test(await readKernel(name));
        if (!usesBlocks) plain.push(name);
      }
      expect(plain.length).toBeGreaterThan(10);
      for (const kernel of plain) await linker.pipeline({ kernel });
    });
  });
}
