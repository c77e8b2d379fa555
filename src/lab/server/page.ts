/** The lab's page, as src/lab/bundle.mjs builds it, and what is shown in its place where it is not there or may not be seen. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sirv from 'sirv';
import { escapeHtml } from '../../notebook/escape.ts';

/** As far from src/lab/server as from dist/lab/server. */
const FOLDER = fileURLToPath(new URL('../../../dist/lab/page/', import.meta.url));

/** Looks at the disk each time: the page may be built again while the server runs. */
export const pageFiles = sirv(FOLDER, { dev: true, etag: true, extensions: [] });

/** The page's HTML; undefined where it was not built. */
export const pageHtml = (): Promise<string | undefined> =>
  readFile(join(FOLDER, 'index.html'), 'utf8').catch(() => undefined);

/** For a checkout whose page was not built. */
export const NOT_BUILT = simplePage(
  'The page is not built',
  '<p>Run <code>npm run build</code>, then reload. The server itself runs.</p>',
);

/** For who has not shown the token. */
export const LOGIN = simplePage(
  'Open the lab',
  `<p>Open the address that the terminal shows where the lab was started, or put its token here:</p>
<form action="/lab"><label>Token <input name="token" autocomplete="off" autofocus required size="40"></label>
<button>Open</button></form>`,
);

/** Leads on to an address of ours. */
export const onwards = (path: string): string =>
  simplePage(
    'Opening the lab',
    `<meta http-equiv="refresh" content="0; url=${escapeHtml(path)}"><a href="${escapeHtml(path)}">Open</a>`,
  );

function simplePage(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Layerscope: ${title}</title>
<style>:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:40rem;margin:10vh auto;padding:0 1rem}</style>
<h1>${title}</h1>
${body}
</html>
`;
}
