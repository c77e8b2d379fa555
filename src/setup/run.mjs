/**
 * What package.json's scripts call: `node src/setup/run.mjs start|test|test:full|bench [arguments]`. Does all the set-up
 * that is missing, with nothing but Node, then hands over to the command. What it says goes to stderr.
 *
 * Set-up in four steps, each skipped where it is done: the packages, dist/, a WebGPU adapter, for tests the programs
 * that they drive.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensureBuild } from './build.mjs';
import { handOver } from './child.mjs';
import { tooOld } from './node_version.mjs';
import { ensurePackages } from './packages.mjs';
import { ensureAdapter, ensureTestPrograms } from './system.mjs';

const root = new URL('../../', import.meta.url);

/** @param {string} path below the root */
const at = (path) => fileURLToPath(new URL(path, root));

const VITEST = [at('node_modules/vitest/vitest.mjs'), 'run', '--root', at('.')];
const REPORTERS = ['--reporter', 'default', '--reporter', at('test/skipped_reporter.ts')];

/** @type {Record<string, { args: string[], env?: Record<string, string>, programs?: true }>} */
const COMMANDS = {
  start: { args: [at('dist/cli.js'), 'lab', at('.')] },
  test: { args: [...VITEST, ...REPORTERS], programs: true },
  'test:full': { args: [...VITEST, ...REPORTERS], env: { LAYERSCOPE_FULL: '1' }, programs: true },
  bench: { args: [at('test/bench/run.mjs')] },
};

/** @param {string} line */
const say = (line) => void process.stderr.write(`layerscope: ${line}\n`);

/**
 * @param {string} name
 * @param {readonly string[]} rest
 * @returns {Promise<number>} exit code
 */
async function main(name, rest) {
  const command = COMMANDS[name];
  if (!command) {
    say(`Cannot run "${name}": the commands are ${Object.keys(COMMANDS).join(', ')}`);
    return 2;
  }
  const old = tooOld(process.version, JSON.parse(readFileSync(at('package.json'), 'utf8')).engines.node);
  if (old) {
    say(old);
    return 1;
  }
  try {
    await ensurePackages(root, say);
    await ensureBuild(root, say);
    const adapter = await ensureAdapter(say);
    if (command.programs) await ensureTestPrograms(say);
    return await handOver(process.execPath, [...command.args, ...rest], { ...adapter, ...process.env, ...command.env });
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') return 130; // Ctrl-C at a question
    say(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

const [name = '', ...rest] = process.argv.slice(2);
process.exitCode = await main(name, rest);
