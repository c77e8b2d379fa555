/**
 * The benchmarks: `npm run bench -- [engine | notebook | lab] [--json] [--rounds N]`; engine is the default and takes more, see there.
 * Each measures beside a peer, in turns in one run, since a machine's other tenants move absolute times by a factor of two.
 */
import { parseArgs } from 'node:util';
import { measureEngine } from './engine.mjs';
import { print } from './figures.mjs';
import { measureLab } from './lab.mjs';
import { measureNotebook } from './notebook.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string' },
    model: { type: 'string' },
  },
});

const subjects = { engine: measureEngine, notebook: measureNotebook, lab: measureLab };
const [subject = 'engine'] = positionals;
const measure = Object.entries(subjects).find(([name]) => name === subject)?.[1];
if (!measure) {
  throw new Error(`Cannot measure "${subject}": the benchmarks are ${Object.keys(subjects).join(', ')}`);
}
const { rounds, threads, model } = options;
print(
  await measure({
    rounds: Number(rounds),
    ...(threads === undefined ? {} : { threads: Number(threads) }),
    ...(model === undefined ? {} : { model }),
  }),
  options,
);
// Dawn's threads would keep the process alive.
process.exit();
