/** What a cell may hold, what later cells see of it, and what is said of one that is wrong. */
import { SourceMap } from 'node:module';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { CellsHere } from './cells_here.ts';

const cells = new CellsHere();
beforeEach(() => cells.reset());
afterAll(() => cells.compiler.close());

describe('a name can be declared again', () => {
  const kinds: Readonly<Record<string, readonly [declaration: string, use: string, value: unknown]>> = {
    const: ['const x = 1;', 'x', 1],
    function: ['function x() { return 4; }', 'x()', 4],
    class: ['class x { static five = 5; }', 'x.five', 5],
    enum: ['enum x { Six = 6 }', 'x.Six', 6],
    namespace: ['namespace x { export const seven = 7; }', 'x.seven', 7],
    import: ["import { sep as x } from 'node:path';", 'x', '/'],
    interface: ['interface x { a: 8 }', 'const y: x = { a: 8 }; y.a', 8],
    type: ["type x = 'nine';", "const y: x = 'nine'; y", 'nine'],
  };
  const pairs = Object.keys(kinds).flatMap((first) => Object.keys(kinds).map((second) => [first, second] as const));

  test.for(pairs)('a %s as a %s', async ([first, second]) => {
    const [was] = kinds[first] ?? [''];
    const [is, use, value] = kinds[second] ?? ['', ''];
    expect(await cells.run(was, is, use)).toBe(value);
  });
});

describe('a variable is one for all cells', () => {
  test.for([
    ['n = 5; read()', 5],
    ['n += 2; read()', 3],
    ['n++; ++n; read()', 3],
    ['[n] = [6]; read()', 6],
    ['({ n } = { n: 7 }); read()', 7],
    ['({ n = 8 } = {} as { n?: number }); read()', 8],
    ['({ other: n = 9 } = {} as { other?: number }); read()', 9],
    ['for (n of [1, 10]); read()', 10],
    ['for (n = 0; n < 11; n++); read()', 11],
    ['write(12); n', 12],
    ['(() => { n = 13; })(); read()', 13],
  ] as const)('%s', async ([code, value]) => {
    const declared = 'let n = 1; function read() { return n; } function write(to: number) { n = to; }';
    expect(await cells.run(declared, code)).toBe(value);
  });

  test('also where a pattern declares it', async () => {
    expect(
      await cells.run(
        'let { a = 5, b: { c } = { c: 3 } } = {} as { a?: number; b?: { c: number } }; const sum = () => a + c;',
        'a = 50; c = 30;',
        'sum()',
      ),
    ).toBe(80);
  });
});

describe('earlier names are told from properties of the same name', () => {
  const earlier = 'const k = 1; const o = { k: 2, deep: { k: 3 } };';

  test.for([
    ['const { k: taken } = o; taken', 2],
    ['const { deep: { k: taken }, ...rest } = o; [taken, rest.k]', [3, 2]],
    ['(({ k: taken }: typeof o) => taken)(o)', 2],
    ['for (const { k: taken } of [o]) { var seen = taken; } seen', 2],
    ['let taken: number; ({ k: taken } = o); taken', 2],
    ['const { k } = o; k', 2],
    ['({ k })', { k: 1 }],
    ['({ k: 4, o }).o.k', 2],
    ['class K { k = k; static k = 5; } [new K().k, K.k]', [1, 5]],
    ['o?.k', 2],
    ["o['k'] + k", 3],
  ] as const)('%s', async ([code, value]) => {
    expect(await cells.run(earlier, code)).toEqual(value);
  });
});

describe('the result is the last statement, where that is an expression', () => {
  test.for([
    ['let a; a = 5', 5],
    ['({ a: 1 })', { a: 1 }],
    ['{ a: 1 }', undefined],
    ['1 + 1;', 2],
    ['1 + 1; // one\n/* and one */', 2],
    ['await Promise.resolve(7)', 7],
    ['if (true) { 5 }', undefined],
    ['5; interface Erased { a: 1 }', undefined],
    ['enum Last { A }', undefined],
    ['namespace Last { export const a = 1; }', undefined],
    ['const decorate = (..._: unknown[]) => {}; @decorate class Last {}', undefined],
    ['null', null],
    ['void 0', undefined],
    ["'use strict'", 'use strict'],
    ['export const a = 8; a', 8],
    ['', undefined],
    ['// nothing', undefined],
  ] as const)('%j', async ([code, value]) => {
    expect(await cells.run(code)).toEqual(value);
  });

  test.for(['() => 1', 'async (x: number) => x', '(function () {})', '(class {})', '(() => 1)'])(
    '%s has no name',
    async (code) => {
      expect(((await cells.run(code)) as { name: string }).name).toBe('');
    },
  );

  test('a namespace at the end still reads its own members', async () => {
    expect(
      await cells.run('namespace N { export const one = 1; export function two() { return one + 1; } }', 'N.two()'),
    ).toBe(2);
  });
});

