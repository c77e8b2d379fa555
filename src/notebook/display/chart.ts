/**
 * Vega-Lite and Vega specs, ours and the user's: as data for notebooks that draw them, as SVG for those that do not and for
 * saved ones opened without a network, and as a sentence. Vega is large, so it is loaded when the first chart is shown.
 */
import { createHash } from 'node:crypto';
import type { LoggerInterface, Spec } from 'vega';
import type { TopLevelSpec } from 'vega-lite';
import { UsageError } from '../../errors.ts';
import type { MimeBundle } from '../cells.ts';
import { html } from './html.ts';
import { kindOf } from './kind.ts';

export interface Captioned {
  readonly $schema: string;
  readonly title?: unknown;
  readonly description?: unknown;
}

/** The type that JupyterLab 4 and VS Code know. A v6 spec is one of v5: only the library's packaging changed. */
export const vegaLiteChart = kindOf((value): value is Captioned => isOfSchema(value, 'vega-lite'), chartBundle);

/** A Vega-Lite spec in all its forms: the spec itself, a picture of it as SVG, its caption. Rejects as `bundle` does. */
export function chartBundle(spec: Captioned): Promise<MimeBundle> {
  return bundle('application/vnd.vegalite.v5+json', spec, compiled);
}

export const vegaChart = kindOf(
  (value): value is Captioned => isOfSchema(value, 'vega'),
  (spec) => bundle('application/vnd.vega.v5+json', spec, async (vega) => vega as unknown as Spec),
);

function isOfSchema(value: object, language: 'vega' | 'vega-lite'): value is Captioned {
  const { $schema } = value as Partial<Captioned>;
  const [, found] = /^https?:\/\/vega\.github\.io\/schema\/([a-z-]+)\/v\d[\w.-]*\.json$/.exec(`${$schema}`) ?? [];
  return found === language;
}

/** Throws UsageError, with what Vega or Vega-Lite says, where the spec cannot be drawn. */
async function bundle(
  type: string,
  spec: Captioned,
  toVega: (spec: Captioned, logger: LoggerInterface) => Promise<Spec>,
): Promise<MimeBundle> {
  const title = titleOf(spec);
  const description = typeof spec.description === 'string' ? spec.description : '';
  const text = [title, description].filter(Boolean).join('\n') || 'A chart without title or description';
  try {
    const logger = strictLogger();
    const svg = await drawn(await toVega(spec, logger), logger);
    return { [type]: spec, 'image/svg+xml': labelled(svg, description || title || 'Chart'), 'text/plain': text };
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    const found = said.length > MOST_SAID ? `${said.slice(0, MOST_SAID)}…` : said;
    const name = title ? ` “${title}”` : '';
    throw new UsageError(`Cannot draw the chart${name}: ${found.trimEnd()}\nMend the spec, then show it again`, {
      cause,
    });
  }
}

/** Characters of Vega's own words, which may hold the whole spec. */
const MOST_SAID = 400;

async function compiled(spec: Captioned, logger: LoggerInterface): Promise<Spec> {
  const { compile } = await import('vega-lite');
  return compile(spec as unknown as TopLevelSpec, { logger }).spec;
}

/** Vega logs most errors and draws on; here they are thrown. What it warns of is said on stderr. */
function strictLogger(): LoggerInterface {
  const logger: LoggerInterface = {
    level: (() => logger) as LoggerInterface['level'],
    error: (...said) => {
      throw said.find((each) => each instanceof Error) ?? new Error(said.join(' '));
    },
    warn: (...said) => {
      console.warn(...said);
      return logger;
    },
    info: () => logger,
    debug: () => logger,
  };
  return logger;
}

async function drawn(spec: Spec, logger: LoggerInterface): Promise<string> {
  const { parse, resetSVGDefIds, View } = await import('vega');
  // Counted from 0 in each chart, or a notebook run again would differ.
  resetSVGDefIds();
  const view = new View(parse(spec), { renderer: 'none', logger });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** One picture with one description to those who hear it, and ids that no other chart in the same page has. */
function labelled(svg: string, description: string): string {
  const prefix = createHash('sha256').update(svg).digest('hex').slice(0, 8);
  return svg
    .replace(/(id="|url\(#)(clip|gradient_)(?=\d)/g, `$1${prefix}-$2`)
    .replace('<svg ', html`<svg role="img" aria-label="${description}" `.text);
}

/** `{ title }` is text, lines of text, or an object that has either as its own `text`. */
function titleOf({ title }: Captioned): string {
  const text = typeof title === 'object' && title !== null && 'text' in title ? title.text : title;
  const lines = Array.isArray(text) ? text : [text];
  return lines.filter((line) => typeof line === 'string').join(' ');
}
