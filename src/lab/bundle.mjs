/**
 * The lab's page: src/lab/page as scripts, styles and fonts in dist/lab/page, by esbuild. `node src/lab/bundle.mjs` makes it;
 * the set-up and the tests call `bundlePage`.
 *
 * What a first visit needs is in main.js and main.css. Charts, formulas and the inspector are pieces of their own, which the
 * page fetches when it shows the first of them.
 */
import { cp, readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { sources } from './sources.mjs';

const ROOT = new URL('../../', import.meta.url);

/** @param {string} path below the root */
const at = (path) => fileURLToPath(new URL(path, ROOT));

/** JupyterLab's styles and ours import pictures as text, fonts as files. */
const LOADERS = /** @type {const} */ ({
  '.svg': 'text',
  '.png': 'file',
  '.woff': 'file',
  '.woff2': 'file',
  '.ttf': 'file',
  '.wgsl': 'text',
});

/**
 * @param {string} [folder] where the page is put; what is there goes
 * @returns {Promise<import('esbuild').Metafile>} what was made of what
 */
export async function bundlePage(folder = at('dist/lab/page')) {
  await rm(folder, { recursive: true, force: true });
  /** @type {import('esbuild').BuildOptions} */
  const options = {
    absWorkingDir: at('.'),
    outdir: folder,
    outbase: at('src/lab/page'),
    bundle: true,
    minify: true,
    target: 'es2023',
    loader: LOADERS,
    define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
    legalComments: 'linked',
    logLevel: 'warning',
    plugins: [sources, withoutWhatIsNotUsed, pathsFromTheRoot],
  };
  const page = await build({
    ...options,
    entryPoints: [at('src/lab/page/main.ts'), at('src/lab/page/theme/light.css'), at('src/lab/page/theme/dark.css')],
    format: 'esm',
    splitting: true,
    chunkNames: 'pieces/[name]-[hash]',
    assetNames: 'fonts/[name]-[hash]',
    metafile: true,
  });
  // Before the first paint there are no modules yet: this one is a plain script.
  await build({ ...options, entryPoints: [at('src/lab/page/theme/first_paint.ts')], format: 'iife' });
  await cp(at('src/lab/page/index.html'), `${folder}/index.html`);
  return page.metafile;
}

/** Languages that JupyterLab's editor would load by name, and that no cell of ours is written in. */
const OTHER_LANGUAGES = /^@codemirror\/(legacy-modes\/|lang-(cpp|java|php|rust|sql|wast|xml)$)/;

/** What JupyterLab's packages name and our page never calls: 8 of 11 MB. */
const withoutWhatIsNotUsed = {
  name: 'without what is not used',
  /** @param {import('esbuild').PluginBuild} build */
  setup(build) {
    build.onResolve({ filter: OTHER_LANGUAGES }, ({ path }) => ({ path, namespace: 'absent' }));
    build.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'export {};', loader: 'js' }));
  },
};

/** JupyterLab resolves paths of the contents API by path-browserify, which asks a process for its folder; here it is the root. */
const pathsFromTheRoot = {
  name: 'paths from the root',
  /** @param {import('esbuild').PluginBuild} build */
  setup(build) {
    build.onLoad({ filter: /path-browserify[\\/]index\.js$/ }, async ({ path }) => ({
      contents: `const process = { cwd: () => '/' };\n${await readFile(path, 'utf8')}`,
    }));
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundlePage();
