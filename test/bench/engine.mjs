/**
 * The benchmark: how fast a TinyLlama-shaped Q4_0 model runs here, as ratios to llama.cpp's CPU with as many threads,
 * measured in turns in one run, since a machine's other tenants move absolute times by a factor of two.
 *
 *   npm run bench -- [--json] [--rounds N] [--threads N] [--model FILE]
 *
 * decode   one token at a time after 64, nobody looking; and with statistics of every tensor
 * prefill  128 tokens at once, logits of all of them (llama.cpp: of the last)
 * open     a fresh process, from start to the first drawn token of a prompt of 8
 * memory   peak of a fresh process that traces 16 tokens with all statistics, above one that only opened the GPU
 */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openModel, version } from '../../dist/node/index.js';
import { llamaCpp, oracleAvailable } from '../../dist/oracle/index.js';

/** @typedef {{ min: number, median: number, max: number }} Spread */

const root = fileURLToPath(new URL('../../', import.meta.url));
const PAST = 64;
const DECODE = 16;
const PREFILL = 128;
const TRACED = 16;

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(availableParallelism()) },
    model: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const threads = Number(options.threads);

const path = options.model ?? (await benchmarkModel());
const model = await openModel(path);
const noPeer = oracleAvailable();
const peer = noPeer === null ? llamaCpp(path, { threads }) : null;
if (noPeer !== null) say(`llama.cpp is left out: ${noPeer}`);

/** Tokens per second, by round. */
const found = {
  decode: numbers(),
  decodeStatistics: numbers(),
  prefill: numbers(),
  peerDecode: numbers(),
  peerPrefill: numbers(),
};
await decodeRate(false, 1); // uploads the weights and compiles
await decodeRate(true, 1);
for (let round = 0; round < rounds; round++) {
  say(`round ${round + 1} of ${rounds}`);
  found.decode.push(await decodeRate(false));
  if (peer) {
    const { decode } = await peer.time({ prefill: 1, decode: DECODE, threads, past: PAST });
    found.peerDecode.push(decode.tokensPerSecond);
  }
  found.decodeStatistics.push(await decodeRate(true));
  found.prefill.push(await prefillRate());
  if (peer) {
    const { prefill } = await peer.time({ prefill: PREFILL, decode: 1, threads });
    found.peerPrefill.push(prefill.tokensPerSecond);
  }
}
await peer?.close();
const openSeconds = Array.from({ length: Math.min(3, rounds) }, () => childFigures('first-token').seconds);
const memory = (childFigures('trace').peakBytes - childFigures('idle').peakBytes) / statSync(path).size;

/** @type {[name: string, key: string, figures: Spread, digits: number][]} */
const rows = [
  ['decode, tokens/s', 'decodeTokensPerSecond', spread(found.decode), 2],
  ['  llama.cpp', 'peerDecodeTokensPerSecond', spread(found.peerDecode), 2],
  ['  ratio', 'decodeRatio', spread(ratios(found.decode, found.peerDecode)), 3],
  ['  time with statistics / without', 'statisticsCost', spread(ratios(found.decode, found.decodeStatistics)), 3],
  ['prefill of 128, tokens/s', 'prefillTokensPerSecond', spread(found.prefill), 2],
  ['  llama.cpp', 'peerPrefillTokensPerSecond', spread(found.peerPrefill), 2],
  ['  ratio', 'prefillRatio', spread(ratios(found.prefill, found.peerPrefill)), 3],
  ['open to first token, s', 'openToFirstTokenSeconds', spread(openSeconds), 2],
  ['peak memory of tracing 16 tokens / weights', 'traceMemoryRatio', spread([memory]), 3],
];
const date = new Date().toISOString().slice(0, 10);
const machine = `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores`;
const { adapter } = model.backend;
if (options.json) {
  const figures = Object.fromEntries(rows.map(([, key, spread]) => [key, spread]));
  process.stdout.write(
    `${JSON.stringify({ date, version, model: path, machine, adapter, threads, rounds, ...figures }, null, 2)}\n`,
  );
} else {
  const lines = [
    `layerscope ${version}, ${date}; ${machine}; ${adapter}`,
    `llama.cpp's CPU with ${threads} threads; ${rounds} rounds, in turns`,
    `${''.padEnd(44)}      min   median      max`,
    ...rows.map(([name, , figures, digits]) => name.padEnd(44) + cells(figures, digits)),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
process.exit(0);

/** @param {boolean} statistics */
async function decodeRate(statistics, count = DECODE) {
  const run = model.start(tokens(PAST), { select: 'none', statistics });
  await run.generate(2, { stopAtEnd: false });
  const start = performance.now();
  await run.generate(count, { stopAtEnd: false });
  const seconds = (performance.now() - start) / 1000;
  run.close();
  return count / seconds;
}

async function prefillRate() {
  const run = model.start(tokens(PREFILL), { select: 'none', statistics: false });
  const start = performance.now();
  await run.generate(1);
  const seconds = (performance.now() - start) / 1000;
  run.close();
  return PREFILL / seconds;
}

/**
 * Runs test/bench/child.mjs in a process of its own.
 * @param {'idle' | 'first-token' | 'trace'} what
 * @returns {{ seconds: number, peakBytes: number }}
 */
function childFigures(what) {
  const child = fileURLToPath(new URL('child.mjs', import.meta.url));
  const start = performance.now();
  const { stdout, status, stderr } = spawnSync(process.execPath, [child, what, path, String(TRACED)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the process for "${what}" failed: ${stderr}`);
  return { seconds: (performance.now() - start) / 1000, ...JSON.parse(stdout) };
}

async function benchmarkModel() {
  const file = join(root, 'out', 'tinyllama-shape-q4_0.gguf');
  if (existsSync(file)) return file;
  say(`making ${file} (620 MB of random weights), once`);
  await mkdir(join(root, 'out'), { recursive: true });
  const script = join(root, 'fixtures', 'random_model.mjs');
  const args = [script, '--out', file, '--shape', 'tinyllama', '--type', 'Q4_0', '--seed', '1'];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the model could not be made: ${stderr}`);
  return file;
}

/** @param {number} n */
function tokens(n) {
  return Array.from({ length: n }, (_, i) => 300 + ((i * 7919) % 20_000));
}

/** @returns {number[]} */
function numbers() {
  return [];
}

/** @param {number[]} a @param {number[]} b */
function ratios(a, b) {
  return a.map((value, i) => value / (b[i] ?? Number.NaN));
}

/** @param {number[]} values @returns {Spread} */
function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (/** @type {number} */ index) => sorted[index] ?? Number.NaN;
  return { min: at(0), median: at(Math.floor(sorted.length / 2)), max: at(sorted.length - 1) };
}

/** @param {Spread} figures @param {number} digits */
function cells({ min, median, max }, digits) {
  return [min, median, max].map((value) => (Number.isNaN(value) ? '–' : value.toFixed(digits)).padStart(9)).join('');
}

/** @param {string} line */
function say(line) {
  process.stderr.write(`${line}\n`);
}
