/** What the READMEs show is true: their code runs, what they link to is there, and both say the same. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { have } from './skip.ts';

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

const READMES = ['README.md', 'README.ja.md'];

/** The code blocks of a Markdown text: between fences with their language, or lines indented by four. */
const codeOf = (text: string): string[] => text.match(/^```[\s\S]*?^```|^(?: {4}.*\n)+/gm) ?? [];

test('both READMEs show the same code', () => {
  expect(codeOf(read('README.ja.md'))).toEqual(codeOf(read('README.md')));
});

describe.each([...READMES, 'CHANGELOG.md'])('%s', (readme) => {
  test('links only to files that are there', () => {
    const links = [...read(readme).matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1] ?? '');
    const missing = links.filter((link) => !/^https?:/.test(link) && !existsSync(new URL(link, root)));
    expect(missing).toEqual([]);
  });

  test('names only commands that there are', () => {
    const named = [...read(readme).matchAll(/npx layerscope (\w+)/g)].map((match) => match[1] ?? '');
    const commands = readdirSync(new URL('src/cli/', root)).map((name) => name.replace(/\.ts$/, ''));
    expect(named.filter((name) => !commands.includes(name))).toEqual([]);
  });
});

test('the code in the README runs as it stands', (context) => {
  const isCompiled = existsSync(new URL('dist/node/index.js', root));
  have(context, isCompiled || undefined, 'dist/ is not compiled; npm test does that first');
  have(context, process.env.LAYERSCOPE_BACKEND !== 'reference' || undefined, 'no WebGPU adapter on this machine');
  const code = /```js\n([\s\S]*?)```/.exec(read('README.md'))?.[1] ?? '';
  const args = ['--input-type=module', '-e', code];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: fileURLToPath(root), encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^\[ 8, \d+, \d+ \] \[\n? *\{ index/);
});
