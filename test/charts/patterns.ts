/** Attention patterns made by hand: where a query of a head looks, as a rule. */
import type { Given } from './specs.ts';

export const DIMS = ['head', 'token', 'key'];

/** `kq_soft_max-<layer>`, one head per rule, over n tokens; `rule(query)` has shares by key. */
export function patternGiven(
  layer: number,
  n: number,
  rules: readonly ((query: number) => Record<number, number>)[],
): Given {
  const data = new Float32Array(rules.length * n * n);
  for (const [head, rule] of rules.entries()) {
    for (let query = 0; query < n; query++) {
      for (const [key, share] of Object.entries(rule(query))) data[(head * n + query) * n + Number(key)] = share;
    }
  }
  return { name: `kq_soft_max-${layer}`, shape: [rules.length, n, n], dims: DIMS, data };
}

export const toItself = (query: number) => ({ [query]: 1 });
export const toPrevious = (query: number) => ({ [Math.max(0, query - 1)]: 1 });
export const toFirst = () => ({ 0: 1 });
/** Evenly over all that a query sees. */
export const toAll = (query: number) =>
  Object.fromEntries(Array.from({ length: query + 1 }, (_, key) => [key, 1 / (query + 1)]));
