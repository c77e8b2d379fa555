/** Source texts as the module `layerscope:sources`: what the inspector shows beside a step, and kernels for a page without a server. */
import { readdir, readFile } from 'node:fs/promises';

const ROOT = new URL('../../', import.meta.url);

/** For esbuild. */
export const sources = {
  name: 'layerscope:sources',
  /** @param {import('esbuild').PluginBuild} build */
  setup(build) {
    build.onResolve({ filter: /^layerscope:sources$/ }, ({ path }) => ({ path, namespace: 'layerscope' }));
    build.onLoad({ filter: /.*/, namespace: 'layerscope' }, async () => {
      const [kernels, ops] = await Promise.all([textsBelow('kernels', '.wgsl'), textsBelow('src/ops', '.ts')]);
      const contents = `export const kernels = ${JSON.stringify(kernels)}; export const ops = ${JSON.stringify(ops)};`;
      return { contents, loader: 'js' };
    });
  },
};

/**
 * @param {string} folder below the root
 * @param {string} extension
 * @returns {Promise<Record<string, string>>} each file's text by its path below the folder, without the extension
 */
async function textsBelow(folder, extension) {
  const names = await readdir(new URL(`${folder}/`, ROOT), { recursive: true });
  const stems = names
    .filter((name) => name.endsWith(extension))
    .map((name) => name.replaceAll('\\', '/').slice(0, -extension.length))
    .sort();
  const texts = stems.map((stem) => readFile(new URL(`${folder}/${stem}${extension}`, ROOT), 'utf8'));
  return Object.fromEntries((await Promise.all(texts)).map((text, i) => [stems[i] ?? '', text]));
}
