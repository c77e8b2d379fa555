import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { expect, test } from 'vitest';
import { isHarmless, quietly } from '../../src/node/quiet.ts';

test("Dawn's and the loader's usual lines are harmless; errors are not", () => {
  expect(
    isHarmless('Warning: maxDynamicUniformBuffersPerPipelineLayout artificially reduced from 1000000 to 16 to fit'),
  ).toBe(true);
  expect(isHarmless('Warning: vkCreateInstance: Found no drivers!')).toBe(true);
  expect(isHarmless("Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open shared object file")).toBe(true);
  expect(isHarmless('    at operator() (/src/third_party/dawn/src/dawn/native/vulkan/BackendVk.cpp:368)')).toBe(true);
  expect(isHarmless('ERROR: [Loader Message] Code 0 : libvulkan_x.so: cannot open shared object file')).toBe(true);
  expect(isHarmless('Error: device lost')).toBe(false);
  expect(isHarmless('Warning: the buffer is too small')).toBe(false);
});

test('the value, and an error thrown, pass through', () => {
  expect(quietly(() => 42)).toBe(42);
  expect(() =>
    quietly(() => {
      throw new RangeError('no');
    }),
  ).toThrow(RangeError);
});

test.skipIf(process.platform === 'win32')(
  'lines on file descriptor 2 are sifted during the call and not after it',
  () => {
    const noise = 'Warning: maxBindings artificially reduced from 2 to 1\n';
    const resolveDir = fileURLToPath(new URL('../../', import.meta.url));
    const program = `
    import { writeSync } from 'node:fs';
    import { quietly } from './src/node/quiet.ts';
    quietly(() => { writeSync(2, ${JSON.stringify(`${noise}kept\n`)}); });
    writeSync(2, ${JSON.stringify(noise)});`;
    const { outputFiles } = buildSync({
      stdin: { contents: program, resolveDir },
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      write: false,
    });
    const args = ['--input-type=module', '-e', outputFiles[0]?.text ?? ''];
    const { stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: resolveDir });
    expect(stderr).toBe(`kept\n${noise}`);
  },
);
