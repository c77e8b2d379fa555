/**
 * What `import { display } from 'tslab'` gives in a cell: tslab's own interface (its `Display`), so that notebooks written
 * for that kernel run here too.
 */
import type { Display } from './display.ts';
import { base64 } from './own.ts';

export interface TslabDisplay {
  javascript(text: string): void;
  html(text: string): void;
  markdown(text: string): void;
  latex(text: string): void;
  svg(text: string): void;
  png(bytes: Uint8Array): void;
  jpeg(bytes: Uint8Array): void;
  gif(bytes: Uint8Array): void;
  pdf(bytes: Uint8Array): void;
  text(text: string): void;
  /** Not one of tslab's: a value as a tree that can be unfolded. */
  json(value: unknown): void;
  /** Anything under its MIME type; bytes become base64. */
  raw(type: string, content: unknown): void;
}

export interface TslabModule {
  readonly display: TslabDisplay;
  /** A place on the page: the first thing it shows stands there, what it shows later takes that place. */
  newDisplay(): TslabDisplay;
}

export function tslabModule(
  display: Pick<Display, 'put'>,
  newId: () => string = () => crypto.randomUUID(),
): TslabModule {
  return { display: shownBy(display, null), newDisplay: () => shownBy(display, newId()) };
}

function shownBy(display: Pick<Display, 'put'>, id: string | null): TslabDisplay {
  let isThere = false;
  const raw = (type: string, content: unknown) => {
    const shown = { data: { [type]: content instanceof Uint8Array ? base64(content) : content }, metadata: {} };
    if (id !== null && isThere) display.put({ type: 'update_display_data', displayId: id, ...shown });
    else display.put({ type: 'display_data', displayId: id, ...shown });
    isThere = true;
  };
  return {
    javascript: (text) => raw('text/javascript', text),
    html: (text) => raw('text/html', text),
    markdown: (text) => raw('text/markdown', text),
    latex: (text) => raw('text/latex', text),
    svg: (text) => raw('image/svg+xml', text),
    png: (bytes) => raw('image/png', bytes),
    jpeg: (bytes) => raw('image/jpeg', bytes),
    gif: (bytes) => raw('image/gif', bytes),
    pdf: (bytes) => raw('application/pdf', bytes),
    text: (text) => raw('text/plain', text),
    json: (value) => raw('application/json', value),
    raw,
  };
}
