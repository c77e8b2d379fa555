/**
 * How fast the notebook answers, beside stock tslab.
 *
 *   npm run bench -- notebook [--json] [--rounds N]
 *
 * start       from the process to kernel_info_reply, and to the first cell's reply
 * cell        `1 + n`, 200 of them, to the reply; the round's median
 * imports     a cell that imports a big package, and a cell like the above after them. tslab cannot import vega-lite, which is
 *             an ES module: it has apache-arrow and typescript to carry, we have vega-lite too
 * completion  of a string's members, and of a model's; the round's median of 20, each in another cell. Ours also while a cell runs
 * inspection  the same for hover
 * interrupt   of `for (;;) {}`, from the request to the cell's reply; tslab cannot
 * memory      of all processes of the kernel, after one cell, and after the 200
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kernelspec } from '../../dist/notebook/kernelspec.js';
import { median, ratios, say, spread } from './figures.mjs';
import { startKernel } from './jupyter_kernel.mjs';

/** @typedef {import('./jupyter_kernel.mjs').JupyterKernel} JupyterKernel */

const root = fileURLToPath(new URL('../../', import.meta.url));
const tslab = createRequire(import.meta.url).resolve('tslab/package.json');
const { version: tslabVersion } = createRequire(import.meta.url)(tslab);

const CELLS = 200;
const ASKED = 20;

/** How each is started, as kernel.json has it. */
const OUR_ARGV = kernelspec().argv;
const PEER_ARGV = [process.execPath, join(dirname(tslab), 'bin/tslab'), 'kernel', '--config-path', '{connection_file}'];

/** What is measured of both; milliseconds unless it says bytes. */
const BOTH = /** @type {const} */ ([
  ['start to kernel_info_reply, ms', 'startToInfo'],
  ['start to the first cell, ms', 'startToCell'],
  ['cell, ms', 'cell'],
  ['import apache-arrow, ms', 'importArrow'],
  ['import typescript, ms', 'importTypescript'],
  ['cell after imports, ms', 'cellAfterImports'],
  ["completion of a string's members, ms", 'completeString'],
  ["inspection of a string's method, ms", 'inspectString'],
  ['memory after one cell, MB', 'memoryAtStart'],
  [`memory after ${CELLS} cells, MB`, 'memoryAfterCells'],
]);

/** What is measured of ours alone. */
const OURS = /** @type {const} */ ([
  ['import vega-lite, ms', 'importVegaLite'],
  ["completion of a model's members, ms", 'completeModel'],
  ['  while a cell runs', 'completeWhileRunning'],
  ["inspection of a model's method, ms", 'inspectModel'],
  ['interrupt of for (;;) {}, ms', 'interrupt'],
]);

/**
 * @param {{ rounds: number }} options
 * @returns {Promise<import('./figures.mjs').Report>}
 */
