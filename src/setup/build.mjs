/** dist/, compiled by tsc, and the lab's page in it, bundled, where the sources are not what they were made from. */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { output } from './child.mjs';

/** Where the hash of what dist/ was made from is kept. */
const STAMP = 'dist/.source-sha256';

/**
 * @param {URL} root
 * @param {string} folder
 * @returns {Promise<string[]>} paths below `folder`, sorted, with `/` between names; none where there is no such folder
 */
async function filesBelow(root, folder) {
  try {
    const entries = await readdir(new URL(`${folder}/`, root), { recursive: true });
    return entries.map((path) => path.replaceAll('\\', '/')).sort();
  } catch {
    return [];
  }
}

/** The lab's page, whose styles and bundler are sources too. */
const LAB = /^lab\/.*\.(tsx|css|html|mjs)$/;

/**
 * @param {URL} root
 * @returns {Promise<string[]>} paths below `root` of what is compiled or bundled; the page shows kernels, too
 */
async function sourcesOf(root) {
  const sources = (await filesBelow(root, 'src')).filter((path) => path.endsWith('.ts') || LAB.test(path));
  const kernels = (await filesBelow(root, 'kernels')).filter((path) => path.endsWith('.wgsl'));
  return [...sources.map((path) => `src/${path}`), ...kernels.map((path) => `kernels/${path}`)];
}

/**
 * A hash over everything the compiled files depend on: names and bytes of the sources, the compiler's settings, the
 * packages' versions.
 * @param {URL} root
 * @returns {Promise<string>} hex
 */
export async function sourceHash(root) {
  const sources = await sourcesOf(root);
  const hash = createHash('sha256');
  for (const path of ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', ...sources]) {
    const bytes = await readFile(new URL(path, root));
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

/** Where the bundler puts the page; it clears that folder itself. */
const PAGE = 'lab/page/';

/**
 * Compiled files whose source is gone. tsc leaves them, and an import of one would go on working here alone.
 * @param {readonly string[]} compiled paths below dist/
 * @param {readonly string[]} sources paths below src/
 * @returns {string[]}
 */
export function orphans(compiled, sources) {
  const stems = new Set(sources.filter((path) => path.endsWith('.ts')).map((path) => path.slice(0, -'.ts'.length)));
  return compiled.filter((path) => {
    const stem = /^(.*?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(path)?.[1];
    return stem !== undefined && !stems.has(stem) && !path.startsWith(PAGE);
  });
}

/**
 * Compiles what changed.
 * @param {URL} root
 * @param {(line: string) => void} say
 */
export async function ensureBuild(root, say) {
  const wanted = await sourceHash(root);
  const stamp = new URL(STAMP, root);
  const built = await readFile(stamp, 'utf8').catch(() => '');
  if (built === wanted) return;
  say('Compiling …');
  for (const path of orphans(await filesBelow(root, 'dist'), await filesBelow(root, 'src'))) {
    await rm(new URL(`dist/${path}`, root));
  }
  const tsc = fileURLToPath(new URL('node_modules/typescript/bin/tsc', root));
  const args = ['-p', 'tsconfig.build.json', '--incremental', '--tsBuildInfoFile', 'dist/.tsbuildinfo'];
  const { code, stdout, stderr } = await output(process.execPath, [tsc, ...args], { cwd: fileURLToPath(root) });
  if (code !== 0) {
    process.stderr.write(stdout + stderr);
    throw new Error(`Cannot compile src: tsc ended with code ${code}; what it found is above`);
  }
  const { bundlePage } = await import('../lab/bundle.mjs');
  await bundlePage();
  await writeFile(stamp, wanted);
}
