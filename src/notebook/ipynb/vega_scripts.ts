/** The browser builds of Vega, Vega-Lite and vega-embed, to be put into a page: it then draws its charts without a network. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const { resolve } = createRequire(import.meta.url);

/** In the order in which they need each other. */
const PACKAGES = ['vega', 'vega-lite', 'vega-embed'];

/** Three script elements, each with its licence, which asks to be where the code is. */
export async function vegaScripts(): Promise<string> {
  const scripts = await Promise.all(PACKAGES.map(script));
  return scripts.join('\n');
}

async function script(name: string): Promise<string> {
  const build = dirname(resolve(name)); // build/vega.module.js or its like; the browser's build is beside it
  const [code, licence] = await Promise.all([
    readFile(join(build, `${name}.min.js`), 'utf8'),
    readFile(join(build, '..', 'LICENSE'), 'utf8'),
  ]);
  const body = code.replace(/\n\/\/# sourceMappingURL=.*/, '').replaceAll('</script', '<\\/script');
  return `<script>/*! ${name}\n\n${licence.replaceAll('*/', '* /').trim()}\n*/\n${body}</script>`;
}
