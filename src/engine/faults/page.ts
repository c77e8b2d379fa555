/** A fault's page as plain data: for the command line, notebooks and JSON. */
import type { Case, Effect, Fault, Probe } from './fault.ts';
import { checkedParams } from './params.ts';

export interface PageParam {
  readonly name: string;
  readonly what: string;
  readonly default: number | string | null;
  /** The values it can have, where they are words. */
  readonly choices: readonly string[] | null;
}

/** What a probe shows: the first tensor that does, where there is one. */
export interface Shown {
  readonly effect: Effect;
  readonly firstTensor: string | null;
}

export interface Page {
  readonly name: string;
  readonly title: string;
  readonly what: string;
  readonly ja: { readonly title: string; readonly what: string };
  readonly whoMadeIt: readonly Case[];
  readonly params: readonly PageParam[];
  readonly shows: Readonly<Record<Probe, Shown>>;
}

/** The page, with what a model of `nLayer` layers shows of the fault with default parameters. */
export function pageOf(fault: Fault, nLayer: number): Page {
  const { name, title, what, ja, whoMadeIt, params, shows } = fault;
  const hit = {
    params: checkedParams(name, params, {}),
    layers: Array.from({ length: nLayer }, (_, i) => i),
  };
  const shown = (probe: Probe): Shown => ({
    effect: shows[probe],
    firstTensor: shows[probe] === 'no effect' ? null : fault.firstTensor(hit, probe),
  });
  return {
    ...{ name, title, what, ja: { title: ja.title, what: ja.what }, whoMadeIt },
    params: Object.entries(params).map(([param, rule]) => ({
      ...{ name: param, what: rule.what, default: rule.default ?? null, choices: rule.choices ?? null },
    })),
    shows: { oneToken: shown('oneToken'), prefill: shown('prefill'), decode: shown('decode') },
  };
}
