import { afterEach, expect, test, vi } from 'vitest';
import { kernelText } from '../../src/browser/kernels.ts';
import { DeviceError } from '../../src/errors.ts';

afterEach(() => vi.unstubAllGlobals());

test('texts that were given are taken by name, and a name among none is an error that names the cure', async () => {
  const read = kernelText({ 'blocks/q4_0': '// text' });
  expect(await read('blocks/q4_0')).toBe('// text');
  await expect(read('rope')).rejects.toThrow(/^Cannot read kernel rope: .*openModel\(file, \{ kernels \}\)/);
  await expect(read('toString')).rejects.toThrow(DeviceError);
});

test('from a folder, kernels are fetched with or without its last slash', async () => {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(url);
    return new Response('// text');
  });
  expect(await kernelText('/kernels')('rope')).toBe('// text');
  await kernelText(new URL('https://host.example/kernels/'))('blocks/f16');
  expect(asked).toEqual(['/kernels/rope.wgsl', 'https://host.example/kernels/blocks/f16.wgsl']);
});

test('an answer that is no success, and no answer, name the address', async () => {
  vi.stubGlobal('fetch', async () => new Response('', { status: 404 }));
  await expect(kernelText('/kernels')('rope')).rejects.toThrow('/kernels/rope.wgsl answers 404');
  vi.stubGlobal('fetch', async () => {
    throw new TypeError('network');
  });
  await expect(kernelText('/kernels')('rope')).rejects.toThrow('/kernels/rope.wgsl cannot be fetched (network)');
});