export async function measureNotebook({ rounds }) {
  /** @type {Record<string, number>[]} */
  const our = [];
  /** @type {Record<string, number>[]} */
  const their = [];
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`);
    our.push(await measured(OUR_ARGV, measureOurs));
    their.push(await measured(PEER_ARGV, measureImports));
  }
  const of = (/** @type {Record<string, number>[]} */ found, /** @type {string} */ key) =>
    found.map((figures) => figures[key] ?? Number.NaN);
  const digits = (/** @type {string} */ key) => (key.startsWith('memory') ? 0 : 1);
  return {
    on: `Node ${process.version}`,
    how: `tslab ${tslabVersion}; ${rounds} rounds, in turns`,
    facts: { node: process.version, tslab: tslabVersion, rounds },
    rows: [
      ...BOTH.flatMap(([name, key]) => {
        const [mine, theirs] = [of(our, key), of(their, key)];
        return /** @type {import('./figures.mjs').Row[]} */ ([
          [name, key, spread(mine), digits(key)],
          ['  tslab', `${key}Peer`, spread(theirs), digits(key)],
          ['  ratio', `${key}Ratio`, spread(ratios(mine, theirs)), 2],
        ]);
      }),
      ...OURS.map(
        ([name, key]) => /** @type {import('./figures.mjs').Row} */ ([name, key, spread(of(our, key)), digits(key)]),
      ),
    ],
  };
}

/**
 * Starts a kernel, measures what is measured of both, and then the rest.
 * @param {readonly string[]} argv
 * @param {(kernel: JupyterKernel) => Promise<Record<string, number>>} rest
 * @returns {Promise<Record<string, number>>}
 */
async function measured(argv, rest) {
  const kernel = await startKernel(argv, root);
  try {
    const info = await kernel.ask({ channel: 'shell', type: 'kernel_info_request', content: {} });
    const first = await kernel.execute('1 + 1');
    const memoryAtStart = megabytes(kernel);
    const cells = [];
    for (let n = 0; n < CELLS; n++) cells.push(await runCell(kernel, `1 + ${n}`));
    const memoryAfterCells = megabytes(kernel);
    await runCell(kernel, "const text = 'abc';");
    const figures = {
      startToInfo: info.came - kernel.started,
      startToCell: first.came - kernel.started,
      cell: median(cells),
      memoryAtStart,
      memoryAfterCells,
      completeString: await asked(kernel, 'complete', 'text.', 'trim'),
      inspectString: await asked(kernel, 'inspect', 'text.trim', 'trim'),
    };
    return { ...figures, ...(await rest(kernel)) };
  } finally {
    await kernel.close();
  }
}

/** @param {JupyterKernel} kernel */
async function measureOurs(kernel) {
  await runCell(kernel, 'let model!: Model;');
  const completeModel = await asked(kernel, 'complete', 'model.', 'start');
  const inspectModel = await asked(kernel, 'inspect', 'model.start', 'Run');
  const loop = kernel.execute('for (;;) {}');
  const completeWhileRunning = await asked(kernel, 'complete', 'model.', 'start');
  const interrupted = performance.now();
  await kernel.ask({ channel: 'control', type: 'interrupt_request', content: {} });
  const { reply, came } = await loop;
  if (reply.ename !== 'Interrupted') throw new Error(`the loop ended with ${reply.ename}`);
  const interrupt = came - interrupted;
  const importVegaLite = await runCell(kernel, "import * as vl from 'vega-lite';");
  const imports = await measureImports(kernel);
  return { completeModel, inspectModel, completeWhileRunning, interrupt, importVegaLite, ...imports };
}

/** @param {JupyterKernel} kernel */
async function measureImports(kernel) {
  const importArrow = await runCell(kernel, "import * as arrow from 'apache-arrow';");
  const importTypescript = await runCell(kernel, "import ts from 'typescript';");
  const cells = [];
  for (let n = 0; n < ASKED; n++) cells.push(await runCell(kernel, `2 + ${n}`));
  return { importArrow, importTypescript, cellAfterImports: median(cells) };
}

/**
 * What stands at the end of a cell: its completion or its hover.
 * @param {JupyterKernel} kernel
 * @param {'complete' | 'inspect'} how
 * @param {string} code
 * @param {string} wanted what a right answer holds
 * @returns {Promise<number>} median of ASKED, in milliseconds
 */
async function asked(kernel, how, code, wanted) {
  const times = [];
  for (let n = 0; n < ASKED; n++) {
    const cell = `${n};\n${code}`;
    const content = { code: cell, cursor_pos: cell.length, detail_level: 0 };
    const { reply, ms } = await kernel.ask({ channel: 'shell', type: `${how}_request`, content });
    times.push(ms);
    if (!JSON.stringify(reply).includes(wanted)) throw new Error(`${how} of ${code} found no ${wanted}`);
  }
  return median(times);
}

/** @param {JupyterKernel} kernel @param {string} code @returns {Promise<number>} milliseconds */
async function runCell(kernel, code) {
  const { reply, ms } = await kernel.execute(code);
  if (reply.status !== 'ok') throw new Error(`the cell ${code} failed: ${reply.ename}: ${reply.evalue}`);
  return ms;
}

/** @param {JupyterKernel} kernel */
function megabytes(kernel) {
  return kernel.residentBytes() / 2 ** 20;
}
