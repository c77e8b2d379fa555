/**
 * The report for programs. JSON has no NaN, no Infinity and no -0: they are the strings "NaN", "Infinity", "-Infinity" and
 * "-0"; null is what is not known or not there.
 */
import type { Comparison } from '../comparison.ts';
import { suspectsOf } from './suspect_lines.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * `{ verdict, summary, firstDivergence: { name, op, layer, token, head, index, ours, reference, … } | null, cause, refused,
 * tensors, … }`: every field of a Comparison under its own name, in its own unit; and `suspects: { ruledOut, remaining, next }`, what
 * the faults' pages leave of them, null where a cause is named or nothing was compared in tolerance.
 */
export function reportJson(comparison: Comparison): { readonly [key: string]: Json } {
  const { verdict, summary, firstDivergence, cause, refused, ...rest } = comparison;
  const suspects = suspectsOf(comparison);
  return plainObject({ verdict, summary, firstDivergence, cause, refused, suspects, ...rest });
}

function plain(value: unknown): Json {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0) ? value : numberText(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) return plainObject(value);
  return typeof value === 'string' || typeof value === 'boolean' ? value : null;
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : `${value}`;
}

function plainObject(value: object): { readonly [key: string]: Json } {
  const known = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(known.map(([key, each]) => [key, plain(each)]));
}