describe('later cells still see', () => {
  test.for([
    [
      'a namespace',
      'namespace N { export const a = 1; export interface I { b: 2 } }',
      'const i: N.I = { b: 2 }; N.a + i.b',
      3,
    ],
    [
      'a namespace beside its function',
      'function f() { return f.a; } namespace f { export const a = 1; }',
      'f() + f.a',
      2,
    ],
    ['an alias', 'import Format = Intl.NumberFormat;', "new Format('en').format(1234)", '1,234'],
    [
      'what was added to a global type',
      'declare global { interface Array<T> { secondToLast(): T } } Object.defineProperty(Array.prototype, "secondToLast", { configurable: true, value() { return this.at(-2); } });',
      '[1, 2, 3].secondToLast()',
      2,
    ],
    ['names with two underscores', 'let __two = 2; const ___three = 3;', '__two + ___three', 5],
    ['names of any script', 'const 変数 = 1, café = 2, 𝒳 = 3, $ = 4, _ = 5;', '変数 + café + 𝒳 + $ + _', 15],
    [
      'a private member',
      'class P { #x = 1; static made = 0; static { P.made = 2; } x() { return this.#x; } }',
      'new P().x() + P.made',
      3,
    ],
    [
      'what is exported',
      'export let a = 1; export class C { c = 2; } export type T = number; export default function f() { return a; }',
      'a = 3; const t: T = f(); t + new C().c',
      5,
    ],
    ['what a list exports', 'const a = 1; export { a };', 'a', 1],
  ] as const)('%s', async ([, declared, use, value]) => {
    expect(await cells.run(declared, 'const unrelated = 0;', 'let also = 1;', use)).toBe(value);
  });

  test('nothing of what only looks exported from elsewhere', () => {
    for (const code of [
      "export * from 'vega-lite';",
      "export { sep } from 'node:path';",
      'const a = 1; export { a as b };',
    ]) {
      expect(cells.diagnostics(code)[0]?.message).toMatch(/^Cannot export this from a cell: .*instead$/);
    }
    expect(cells.diagnostics('export default { a: 1 };')[0]?.message).toMatch(/^Cannot export a default .*leave/);
    expect(cells.diagnostics('1;\nexport default class {}')[0]).toMatchObject({ line: 2, column: 1, code: null });
  });

  test('a global type that was added otherwise the second time', async () => {
    const added = (type: string) => `declare global { var addedOnce: ${type}; } var unused = 0;`;
    expect(await cells.run(added('number'), added('string'), "globalThis.addedOnce = 'text'; addedOnce")).toBe('text');
  });
});

test.for(['exports', 'require', '__cell', 'tsLastExpr'])('%s cannot be declared, which is said', (name) => {
  for (const code of [`const ${name} = 1;`, `import { sep as ${name} } from 'node:path';`, `function ${name}() {}`]) {
    const [found] = cells.diagnostics(`let a = 0;\n${code}`);
    expect(found).toMatchObject({ line: 2, message: expect.stringMatching(/^Cannot declare .*choose another$/) });
    expect(found?.text.slice(found.column - 1)).toMatch(new RegExp(`^${name}`));
  }
});

test.for(['module', '__dirname', '__filename', 'undefined_'])('%s can be declared', async (name) => {
  expect(await cells.run(`const ${name} = 'mine'; ${name}`, name)).toBe('mine');
});

test('a cell may speak of what compiled cells use', async () => {
  expect(await cells.run("typeof require('node:path').sep")).toBe('string');
  expect(await cells.run("const { exports: e } = { exports: 1 }; ['exports', '__cell', e].join()")).toBe(
    'exports,__cell,1',
  );
});

