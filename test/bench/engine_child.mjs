/** A process of its own for test/bench/engine.mjs: does one thing and prints its peak memory, in bytes (VmHWM), as JSON. */
import { readFileSync } from 'node:fs';
import { nodePlatform, openModel } from '../../dist/node/index.js';

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
  default:
    throw new Error(`no such measurement: ${what}`);
}
const status = readFileSync('/proc/self/status', 'utf8');
const peakBytes = 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
process.stdout.write(JSON.stringify({ peakBytes }));
process.exit(0);
