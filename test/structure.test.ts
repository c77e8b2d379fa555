/** The shape of the project: who imports whom, what is free of its host, which file has which twin. Offenders are named. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { blockTypeNames } from '../src/gguf/blocks/index.ts';
import { ops } from '../src/ops/index.ts';
import { version } from '../src/version.ts';

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const exists = (path: string): boolean => existsSync(new URL(path, root));

/** Paths of files below a folder, from the root. */
function filesBelow(folder: string, extension: string): string[] {
  const names = readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' });
  const paths = names.map((name) => `${folder}/${name.replaceAll('\\', '/')}`);
  return paths.filter((path) => path.endsWith(extension)).sort();
}

/** A part imports only from parts in a line above its own. Those in one line do not know each other. */
const IMPORT_ORDER: readonly (readonly string[])[] = [
  ['errors', 'platform', 'version'],
  ['gguf', 'ops', 'trace'],
  ['tokenizer'],
  ['llama'],
  ['engine'],
  ['compare'],
  ['charts'],
  ['index'],
  ['node', 'browser'],
  ['oracle'],
  ['notebook'],
  ['lab'],
  ['cli'],
];
const rank = new Map(IMPORT_ORDER.flatMap((line, i) => line.map((part) => [part, i] as const)));

/** `src/ops/rope.ts` belongs to `ops`, `src/errors.ts` to `errors`. */
const partOf = (path: string): string => path.split('/')[1]?.replace(/\.[a-z.]+$/, '') ?? '';

const sources = [...filesBelow('src', '.ts'), ...filesBelow('src', '.tsx')];
/** The lab's page and its session run in a browser; the session in Node too. */
const withoutNode = sources.filter(
  (path) =>
    (rank.get(partOf(path)) ?? Infinity) <= (rank.get('index') ?? 0) || /^src\/lab\/(inspector|page)\//.test(path),
);

/** Every module a file names: import, export from, import(), and types. */
const specifiers = (path: string): string[] => ts.preProcessFile(read(path)).importedFiles.map((file) => file.fileName);

describe('imports', () => {
  test('every source file belongs to a part that the import order names', () => {
    expect(sources.filter((path) => !rank.has(partOf(path)))).toEqual([]);
  });

  test('a part imports only from parts before it', () => {
    const offenders = sources.flatMap((path) =>
      specifiers(path)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => posix.join(posix.dirname(path), specifier))
        .filter((target) => !mayImport(partOf(path), partOf(target)))
        .map((target) => `${path} imports ${target}`),
    );
    expect(offenders).toEqual([]);
  });

  test('a relative import says .ts and names a file', () => {
    const offenders = sources.flatMap((path) =>
      specifiers(path)
        .filter((specifier) => specifier.startsWith('.') && !exists(posix.join(posix.dirname(path), specifier)))
        .map((specifier) => `${path} imports ${specifier}`),
    );
    expect(offenders).toEqual([]);
  });
});

function mayImport(from: string, to: string): boolean {
  return from === to || (rank.get(to) ?? Infinity) < (rank.get(from) ?? -1);
}

describe('up to src/index.ts, and in what the lab runs in a browser', () => {
  test('nothing imports from node:', () => {
    const offenders = withoutNode.filter((path) => specifiers(path).some((specifier) => specifier.startsWith('node:')));
    expect(offenders).toEqual([]);
  });

  test("nothing names Node's globals", () => {
    expect(withoutNode.flatMap((path) => nodeGlobals(path).map((name) => `${path} uses ${name}`))).toEqual([]);
  });
});

const NODE_GLOBALS = new Set(['Buffer', 'process', 'require', '__dirname', '__filename', 'NodeJS', 'setImmediate']);

/** Node's globals that a file uses; a member of that name, as in `x.process`, is none. */
function nodeGlobals(path: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && NODE_GLOBALS.has(node.text) && !isMemberName(node)) found.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(parse(path));
  return found;
}

