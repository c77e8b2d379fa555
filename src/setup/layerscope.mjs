#!/usr/bin/env node
/**
 * The command `layerscope`. In a checkout it installs and compiles first what is missing or stale, saying so on stderr; in
 * an installed package, which has no compiler's settings, dist/ is there and this only loads it.
 */
import { existsSync } from 'node:fs';

const root = new URL('../../', import.meta.url);

/** @param {string} line */
const say = (line) => void process.stderr.write(`layerscope: ${line}\n`);

async function prepareCheckout() {
  const { ensurePackages } = await import('./packages.mjs');
  const { ensureBuild } = await import('./build.mjs');
  await ensurePackages(root, say);
  await ensureBuild(root, say);
}

try {
  if (existsSync(new URL('tsconfig.build.json', root))) await prepareCheckout();
  await import('../../dist/cli.js');
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
