/** The parameters of faults: what each takes, and the check of what was given. */
import { UsageError } from '../../errors.ts';
import { nearest } from '../../llama/names.ts';
import type { Params } from '../../ops/op.ts';

export interface ParamRule {
  /** What it means, as the end of a sentence. */
  readonly what: string;
  /** The value where none is given; absent where `what` says what then holds. */
  readonly default?: number | string;
  /** The values it can have, where they are words. */
  readonly choices?: readonly string[];
  /** Of a number: whether it will do, and the words for that. */
  readonly fits?: (value: number) => boolean;
  readonly wanted?: string;
}

const isIndex = (value: number) => Number.isInteger(value) && value >= 0;

/** Which layer to hit. */
export const layer: ParamRule = {
  what: 'the layer to hit, counted from 0; all of them unless given',
  fits: isIndex,
  wanted: 'a whole number, 0 or more',
};

/** Which head to hit. */
export const head: ParamRule = {
  what: 'the query head to hit, counted from 0; all of them unless given',
  fits: isIndex,
  wanted: 'a whole number, 0 or more',
};

export function index(what: string, value: number): ParamRule {
  return { what, default: value, fits: isIndex, wanted: 'a whole number, 0 or more' };
}

export function choice(what: string, choices: readonly string[]): ParamRule {
  return { what, choices, ...(choices[0] === undefined ? {} : { default: choices[0] }) };
}

export function positive(what: string, value?: number): ParamRule {
  const fits = (given: number) => Number.isFinite(given) && given > 0;
  return { what, fits, wanted: 'a positive number', ...(value === undefined ? {} : { default: value }) };
}

export function count(what: string, value?: number): ParamRule {
  const fits = (given: number) => Number.isInteger(given) && given >= 1;
  return { what, fits, wanted: 'a whole number, 1 or more', ...(value === undefined ? {} : { default: value }) };
}

/** The parameters given, with defaults for the others. Throws UsageError naming the one that will not do and what would. */
export function checkedParams(fault: string, rules: Readonly<Record<string, ParamRule>>, given: Params): Params {
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(rules, name)) continue;
    const known = Object.keys(rules);
    throw new UsageError(
      `Cannot make fault ${fault}: it has no parameter ${JSON.stringify(name)}; ` +
        (known.length === 0 ? 'it has none' : `it has ${nearest(known, name).join(', ')}`),
    );
  }
  const checked: Record<string, Params[string]> = {};
  for (const [name, rule] of Object.entries(rules)) {
    const value = given[name] ?? rule.default;
    if (value === undefined) continue;
    if (!isFit(rule, value)) {
      const wanted = rule.choices ? `one of ${rule.choices.join(', ')}` : rule.wanted;
      throw new UsageError(
        `Cannot make fault ${fault}: its parameter ${name} is ${JSON.stringify(value)}; wanted ${wanted}`,
      );
    }
    checked[name] = value;
  }
  return checked;
}

function isFit({ choices, fits }: ParamRule, value: Params[string]): boolean {
  if (choices) return typeof value === 'string' && choices.includes(value);
  return typeof value === 'number' && (fits?.(value) ?? true);
}
