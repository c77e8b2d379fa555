/**
 * What a page takes from other packages to work without a network: Vega's browser builds, which draw charts, and KaTeX's
 * style with its fonts. Each comes with its licence, which asks to be where the code is.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { dataUrl } from './pictures.ts';

const { resolve } = createRequire(import.meta.url);

/** The folder with a package's builds, and its licence as a comment. */
async function library(name: string): Promise<{ folder: string; licence: string }> {
  const folder = dirname(resolve(name));
  const licence = await readFile(join(folder, '..', 'LICENSE'), 'utf8');
  return { folder, licence: `/*! ${name}\n\n${licence.replaceAll('*/', '* /').trim()}\n*/` };
}

/** In the order in which they need each other. */
const VEGA = ['vega', 'vega-lite', 'vega-embed'];

/** Three script elements, after which `vegaEmbed` draws charts. */
export async function vegaScripts(): Promise<string> {
  const scripts = await Promise.all(VEGA.map(vegaScript));
  return scripts.join('\n');
}

async function vegaScript(name: string): Promise<string> {
  const { folder, licence } = await library(name);
  const code = await readFile(join(folder, `${name}.min.js`), 'utf8');
  const body = code.replace(/\n\/\/# sourceMappingURL=.*/, '').replaceAll('</script', '<\\/script');
  return `<script>${licence}\n${body}</script>`;
}

/** KaTeX's style element, with all of its fonts inside (0.35 MB). */
export async function formulaStyle(): Promise<string> {
  const { folder, licence } = await library('katex');
  let css = await readFile(join(folder, 'katex.min.css'), 'utf8');
  for (const [source, file = ''] of css.matchAll(/src:url\(([^)]+\.woff2)\)[^}]*/g)) {
    const font = dataUrl('font/woff2', await readFile(join(folder, file)));
    css = css.replace(source, `src:url(${font}) format("woff2")`);
  }
  return `<style>${licence}\n${css}</style>`;
}
