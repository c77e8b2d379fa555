/** The host-free part and the browser's bundle, put together by esbuild as a web page would. */
import { fileURLToPath } from 'node:url';
import { type BuildResult, build } from 'esbuild';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));

/** What a bundle for the browser is made of; throws where it names a module that only Node has. */
function bundle(entry: string): Promise<BuildResult<{ metafile: true; write: false }>> {
  return build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
}

const ownFiles = ({ metafile }: BuildResult<{ metafile: true; write: false }>): string[] =>
  Object.keys(metafile.inputs).filter((path) => path.startsWith('src/'));

test.each(['src/index.ts', 'src/browser/index.ts'])(
  '%s bundles for the browser without a module of Node',
  async (entry) => {
    const result = await bundle(entry);
    expect(ownFiles(result)).toContain('src/engine/model.ts');
    expect(ownFiles(result).filter((path) => path.startsWith('src/node/'))).toEqual([]);
    const outside = Object.values(result.metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path));
    expect(outside).toEqual([]);
  },
);

test('the bundler refuses what only Node has, so that the test above can fail', async () => {
  await expect(bundle('src/node/index.ts')).rejects.toThrow(/Could not resolve "node:/);
});
