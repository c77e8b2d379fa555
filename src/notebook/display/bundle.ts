/**
 * How a value shows itself, as the last expression of a cell or through `display`: the first kind that it belongs to says.
 * It runs where the user's cells run, so values are the user's own: proxies, getters that throw, anything.
 */
import { types } from 'node:util';
import type { MimeBundle, Shown } from '../cells.ts';
import { vegaChart, vegaLiteChart } from './chart.ts';
import { comparison } from './comparison.ts';
import { ourError } from './error.ts';
import { inspected } from './inspected.ts';
import type { Awaitable, Kind } from './kind.ts';
import { model } from './model.ts';
import { displayable, mimeBundle } from './own.ts';
import { run } from './run.ts';
import { tensor } from './tensor.ts';
import { trace } from './trace.ts';

/** In the order in which they are asked; what a value says of itself comes first. */
const KINDS: readonly Kind[] = [
  displayable,
  mimeBundle,
  vegaLiteChart,
  vegaChart,
  tensor,
  model,
  run,
  trace,
  comparison,
  ourError,
];

/**
 * The value in all forms that a notebook may choose from; null where it shows nothing, as undefined does. Promises are
 * awaited. Rejects with what a promise rejected with or the value's own display method threw, and with UsageError for a
 * chart that cannot be drawn; any other value shows in some way.
 */
export async function bundleOf(value: unknown): Promise<Shown | null> {
  return shownAs(value);
}

/** As `bundleOf`, but at once where nothing has to be waited for: the value is shown as it is now. */
export function shownAs(value: unknown): Awaitable<Shown | null> {
  if (value === undefined) return null;
  // A proxy would answer for itself, even that it is a promise; inspect looks behind it.
  if (!isObject(value) || types.isProxy(value)) return shown({ 'text/plain': inspected(value) });
  if (types.isPromise(value)) return value.then(shownAs);
  for (const kind of KINDS) {
    const bundle = kind(value);
    if (bundle !== undefined) return types.isPromise(bundle) ? bundle.then(shown) : shown(bundle);
  }
  return shown({ 'text/plain': inspected(value) });
}

function shown(data: MimeBundle | null): Shown | null {
  return data && { data, metadata: {} };
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
