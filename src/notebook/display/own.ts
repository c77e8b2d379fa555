/**
 * Values that say themselves how they show: by a method `[Symbol.for('Jupyter.display')]()`, Deno's convention, or
 * `toMimeBundle()`; and plain objects whose keys are MIME types.
 */
import { UsageError } from '../../errors.ts';
import type { MimeBundle } from '../cells.ts';
import { kindOf } from './kind.ts';

export const DISPLAY = Symbol.for('Jupyter.display');

interface Displayable {
  readonly show: () => unknown;
  readonly method: string;
}

/** Its method gives a bundle, at once or later; null or undefined show nothing. Throws UsageError where it gives else. */
export const displayable = kindOf(
  (value): value is object => methodOf(value) !== undefined,
  async (value) => {
    const { show, method } = methodOf(value) as Displayable;
    const given = await show();
    if (given === null || given === undefined) return null;
    if (isBundle(given)) return encoded(given);
    throw new UsageError(
      `Cannot display what ${method}() gave: found ${Array.isArray(given) ? 'an array' : typeof given}; ` +
        "wanted an object whose keys are MIME types, such as { 'text/plain': 'three' }",
    );
  },
);

/** `{ 'text/html': '<b>three</b>' }` is what it says. */
export const mimeBundle = kindOf((value): value is MimeBundle => isBundle(value), encoded);

function methodOf(value: object): Displayable | undefined {
  const methods: Readonly<Record<PropertyKey, unknown>> = value as never;
  for (const key of [DISPLAY, 'toMimeBundle']) {
    const method = methods[key];
    if (typeof method === 'function') return { show: () => method.call(value), method: keyText(key) };
  }
  return undefined;
}

function keyText(key: symbol | string): string {
  return typeof key === 'symbol' ? `[Symbol.for('${key.description}')]` : key;
}

const MIME_TYPE = /^(application|audio|font|image|model|text|video)\/[\w.+-]+(\s*;.*)?$/;

function isBundle(value: unknown): value is MimeBundle {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  const keys = Object.keys(value);
  return isPlain && keys.length > 0 && keys.every((key) => MIME_TYPE.test(key));
}

/** Bytes travel as base64. */
function encoded(bundle: MimeBundle): MimeBundle {
  const entries = Object.entries(bundle).map(([type, form]) => [
    type,
    form instanceof Uint8Array ? base64(form) : form,
  ]);
  return Object.fromEntries(entries);
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
