/** What measurements come to: spreads, ratios of those taken in turns, and a report as text or JSON. */
import { availableParallelism, cpus } from 'node:os';
import { version } from '../../dist/node/index.js';

/** @typedef {{ min: number, median: number, max: number }} Spread */

/** @typedef {readonly [name: string, key: string, figures: Spread, digits: number]} Row one line; `key` is its name in JSON */

/**
 * @typedef {object} Report
 * @property {string} on what the machine ran it with; the first line ends with it
 * @property {string} how beside what, and how often; the second line
 * @property {Record<string, unknown>} facts the same for JSON
 * @property {readonly Row[]} rows
 */

/** @param {readonly number[]} values @returns {Spread} */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (/** @type {number} */ index) => sorted[index] ?? Number.NaN;
  return { min: at(0), median: at(Math.floor(sorted.length / 2)), max: at(sorted.length - 1) };
}

/** @param {readonly number[]} values */
export const median = (values) => spread(values).median;

/** @param {readonly number[]} a @param {readonly number[]} b */
export function ratios(a, b) {
  return a.map((value, i) => value / (b[i] ?? Number.NaN));
}

/** @param {Report} report @param {{ json: boolean }} options */
export function print({ on, how, facts, rows }, { json }) {
  const date = new Date().toISOString().slice(0, 10);
  const machine = `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores`;
  if (json) {
    const figures = Object.fromEntries(rows.map(([, key, spread]) => [key, spread]));
    process.stdout.write(`${JSON.stringify({ date, version, machine, ...facts, ...figures }, null, 2)}\n`);
    return;
  }
  const lines = [
    `layerscope ${version}, ${date}; ${machine}; ${on}`,
    how,
    `${''.padEnd(44)}      min   median      max`,
    ...rows.map(([name, , figures, digits]) => name.padEnd(44) + cells(figures, digits)),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** @param {Spread} figures @param {number} digits */
function cells({ min, median, max }, digits) {
  return [min, median, max].map((value) => (Number.isNaN(value) ? '–' : value.toFixed(digits)).padStart(9)).join('');
}

/** @param {string} line */
export function say(line) {
  process.stderr.write(`${line}\n`);
}