describe('a type that cannot be written does not matter', () => {
  test.for([
    ['a variable', "const fs = await import('node:fs');", 'typeof fs.existsSync'],
    ['what a function gives', "function load() { return import('node:fs'); }", 'typeof (await load()).existsSync'],
    [
      'what an async function gives',
      "async function load() { return await import('node:fs'); }",
      'typeof (await load()).existsSync',
    ],
    [
      'what an arrow gives',
      "const load = async () => ({ fs: await import('node:fs') });",
      'typeof (await load()).fs.existsSync',
    ],
    [
      'a generator',
      "async function* load() { yield await import('node:fs'); }",
      'typeof (await load().next()).value.existsSync',
    ],
    [
      'members of a class',
      "class C { fs = import('node:fs'); static fs = import('node:fs'); async load() { return import('node:fs'); } get it() { return import('node:fs'); } }",
      'typeof (await new C().load()).existsSync',
    ],
    ['a parameter', "const fs = await import('node:fs'); function f(of = fs) { return of; }", 'typeof f().existsSync'],
    ['a pattern', "const { a: { fs }, b } = { a: { fs: await import('node:fs') }, b: 1 };", 'typeof fs.existsSync'],
    ['a list', "const [fs, b] = [await import('node:fs'), 1];", 'typeof fs.existsSync'],
    [
      'many of them',
      "const a = await import('node:fs'), b = await import('node:fs'); function c() { return b; }",
      'typeof c().existsSync',
    ],
    [
      'a class without a name',
      'const Hidden = class { private x = 1; x2() { return () => this.x; } };',
      'typeof new Hidden().x2()',
    ],
    [
      'what a mixin gives',
      'function mix(B: new () => object) { return class extends B { private x = 1; f() { return () => this.x; } }; } const M = mix(Object);',
      'typeof new M().f()',
    ],
  ] as const)('of %s', async ([, code, use]) => {
    expect(await cells.run(code, use)).toBe('function');
  });

  test('to the errors that the cell has beside it', () => {
    const found = cells.diagnostics(
      "const fs = await import('node:fs'); const n: number = 'x'; function f() { return fs; }",
    );
    expect(found.map(({ code, column }) => [code, column])).toEqual([[2322, 43]]);
  });

  test('to the places that the source map gives', () => {
    const code = "const fs = await import('node:fs'); const os = await import('node:os'); throw new Error('here');";
    const { cell } = cells.compiler.compile(code);
    const lines = cell?.code.split('\n') ?? [];
    const line = lines.findIndex((each) => each.includes('throw'));
    const entry = new SourceMap(JSON.parse(cell?.map ?? '')).findEntry(line, lines[line]?.indexOf('throw') ?? 0);
    // tslab puts a line before the cell.
    expect(entry).toMatchObject({ originalLine: 1, originalColumn: code.indexOf('throw') });
  });
});

describe('what is wrong with a cell is told by its own lines and columns', () => {
  test.for([
    ['const n: number = "x";', [[1, 7, 1]]],
    [
      'const a = 1;\r\nmissing;\r\n  gone();\r\n',
      [
        [2, 1, 7],
        [3, 3, 4],
      ],
    ],
    ["const s = '𝒳🧠'; missing", [[1, 19, 7]]],
    ['\ufeffmissing', [[1, 2, 7]]],
    ['function f(a: string) {}\nf(1);', [[2, 3, 1]]],
    ['export const n: number = "x";', [[1, 14, 1]]],
    ['let a = {', [[1, 10, 1]]],
    ['', []],
  ] as const)('%j', ([code, places]) => {
    const { diagnostics } = cells.compiler.compile(code);
    expect((diagnostics ?? []).map(({ line, column, length }) => [line, column, length])).toEqual(places);
  });

  test('without the carriage return in the line that is shown', () => {
    expect(cells.diagnostics('missing;\r\n1;')[0]?.text).toBe('missing;');
  });
});

test('a folder that appears where an import failed harms no later cell', async () => {
  // Both of TypeScript's timers are pending then, of which tslab knows one.
  expect(cells.diagnostics("await import('no-such-package')")[0]?.message).toMatch(/Cannot find module/);
  expect(await cells.run("const vega = await import('vega'); typeof vega.parse", '1 + 1')).toBe(2);
});

describe('strict', () => {
  test('is off unless asked for', async () => {
    expect(await cells.run('function loose(x) { return x; } let none: string = null; loose(none)')).toBe(null);
  });

  test('finds more when asked for', () => {
    const strict = new CellsHere({ strict: true });
    const found = strict.diagnostics('let none: string = null;\nfunction loose(x) { return x; }');
    expect(found.map(({ line, code }) => [line, code])).toEqual([
      [1, 2322],
      [2, 7006],
    ]);
    strict.compiler.close();
  });
});