function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  return (
    (ts.isPropertyAssignment(parent) || ts.isClassElement(parent) || ts.isTypeElement(parent)) && parent.name === node
  );
}

const parse = (path: string): ts.SourceFile => ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true);

const ENTRY_POINT = /@compute\s+@workgroup_size\([^)]*\)\s*fn\s+(\w+)/g;

/** The entry points of a kernel file. */
const entryPoints = (path: string): string[] => [...read(path).matchAll(ENTRY_POINT)].map((match) => match[1] ?? '');

describe('kernels', () => {
  const kernels = filesBelow('kernels', '.wgsl');
  const isPart = (path: string): boolean => /^kernels\/(blocks|parts)\//.test(path);

  test('a kernel has one entry point, named as its file; what is linked into kernels has none', () => {
    const offenders = kernels.filter((path) => {
      const wanted = isPart(path) ? [] : [posix.basename(path, '.wgsl')];
      return entryPoints(path).join() !== wanted.join();
    });
    expect(offenders).toEqual([]);
  });

  test('a kernel file opens by saying what it is', () => {
    const offenders = kernels.filter((path) => !read(path).startsWith('// '));
    expect(offenders).toEqual([]);
  });

  test('no TypeScript of ours holds WGSL', () => {
    expect(sources.filter((path) => literals(parse(path)).some(isWgsl))).toEqual([]);
  });
});

/** A function of Rust, as in a dump writer, is `pub`; one of WGSL cannot be. */
const isWgsl = (text: string): boolean =>
  /@compute\b|@group\(|var<(storage|workgroup|uniform)|(?<!\bpub )\bfn \w+\(/.test(text);

/** The text of every string and template in a file. */
function literals(node: ts.Node): string[] {
  const own = ts.isStringLiteralLike(node) || ts.isTemplateLiteralToken(node) ? [node.text] : [];
  const inner: string[] = [];
  ts.forEachChild(node, (child) => void inner.push(...literals(child)));
  return [...own, ...inner];
}

describe('twins', () => {
  test('every op has its source, its kernel and its test under its own name', () => {
    const wanted = Object.keys(ops).flatMap((op) => [
      `src/ops/${op}.ts`,
      `kernels/${op}.wgsl`,
      `test/ops/${op}.test.ts`,
    ]);
    expect(wanted.filter((path) => !exists(path))).toEqual([]);
  });

  test('every block type has its source and its dequantiser under its own name', () => {
    const stems = blockTypeNames.map((name) => name.toLowerCase());
    const wanted = stems.flatMap((stem) => [`src/gguf/blocks/${stem}.ts`, `kernels/blocks/${stem}.wgsl`]);
    expect(wanted.filter((path) => !exists(path))).toEqual([]);
  });

  test('every file that defines an op is in the op table', () => {
    const defining = filesBelow('src/ops', '.ts').filter((path) => /^export const \w+: Op = /m.test(read(path)));
    expect(defining.map((path) => posix.basename(path, '.ts'))).toEqual(Object.keys(ops).sort());
  });
});

test('the top level holds the project, its settings and nothing else', () => {
  const allowed = new Set(
    `package.json package-lock.json tsconfig.json tsconfig.build.json vitest.config.ts biome.json src notebooks kernels
     fixtures test README.md README.ja.md CHANGELOG.md LICENSE .ci .git .gitignore .npmrc`.split(/\s+/),
  );
  const ignored = new Set(
    read('.gitignore')
      .split('\n')
      .map((line) => line.replace(/\/$/, '')),
  );
  const found = readdirSync(root).filter(
    (name) => !allowed.has(name) && !ignored.has(name) && !name.endsWith('.tsbuildinfo'),
  );
  expect(found).toEqual([]);
});

test('the version is the same in package.json and in src/version.ts', () => {
  expect(JSON.parse(read('package.json')).version).toBe(version);
});
