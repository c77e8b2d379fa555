/**
 * A process of its own for test/bench/engine.mjs: does one thing and prints its peak memory and that of its children, in
 * bytes (VmHWM), as JSON.
 */
import { readFileSync } from 'node:fs';
import { nodePlatform, openModel } from '../../dist/node/index.js';
import { llamaCpp } from '../../dist/oracle/index.js';

const [what, path = '', count] = process.argv.slice(2);
const tokens = (/** @type {number} */ n) => Array.from({ length: n }, (_, i) => 300 + i * 7);

switch (what) {
  case 'idle':
    await nodePlatform.gpu();
    break;
  case 'first-token':
    await (await openModel(path)).start(tokens(8), { select: 'none', statistics: false }).generate(1);
    break;
  case 'trace':
    await (await openModel(path)).start(tokens(Number(count)), { select: 'none' }).toEnd();
    break;
  case 'capture':
    await llamaCpp(path).trace(tokens(Number(count)));
    break;
  default:
    throw new Error(`no such measurement: ${what}`);
}
/** @param {string | number} pid */
const peakOf = (pid) => 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean);
const peakBytes = ['self', ...children].reduce((sum, pid) => sum + peakOf(pid), 0);
process.stdout.write(JSON.stringify({ peakBytes }));
process.exit(0);
