/**
 * How fast a TinyLlama-shaped Q4_0 model runs here, as ratios to llama.cpp's CPU with as many threads.
 *
 *   npm run bench -- [engine] [--json] [--rounds N] [--threads N] [--model FILE]
 *
 * decode   one token at a time after 64, nobody looking; and with statistics of every tensor
 * prefill  128 tokens at once, logits of all of them (llama.cpp: of the last)
 * open     a fresh process, from start to the first drawn token of a prompt of 8
 * memory   peak of a fresh process that traces 16 tokens with all statistics, above one that only opened the GPU
 * capture  every node of llama.cpp for those 128 tokens, on disk; as time against its own run that nobody watches, and as
 *          the peak of both processes, llama.cpp's with the model's file mapped
 * compare  our run over those 128 tokens beside that capture: every tensor, and each op that parts run again on llama.cpp's
 *          inputs; once, as time against llama.cpp's own run
 */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { compare, openModel } from '../../dist/node/index.js';
import { llamaCpp, oracleAvailable } from '../../dist/oracle/index.js';
import { ratios, say, spread } from './figures.mjs';
import { benchmarkModel } from './model.mjs';

/** @typedef {import('../../dist/node/index.js').Model} Model */

const PAST = 64;
const DECODE = 16;
const PREFILL = 128;
const TRACED = 16;

/**
 * @param {{ rounds: number, threads?: number, model?: string }} options
 * @returns {Promise<import('./figures.mjs').Report>}
 */
export async function measureEngine({ rounds, threads = availableParallelism(), model: file }) {
  const path = file ?? (await benchmarkModel());
  const model = await openModel(path);
  const noPeer = oracleAvailable();
  const peer = noPeer === null ? llamaCpp(path, { threads }) : null;
  if (noPeer !== null) say(`llama.cpp is left out: ${noPeer}`);

  /** Tokens per second, by round. */
  const found = {
    decode: /** @type {number[]} */ ([]),
    decodeStatistics: /** @type {number[]} */ ([]),
    prefill: /** @type {number[]} */ ([]),
    peerDecode: /** @type {number[]} */ ([]),
    peerPrefill: /** @type {number[]} */ ([]),
    capture: /** @type {number[]} */ ([]),
  };
  await decodeRate(model, false, 1); // uploads the weights and compiles
  await decodeRate(model, true, 1);
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`);
    found.decode.push(await decodeRate(model, false));
    if (peer) {
      const { decode } = await peer.time({ prefill: 1, decode: DECODE, threads, past: PAST });
      found.peerDecode.push(decode.tokensPerSecond);
    }
    found.decodeStatistics.push(await decodeRate(model, true));
    found.prefill.push(await prefillRate(model));
    if (peer) {
      const { prefill } = await peer.time({ prefill: PREFILL, decode: 1, threads });
      found.peerPrefill.push(prefill.tokensPerSecond);
      found.capture.push(await captureRate(peer));
    }
  }
  const compareSeconds = peer ? await secondsOfCompare(model, peer) : Number.NaN;
  await peer?.close();
  const openSeconds = Array.from({ length: Math.min(3, rounds) }, () => childFigures('first-token', path).seconds);
  const captureBytes = peer ? childFigures('capture', path, PREFILL).peakBytes : Number.NaN;
  const memory = (childFigures('trace', path).peakBytes - childFigures('idle', path).peakBytes) / statSync(path).size;

  /** @type {import('./figures.mjs').Row[]} */
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
    [
      'capture of 128 / run of llama.cpp, time',
      'captureTimeRatio',
      spread(ratios(found.peerPrefill, found.capture)),
      3,
    ],
    ['  peak memory / weights', 'captureMemoryRatio', spread([captureBytes / statSync(path).size]), 3],
    [
      'compare with it / run of llama.cpp, time',
      'compareTimeRatio',
      spread(found.peerPrefill.map((rate) => (compareSeconds * rate) / PREFILL)),
      2,
    ],
  ];
  const { adapter } = model.backend;
  return {
    on: adapter,
    how: `llama.cpp's CPU with ${threads} threads; ${rounds} rounds, in turns`,
    facts: { model: path, adapter, threads, rounds },
    rows,
  };
}

/** @param {Model} model @param {boolean} statistics */
async function decodeRate(model, statistics, count = DECODE) {
  const run = model.start(tokens(PAST), { select: 'none', statistics });
  await run.generate(2, { stopAtEnd: false });
  const start = performance.now();
  await run.generate(count, { stopAtEnd: false });
  const seconds = (performance.now() - start) / 1000;
  run.close();
  return count / seconds;
}

/** @param {Model} model */
async function prefillRate(model) {
  const run = model.start(tokens(PREFILL), { select: 'none', statistics: false });
  const start = performance.now();
  await run.generate(1);
  const seconds = (performance.now() - start) / 1000;
  run.close();
  return PREFILL / seconds;
}

/** @param {import('../../dist/oracle/index.js').LlamaCpp} peer */
async function captureRate(peer) {
  const start = performance.now();
  const trace = await peer.trace(tokens(PREFILL));
  const seconds = (performance.now() - start) / 1000;
  await trace.close();
  return PREFILL / seconds;
}

/**
 * Runs test/bench/engine_child.mjs in a process of its own.
 * @param {'idle' | 'first-token' | 'trace' | 'capture'} what
 * @param {string} path of the model
 * @param {number} count of tokens
 * @returns {{ seconds: number, peakBytes: number }}
 */
function childFigures(what, path, count = TRACED) {
  const child = fileURLToPath(new URL('engine_child.mjs', import.meta.url));
  const start = performance.now();
  const { stdout, status, stderr } = spawnSync(process.execPath, [child, what, path, String(count)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the process for "${what}" failed: ${stderr}`);
  return { seconds: (performance.now() - start) / 1000, ...JSON.parse(stdout) };
}

/** @param {Model} model @param {import('../../dist/oracle/index.js').LlamaCpp} peer */
async function secondsOfCompare(model, peer) {
  say('comparing, once');
  await model.sha256();
  const run = await model.start(tokens(PREFILL), { budget: Number.POSITIVE_INFINITY }).toEnd();
  const capture = await peer.trace(tokens(PREFILL));
  const start = performance.now();
  const { verdict, summary } = await compare(run, capture);
  const seconds = (performance.now() - start) / 1000;
  if (verdict !== 'precision') throw new Error(`compare found ${verdict}: ${summary}`);
  await capture.close();
  run.close();
  return seconds;
}

/** @param {number} n */
function tokens(n) {
  return Array.from({ length: n }, (_, i) => 300 + ((i * 7919) % 20_000));
}
