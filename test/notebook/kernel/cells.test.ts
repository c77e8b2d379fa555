/** What notebook users rely on: which TypeScript runs in a cell, and what the next cell sees of it. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { type Kernel, ROOT } from '../jupyter.ts';
import { test } from './with_kernel.ts';

/** Runs cells one after another; each must be well. Gives the last value as plain text. */
async function run(kernel: Kernel, ...cells: readonly string[]): Promise<unknown> {
  let text: unknown;
  for (const code of cells) {
    const { reply, result, traceback } = await kernel.execute(code);
    expect(traceback, code).toBe('');
    expect(reply.status).toBe('ok');
    text = result?.['text/plain'];
  }
  return text;
}

describe('imports', () => {
  test.for([
    ['a package that is ESM only', "import { compile } from 'vega-lite'; typeof compile", 'function'],
    [
      'a package of CommonJS and ESM',
      "import { vectorFromArray } from 'apache-arrow'; vectorFromArray([1, 2]).length",
      '2',
    ],
    ['a default export', "import pretty from 'pretty-bytes'; pretty(1337)", '1.34 kB'],
    ['a namespace', "import * as path from 'node:path'; path.posix.join('a', 'b')", 'a/b'],
    ['a builtin without node:', "import { basename } from 'path'; basename('/a/b')", 'b'],
    ['a default of CommonJS', "import koffi from 'koffi'; typeof koffi.load", 'function'],
    ['a renamed import', "import { sep as separator } from 'node:path'; separator.length", '1'],
    ['a type alone', "import type { Stats } from 'node:fs'; const none: Stats | null = null; none === null", 'true'],
    ['an import for its effects', "import 'node:os'; 1", '1'],
    ['dynamic import', "const vega = await import('vega'); typeof vega.parse", 'function'],
    [
      'dynamic import of a name known at run time',
      "const name = 'node:' + 'os'; typeof (await import(name)).cpus",
      'function',
    ],
    ['the library itself', "import { charts as drawn } from 'layerscope'; typeof drawn.attention", 'function'],
  ] as const)('%s', async ([, code, value], { kernel }) => {
    expect(await run(kernel, code)).toBe(value);
  });

  test('last through later cells, and can be made again', async ({ kernel }) => {
    expect(
      await run(
        kernel,
        "import { join } from 'node:path';",
        'function twice(name: string) { return join(name, name); }',
        "import { join } from 'node:path';\ntwice('a')",
      ),
    ).toBe('a/a');
  });

  test('of a module that is not there say so, in the line of the import', async ({ kernel }) => {
    const { reply, traceback } = await kernel.execute("const x = 1;\nimport { y } from 'no-such-package';");
    expect(reply.status).toBe('error');
    expect(traceback).toMatch(/2:19[\s\S]*no-such-package/);
    const dynamic = await kernel.execute("const wanted: string = 'no-such-package'; await import(wanted)");
    expect(dynamic.traceback).toMatch(/Cannot find (package|module) 'no-such-package'/);
  });

  test('of what was written or installed since it was missed find it', async ({ startKernel }) => {
    const folder = mkdtempSync(join(tmpdir(), 'layerscope-late-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const kernel = await startKernel({ cwd: folder });
    const [file, module] = ["import { late } from './late.ts'; late", "import { later } from 'later'; later"];
    expect((await kernel.execute(file)).traceback).toMatch(/Cannot find module '\.\/late\.ts'/);
    writeFileSync(join(folder, 'late.ts'), 'export const late = 1;\n');
    expect(await run(kernel, file)).toBe('1');
    expect((await kernel.execute(module)).traceback).toMatch(/Cannot find module 'later'/);
    const installed = join(folder, 'node_modules/later');
    mkdirSync(installed, { recursive: true });
    writeFileSync(join(installed, 'package.json'), '{ "name": "later", "type": "module", "exports": "./index.js" }');
    writeFileSync(join(installed, 'index.js'), 'export const later = 2;\n');
    expect(await run(kernel, module)).toBe('2');
  });

  test('of a local TypeScript file follow its edits, also through another file', async ({ startKernel }) => {
    const folder = mkdtempSync(join(tmpdir(), 'layerscope-local-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    mkdirSync(join(folder, 'deep'));
    writeFileSync(join(folder, 'deep/inner.ts'), 'export const inner: number = 1;\n');
    writeFileSync(
      join(folder, 'local.ts'),
      "import { inner } from './deep/inner.ts';\nexport enum Size { Small = 1 }\nexport const sum = (n: number): number => n + inner;\n",
    );
    const kernel = await startKernel({ cwd: folder });
    const code = "import { sum, Size } from './local.ts'; sum(Size.Small)";
    expect(await run(kernel, code)).toBe('2');
    writeFileSync(join(folder, 'deep/inner.ts'), 'export const inner: number = 41;\n');
    expect(await run(kernel, code)).toBe('42');
    writeFileSync(
      join(folder, 'local.ts'),
      'export enum Size { Small = 7 }\nexport const sum = (n: number): string => n + "!";\n',
    );
    expect(await run(kernel, code)).toBe('7!');
    writeFileSync(join(folder, 'local.ts'), "export enum Size { Small }\nexport const sum: number = 'seven';\n");
    const { reply, traceback } = await kernel.execute(code);
    expect(reply.status).toBe('error');
    expect(traceback).toMatch(/local\.ts.*2:14[\s\S]*not assignable/);
  });

  test("a local file's errors name its own lines", async ({ startKernel }) => {
    const folder = mkdtempSync(join(tmpdir(), 'layerscope-local-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(
      join(folder, 'broken.ts'),
      "interface Gone { a: number }\n\nexport function broken(_: Gone): never {\n  throw new Error('in a file');\n}\n",
    );
    const kernel = await startKernel({ cwd: folder });
    const { traceback } = await kernel.execute("import { broken } from './broken.ts';\n\nbroken({ a: 1 });");
    expect(traceback).toMatch(/broken\.ts:4:9[\s\S]*cell 1:3:/);
  });
});

describe('a cell may', () => {
  test.for([
    ['await at the top', 'const waited = await Promise.resolve(3); waited', '3'],
    ['end in an await', 'await Promise.resolve([1, 2])', '[ 1, 2 ]'],
    ['loop with for await', 'let total = 0; for await (const n of [Promise.resolve(1), 2]) total += n; total', '3'],
    [
      'iterate asynchronously',
      'async function* count() { yield 1; yield 2; } const got: number[] = []; for await (const n of count()) got.push(n); got',
      '[ 1, 2 ]',
    ],
    ['declare an enum', 'enum Colour { Red = 1, Green } Colour[Colour.Green]', 'Green'],
    ['declare a const enum', 'const enum Fixed { A = 5 } Fixed.A', '5'],
    ['declare a namespace', 'namespace Shapes { export const sides = 4; } Shapes.sides', '4'],
    ['use generics', 'function first<T>(of: readonly T[]): T | undefined { return of[0]; } first<string>(["a"])', 'a'],
    [
      'use parameter properties',
      'class Point { constructor(readonly x: number, private y = 2) {} sum() { return this.x + this.y; } } new Point(1).sum()',
      '3',
    ],
    ['use decorators', 'let noted = 0; function note(..._: unknown[]) { noted++; } @note class Noted {} noted', '1'],
    [
      'use abstract classes and accessors',
      'abstract class A { abstract get a(): number; } class B extends A { get a() { return 9; } } new B().a',
      '9',
    ],
    [
      'destructure',
      'const { a: { b = 4, ...rest }, c: [, d] } = { a: { e: 5 } as { b?: number; e: number }, c: [1, 2] }; [b, rest.e, d]',
      '[ 4, 5, 2 ]',
    ],
    [
      'overload',
      'function f(a: string): 1; function f(a: number): 2; function f(a: unknown) { return typeof a === "string" ? 1 : 2; } f(0)',
      '2',
    ],
    ['use satisfies and as const', 'const table = { a: 1 } as const satisfies Record<string, number>; table.a', '1'],
    ['use big integers', '2n ** 64n', '18446744073709551616n'],
    [
      'use labels, generators and getters',
      'outer: for (const a of [1]) { for (;;) break outer; } function* g() { yield* [1, 2]; } [...g()]',
      '[ 1, 2 ]',
    ],
    ['end in an object literal in parentheses', '({ a: 1 })', '{ a: 1 }'],
    ['end in a comment', '7 // seven', '7'],
    ['be nothing at all', ' \n // nothing\n', undefined],
  ] as const)('%s', async ([, code, value], { kernel }) => {
    expect(await run(kernel, code)).toBe(value);
  });
});

describe('the next cell', () => {
  test.for([
    [
      'sees constants, variables and functions',
      ['const k = 1; let l = 2; var v = 3; function f() { return k + l + v; }', 'f()'],
      '6',
    ],
    ['changes variables, and functions see it', ['let n = 1; const read = () => n;', 'n = 5; n++;', 'read()'], '6'],
    ['sees types', ['interface Pair { a: number } type Key = keyof Pair;', "const key: Key = 'a'; key"], 'a'],
    ['may declare a constant again', ['const again = 1;', "const again = 'two';", 'again'], 'two'],
    [
      'may declare a constant again as another kind',
      ['const kind = 1;', 'function kind() { return 2; }', 'kind()'],
      '2',
    ],
    [
      'may declare a class again, and old instances keep their own',
      [
        'class C { name() { return 1; } } const old = new C();',
        'class C { name() { return 2; } }',
        '[old.name(), new C().name()]',
      ],
      '[ 1, 2 ]',
    ],
    [
      'may declare a type again',
      ['interface Again { a: number }', 'interface Again { b: string }', "const shaped: Again = { b: 'x' }; shaped.b"],
      'x',
    ],
    ['may declare an enum again', ['enum E { A = 1 }', 'enum E { A = 2 }', 'E.A'], '2'],
    ['sees what was destructured', ['const [p, { q }] = [1, { q: 2 }];', 'p + q'], '3'],
    ['sees what an await gave', ['const later = await Promise.resolve({ deep: [1] });', 'later.deep[0]'], '1'],
    [
      'extends a class',
      [
        'class Base { constructor(public n: number) {} }',
        'class Derived extends Base { twice() { return this.n * 2; } }',
        'new Derived(4).twice()',
      ],
      '8',
    ],
    ['sees what a loop left', ['var counter = 0; for (let i = 0; i < 3; i++) counter += i;', 'counter'], '3'],
    ['sees names of any script', ['const π = 3; const 変数 = 4;', 'π + 変数'], '7'],
    ['may shadow what the prelude gives', ["const lens = 'mine';", 'lens'], 'mine'],
  ] as const)('%s', async ([, cells, value], { kernel }) => {
    expect(await run(kernel, ...cells)).toBe(value);
  });

  test('uses classes with private members, of both kinds', async ({ kernel }) => {
    expect(
      await run(
        kernel,
        `class Counter {
           #count = 0;
           private step = 2;
           static #made = 0;
           static make() { Counter.#made++; return new Counter(); }
           static get made() { return Counter.#made; }
           #add() { this.#count += this.step; }
           next() { this.#add(); return this.#count; }
           static is(value: object) { return #count in value; }
         }`,
        'const counting = Counter.make();',
        'counting.next(); [counting.next(), Counter.made, Counter.is(counting), Counter.is({})]',
      ),
    ).toBe('[ 4, 1, true, false ]');
    const { traceback } = await kernel.execute('counting.step');
    expect(traceback).toMatch(/1:10[\s\S]*'step' is private/);
  });

  test('sees nothing of a cell that did not compile, and what ran of one that threw', async ({ kernel }) => {
    expect((await kernel.execute("const unborn: number = 'x';")).reply.status).toBe('error');
    expect((await kernel.execute('unborn')).traceback).toMatch(/Cannot find name 'unborn'/);
    await run(kernel, 'let reached = 0;');
    expect((await kernel.execute("reached = 1; throw new Error('after');")).reply.status).toBe('error');
    expect(await run(kernel, 'reached')).toBe('1');
  });
});

describe('type checking', () => {
  test('shows each error with its line, column and code, and runs nothing', async ({ kernel }) => {
    const { messages, reply, stdout, traceback } = await kernel.execute(
      "console.log('ran');\nconst n: number = 'text';\n\n  missing();",
    );
    expect([reply.status, stdout]).toEqual(['error', '']);
    expect(traceback).toMatch(/2:7[\s\S]*Type 'string' is not assignable to type 'number'/);
    expect(traceback).toMatch(/4:3[\s\S]*Cannot find name 'missing'/);
    expect(messages.filter(({ header }) => header.msg_type === 'error')).toHaveLength(1);
  });

  test('is not strict by default', async ({ kernel }) => {
    expect(await run(kernel, 'function loose(x) { return x; } let maybe: string = null; loose(maybe)')).toBe('null');
  });

  test('is strict where LAYERSCOPE_STRICT is 1', async ({ startKernel }) => {
    const kernel = await startKernel({ env: { LAYERSCOPE_STRICT: '1' } });
    const { reply, traceback } = await kernel.execute('let maybe: string = null;\nfunction loose(x) { return x; }');
    expect(reply.status).toBe('error');
    expect(traceback).toMatch(/1:5[\s\S]*'null' is not assignable[\s\S]*2:16[\s\S]*implicitly has an 'any' type/);
    expect(await run(kernel, 'const fine: string | null = null; fine')).toBe('null');
  });

  test("knows WebGPU's and Node's types from the start", async ({ kernel }) => {
    const { traceback } = await kernel.execute("const usage: GPUBufferUsageFlags = 'x';");
    expect(traceback).toMatch(/1:7[\s\S]*'string' is not assignable to type 'number'/);
    expect(
      await run(kernel, "const limit: GPUSize64 = Buffer.from('ab').length; process.version.length > 0 && limit"),
    ).toBe('2');
  });

  test('checks calls of our own API', async ({ kernel }) => {
    const { traceback } = await kernel.execute('const wrong = await openModel(3);');
    expect(traceback).toMatch(/1:31[\s\S]*'number' is not assignable/);
  });
});

describe('the prelude', () => {
  test('lets a first cell open a model, step and draw', async ({ startKernel }) => {
    const kernel = await startKernel();
    const { reply, traceback, result } = await kernel.execute(`
      const model = await openModel('fixtures/lily-4m-f16.gguf');
      const run = await model.start('Lily gave the ball to Tom. Tom thanked').toEnd();
      charts.attention(run, { layer: 3, head: 0 })`);
    expect(traceback).toBe('');
    expect(reply.status).toBe('ok');
    expect(Object.keys(result ?? {})).toEqual(
      expect.arrayContaining(['application/vnd.vegalite.v5+json', 'image/svg+xml', 'text/plain']),
    );
    const shown = await kernel.execute("display(charts.rmsGrowth(run)); await run.tensor('l_out-0')");
    expect(shown.outputs.map(({ header }) => header.msg_type)).toEqual(['display_data', 'execute_result']);
    expect(shown.result?.['text/plain']).toContain('l_out-0');
    const steps = await kernel.execute("await run.back('l_out-1'); await run.step(); run.trace.names.length > 0");
    expect(steps.result?.['text/plain']).toBe('true');
  });

  test('brings the names that DESIGN promises', async ({ kernel }) => {
    const names = 'openModel readArrow charts Tensor llamaCpp display updateDisplay clearOutput'.split(' ');
    expect(await run(kernel, `[${names}].map((value) => typeof value).includes('undefined')`)).toBe('false');
  });
});
