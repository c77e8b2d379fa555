/**
 * The pages without a server, in dist/pages: index.html with its scripts beside it, for any static host, and layerscope.html,
 * one file that holds engine, page, the shipped model and a lesson, for a disk. `npm run build:pages` makes them.
 *
 * Both ask nothing of any other host: the policy in their heads makes the browser refuse.
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { sources } from './sources.mjs';

const ROOT = new URL('../../', import.meta.url);
const MODEL = 'lily-4m-q8_0.gguf';

/** @param {string} path below the root */
const at = (path) => fileURLToPath(new URL(path, ROOT));

/** @type {import('esbuild').BuildOptions} */
const OPTIONS = {
  absWorkingDir: at('.'),
  bundle: true,
  minify: true,
  platform: 'browser',
  target: 'es2023',
  loader: { '.svg': 'text', '.png': 'dataurl', '.woff': 'empty', '.woff2': 'dataurl', '.ttf': 'empty' },
  define: {
    'process.env.NODE_ENV': '"production"',
    global: 'globalThis',
    MODELS_BESIDE: JSON.stringify([MODEL]),
    // Kernels are inside; a script that is no module has no address of its own.
    'import.meta.url': '"https://kernels.invalid/"',
  },
  legalComments: 'none',
  logLevel: 'warning',
  plugins: [sources],
};

/**
 * @param {string} [folder] where the pages are put; what is there goes
 * @returns {Promise<{ readonly folder: string, readonly bytes: number }>} and how large layerscope.html is
 */
export async function buildPages(folder = at('dist/pages')) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const engine = await engineScript();
  await Promise.all([
    writeFile(`${folder}/engine.js`, engine),
    cp(at(`fixtures/${MODEL}`), `${folder}/${MODEL}`),
    staticPage(folder),
  ]);
  const page = await singlePage(engine);
  await writeFile(`${folder}/layerscope.html`, page);
  return { folder, bytes: Buffer.byteLength(page) };
}

/** The session with the engine, a plain script: of a worker, or of a page that can have none. */
async function engineScript() {
  const contents = `import { kernels } from 'layerscope:sources';
import { serveAlone } from './worker.ts';
serveAlone(kernels);`;
  const stdin = { contents, resolveDir: at('src/lab/page'), sourcefile: 'engine.ts' };
  return textOf(await build({ ...OPTIONS, stdin, format: 'iife', write: false }), '');
}

/** @param {string} folder */
async function staticPage(folder) {
  await build({
    ...OPTIONS,
    entryPoints: { page: at('src/lab/page/alone/static.ts') },
    outdir: folder,
    format: 'esm',
    splitting: true,
    chunkNames: 'pieces/[name]-[hash]',
  });
  const policy = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'";
  const head = '<link rel="stylesheet" href="page.css">\n<script src="page.js" type="module"></script>';
  await writeFile(`${folder}/index.html`, html(policy, head, ''));
}

/** @param {string} engine */
async function singlePage(engine) {
  const entryPoints = { page: at('src/lab/page/alone/single.ts') };
  const result = await build({ ...OPTIONS, entryPoints, outdir: 'out', format: 'iife', write: false });
  const model = await readFile(at(`fixtures/${MODEL}`), 'base64');
  const policy = "default-src 'none'; script-src 'unsafe-inline'; worker-src blob:";
  const body = [
    `<script type="text/plain" id="model" data-name="${MODEL}">${model}</script>`,
    `<script type="text/plain" id="engine">${inScript(engine)}</script>`,
    `<script>${inScript(textOf(result, '.js'))}</script>`,
  ];
  return html(policy, `<style>${textOf(result, '.css').replaceAll('</style', '<\\/style')}</style>`, body.join('\n'));
}

/**
 * @param {string} policy what a page may load, beside styles and pictures of its own
 * @param {string} head
 * @param {string} body
 */
function html(policy, head, body) {
  const own =
    "style-src 'self' 'unsafe-inline'; img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}; ${own}">
<title>Layerscope</title>
<link rel="icon" href="data:,">
${head}
</head>
<body>
${body}
</body>
</html>
`;
}

/**
 * The one output whose name ends so.
 * @param {{ readonly outputFiles: readonly { readonly path: string, readonly text: string }[] }} result
 * @param {string} ending
 */
function textOf({ outputFiles }, ending) {
  const file = outputFiles.find(({ path }) => path.endsWith(ending));
  if (!file) throw new Error(`Cannot build the pages: esbuild made no file that ends in "${ending}"`);
  return file.text;
}

/**
 * What would end a script's element is spelt so that it means the same in a script's strings.
 * @param {string} script
 */
function inScript(script) {
  return script.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { folder, bytes } = await buildPages();
  process.stdout.write(`${folder}: index.html, and layerscope.html of ${(bytes / 1e6).toFixed(1)} MB\n`);
}
