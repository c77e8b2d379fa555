/**
 * The benchmarks: `npm run bench -- [engine | notebook | lab] [--json] [--rounds N]`; engine is the default and takes more, see there.
 * Each measures beside a peer, in turns in one run, since a machine's other tenants move absolute times by a factor of two.
 */
import { parseArgs } from 'node:util';
import { print } from './figures.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string' },
    model: { type: 'string' },
  },
});

/** Loaded when asked for: the engine's needs no Chromium and no Jupyter. */
const subjects = {
  engine: async () => (await import('./engine.mjs')).measureEngine,
  notebook: async () => (await import('./notebook.mjs')).measureNotebook,
  lab: async () => (await import('./lab.mjs')).measureLab,
};
const [subject = 'engine'] = positionals;
const load = Object.entries(subjects).find(([name]) => name === subject)?.[1];
if (!load) {
  throw new Error(`Cannot measure "${subject}": the benchmarks are ${Object.keys(subjects).join(', ')}`);
}
const { rounds, threads, model } = options;
const measure = await load();
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
