/**
 * Memory stays flat over many cells: neither the supervisor nor the executor keeps what a cell no longer needs. V8 lets its heap
 * grow for as long as it may, the supervisor's to 700 MB resident in 1,000 cells, so both get little here: what is kept for each
 * cell then shows, or ends the process.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { seeded } from '../../seeded.ts';
import { have } from '../../skip.ts';
import { test } from './with_kernel.ts';

const isFull = process.env.LAYERSCOPE_FULL === '1';
const CELLS = isFull ? 1000 : 200;
/** Cells before the first look: with this heap the supervisor has found its size, 410 MB resident, after 300. */
const WARM_UP = isFull ? 400 : 80;
/** Megabytes; a supervisor needs 200. */
const HEAP = 300;
/** Bytes that a cell may cost, as a mean. Measured after 400 cells: 10 kB in the supervisor, 5 kB in the executor. */
const PER_CELL = isFull ? 64e3 : 1.5e6;

/** Resident memory in bytes. Source: proc(5), VmRSS in kB. */
function resident(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** Cells as a user writes them: values, output, displays, redeclarations, errors, imports. */
const KINDS: readonly ((n: number) => string)[] = [
  (n) => `const value = ${n}; value * 2`,
  (n) => `const filled = new Float32Array(100_000).fill(${n}); filled[0]`,
  (n) => `for (let i = 0; i < 100; i++) console.log(i, ${n});`,
  (n) => `class Again { n = ${n}; #own = 1; own() { return this.#own + this.n; } }\nnew Again().own()`,
  (n) => `display({ 'text/plain': '${n}', 'text/html': '${'x'.repeat(10_000)}' });`,
  (n) => `import { join } from 'node:path';\njoin('a', '${n}')`,
  (n) => `await Promise.resolve(${n})`,
  (n) => `throw new Error('${n}')`,
  (n) => `const wrong: string = ${n};`,
];

test(`over ${CELLS} cells memory stays flat`, { timeout: isFull ? 600_000 : 120_000 }, async ({
  startKernel,
  skip,
}) => {
  have({ skip }, process.platform === 'linux' || undefined, 'reads /proc');
  const kernel = await startKernel({ env: { NODE_OPTIONS: `--max-old-space-size=${HEAP}` } });
  const executor = Number((await kernel.execute('console.log(process.pid)')).stdout);
  const random = seeded(1);
  let before: number[] = [];
  for (let n = 0; n < CELLS; n++) {
    if (n === WARM_UP) before = [resident(kernel.pid), resident(executor)];
    const kind = KINDS[Math.floor(random() * KINDS.length)];
    await kernel.execute(kind?.(n) ?? '');
  }
  const after = [resident(kernel.pid), resident(executor)];
  const perCell = after.map((bytes, i) => (bytes - (before[i] ?? 0)) / (CELLS - WARM_UP));
  expect(Math.max(...perCell), `supervisor and executor grew by ${perCell.map(Math.round)} bytes a cell`).toBeLessThan(
    PER_CELL,
  );
});
