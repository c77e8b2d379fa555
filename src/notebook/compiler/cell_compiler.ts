/**
 * Compiles cells: TypeScript in, JavaScript for the executor out, with tslab's converter for what makes a cell a cell
 * (declarations carry over and can be made again, the last expression is the result). Also completion and hover.
 */
import { createRequire } from 'node:module';
import { dirname, join, parse } from 'node:path';
import remapping, { type SourceMapInput } from '@jridgewell/remapping';
import MagicString from 'magic-string';
import type { Converter } from 'tslab/dist/converter.js';
import type TypeScript from 'typescript';
import { calleeBefore } from './callee.ts';
import { CELL_FILE } from './cell_program.ts';
import { type CommonJs, commonJs } from './common_js.ts';
import { type CellDiagnostic, placeIn, refused } from './diagnostic.ts';
import { exportedNames } from './exported_names.ts';
import { forgotten, withoutMadeAgain } from './forgotten.ts';
import { asCell } from './module_syntax.ts';
import { callTslab, type TslabHooks } from './tslab.ts';
import { parseCell, typescript as ts } from './typescript.ts';
import { type Insertion, isUnnameable, missingTypes } from './unnameable.ts';
import { Watches } from './watches.ts';

const require = createRequire(import.meta.url);

/** A local file that a cell imports. */
export interface CompiledFile extends CommonJs {
  /** Of the TypeScript or JavaScript file, absolute. */
  readonly path: string;
}

export interface CompiledCell extends CommonJs {
  /** Export that holds the last expression's value; null where the cell ends with none. */
  readonly result: string | null;
  /** Files that are new or changed since the cells before. */
  readonly files: readonly CompiledFile[];
  /** What later cells may use of this one and those before, as declarations; for `keep`. */
  readonly declarations: string;
}

export type Compilation =
  | { readonly cell: CompiledCell; readonly diagnostics: null }
  | { readonly cell: null; readonly diagnostics: readonly CellDiagnostic[] };

export interface Completions {
  /** Offsets in the code, in UTF-16 units, of what a match replaces. */
  readonly start: number;
  readonly end: number;
  readonly matches: readonly { readonly text: string; readonly kind: string }[];
}

export interface Inspection {
  /** The declaration, as TypeScript. */
  readonly signature: string;
  /** Its docstring, as Markdown; may be empty. */
  readonly documentation: string;
}

export interface CompilerOptions {
  /** The notebook's folder. */
  readonly cwd: string;
  /** TypeScript's `strict`. */
  readonly strict: boolean;
  /** Modules that cells import by name and that come with us: name → declaration file. */
  readonly modules: Readonly<Record<string, string>>;
  /** Of those, the one whose exports every cell sees without an import. */
  readonly prelude: string;
}

/** tslab puts this line before a cell, which makes it a module. */
const PREFIX = 'export {};\n';

/** How often types are put at declarations that lack them: those may show others that do. */
const TYPING_ROUNDS = 4;

export class CellCompiler {
  readonly #options: CompilerOptions;
  readonly #watches = new Watches();
  readonly #hooks: TslabHooks;
  /** Null where TypeScript has failed within. */
  #converter: Converter | null = null;
  /** What all cells so far declare. */
  #declarations = '';
  #diagnostics: readonly TypeScript.Diagnostic[] = [];
  #files: CompiledFile[] = [];
  #last: CommonJs | null = null;

  constructor(options: CompilerOptions) {
    this.#options = options;
    this.#hooks = this.#hooksFor(options);
    this.#call(() => {}); // so that TypeScript loads now, not with the first cell
  }

  /** The cell that runs before all others: it has the prelude's exports for its own. What they are is known, so nothing is compiled. */
  prelude(): CompiledCell {
    const { modules, prelude } = this.#options;
    const names = exportedNames(modules[prelude] ?? '');
    return {
      code: `Object.assign(exports, require('${prelude}'));`,
      map: '',
      imports: [prelude],
      result: null,
      files: [],
      declarations: `import { ${names.join(', ')} } from '${prelude}';\n`,
    };
  }

  /**
   * Compiles a cell after those that were kept. Nothing is kept of it until `keep`. Throws where TypeScript itself fails; it
   * begins anew then, and the next cell compiles.
   */
  compile(code: string): Compilation {
    return this.#call((converter) => {
      // Of a cell that is no TypeScript at all, the rest that could be said would mislead.
      const wrong = parseCell(code).parseDiagnostics.map(({ start, length, code: number, messageText }) => ({
        ...{ file: null, code: number, message: ts.flattenDiagnosticMessageText(messageText, '\n') },
        ...placeIn(code, start ?? 0, length ?? 0),
      }));
      if (wrong.length > 0) return { cell: null, diagnostics: wrong };
      const { code: text, refusals } = asCell(code);
      if (refusals.length > 0) {
        return { cell: null, diagnostics: refusals.map((refusal) => refused(refusal, code)) };
      }
      this.#watches.report();
      return this.#typed(converter, text);
    });
  }

  /** Compiles a cell in which declarations get a type whose own cannot be written. */
  #typed(converter: Converter, code: string): Compilation {
    let types: readonly Insertion[] = [];
    for (let round = 0; ; round++) {
      const { cell, diagnostics, offsets } = this.#compile(converter, code, types);
      if (cell) return { cell, diagnostics: null };
      const others = diagnostics.filter(({ file, code: number }) => file !== null || !isUnnameable(number ?? 0));
      const more = others.length > 0 || round === TYPING_ROUNDS ? null : missingTypes(code, offsets);
      if (!more) return { cell: null, diagnostics: others.length > 0 ? others : diagnostics };
      types = [...types, ...more].sort((a, b) => a.at - b.at);
    }
  }

  /** Compiles a cell with `types` put in; places are those of the cell without. */
  #compile(
    converter: Converter,
    code: string,
    types: readonly Insertion[],
  ): Compilation & { readonly offsets: readonly number[] } {
    this.#files = [];
    this.#diagnostics = [];
    this.#last = null;
    const typed = new MagicString(PREFIX + code);
    for (const { at, text } of types) typed.appendLeft(PREFIX.length + at, text);
    const earlier = withoutMadeAgain(this.#declarations, code);
    const text = typed.toString().slice(PREFIX.length);
    const { output, declOutput, lastExpressionVar } = converter.convert(earlier, text);
    const places = this.#diagnostics.flatMap((each) => (each.file ? [this.#place(each, each.file, code, types)] : []));
    if (places.length > 0) {
      const diagnostics = places.map(({ diagnostic }) => diagnostic);
      return { cell: null, diagnostics, offsets: places.map(({ offset }) => offset) };
    }
    const { code: javascript, map, imports } = this.#last ?? { code: output ?? '', map: '', imports: [] };
    const cell = {
      code: javascript,
      map: types.length === 0 ? map : mapThrough(map, typed),
      imports,
      result: lastExpressionVar ?? null,
      files: this.#files,
      declarations: (declOutput ?? '') + forgotten(earlier, code),
    };
    return { cell, diagnostics: null, offsets: [] };
  }

  /** Later cells see what this one declares. */
  keep({ declarations }: CompiledCell): void {
    this.#declarations = declarations;
  }

  /** Later cells see nothing of those before. */
  reset(): void {
    this.#declarations = '';
  }

  complete(code: string, offset: number): Completions {
    const { start, end, candidates, original } = this.#call((converter) =>
      converter.complete(this.#declarations, asCell(code).code, offset),
    );
    const kinds = new Map(original?.entries.map(({ name, kind }) => [name, `${kind}`]));
    const matches = candidates.map((text) => ({ text, kind: kinds.get(text) ?? '' }));
    // What stands in a string already is replaced, which tslab does for names alone.
    const inString = original?.entries[0]?.replacementSpan ?? original?.optionalReplacementSpan;
    if (start !== end || !inString) return { start, end, matches };
    const from = inString.start - (original?.entries[0]?.replacementSpan ? PREFIX.length : 0);
    const typed = code.slice(from, offset).toLowerCase();
    return {
      start: from,
      end: from + inString.length,
      matches: matches.filter(({ text }) => text.toLowerCase().startsWith(typed)),
    };
  }

  /** What stands at an offset, or the function whose arguments do; null where nothing is known. */
  inspect(code: string, offset: number): Inspection | null {
    const at = (position: number) =>
      this.#call((converter) => converter.inspect(this.#declarations, asCell(code).code, position));
    const callee = calleeBefore(code, offset);
    const info = at(offset) ?? (callee === null ? undefined : at(callee));
    if (!info) return null;
    const text = (parts: readonly { text: string }[] | undefined) => (parts ?? []).map((part) => part.text).join('');
    const tags = (info.tags ?? []).map((tag) => `*@${tag.name}* ${text(tag.text)}`.trim());
    const documentation = [text(info.documentation), ...tags].filter(Boolean).join('\n\n');
    // That a name came by an import, as the prelude's all do, says nothing of what it is.
    const signature = text(info.displayParts)
      .replace(/^\(alias\) /, '')
      .replace(/\nimport [^\n]*$/, '');
    return { signature, documentation };
  }

  close(): void {
    callTslab(this.#hooks, () => this.#converter?.close());
  }

  /** Has tslab do something. Where TypeScript fails within, its program cannot be used again: the next call makes another. */
  #call<T>(work: (converter: Converter) => T): T {
    return callTslab(this.#hooks, ({ createConverter }) => {
      const converter = this.#converter ?? createConverter({ isJS: false, isBrowser: false });
      this.#converter = null;
      const done = work(converter);
      this.#converter = converter;
      return done;
    });
  }

  #hooksFor({ cwd, strict, modules, prelude }: CompilerOptions): TslabHooks {
    const paths = Object.fromEntries(Object.entries(modules).map(([name, file]) => [name, [file]]));
    return {
      cwd,
      options: {
        strict,
        // Bundler: what cells import is resolved as Node's ES modules are, without asking for file extensions.
        moduleResolution: ts.ModuleResolutionKind.Bundler,
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2022,
        lib: ['lib.es2023.d.ts'],
        customConditions: ['node'],
        rewriteRelativeImportExtensions: true,
        inlineSourceMap: true,
        // Cells may import from any folder above their own.
        rootDir: parse(cwd).root,
        types: [],
        paths,
      },
      rootFiles: [...['@types/node', '@webgpu/types'].map(declarationsOf), modules[prelude] ?? ''],
      watchFile: this.#watches.watchFile,
      onDiagnostics: (found) => {
        this.#diagnostics = found;
      },
      onSideOutput: (path, javascript) => {
        this.#files.push({ path, ...commonJs(javascript) });
      },
      toCommonJs: (javascript) => {
        this.#last = commonJs(javascript);
        return this.#last.code;
      },
    };
  }

  /** What TypeScript objects to, and its offset in the cell. */
  #place(
    { start = 0, length = 0, code, messageText }: TypeScript.Diagnostic,
    { fileName, text }: TypeScript.SourceFile,
    cell: string,
    types: readonly Insertion[],
  ): { readonly diagnostic: CellDiagnostic; readonly offset: number } {
    const message = ts.flattenDiagnosticMessageText(messageText, '\n');
    const isCell = fileName === join(this.#options.cwd, CELL_FILE).replaceAll('\\', '/');
    if (!isCell)
      return { diagnostic: { file: fileName, code, message, ...placeIn(text, start, length) }, offset: start };
    // tslab adds a list of exports after the cell; what is wrong there is so because of its last line.
    const offset = Math.min(Math.max(0, offsetWithout(types, start - PREFIX.length)), cell.length);
    return { diagnostic: { file: null, code, message, ...placeIn(cell, offset, length) }, offset };
  }
}

/** Where an offset in a cell with insertions lies in the cell without. */
function offsetWithout(insertions: readonly Insertion[], offset: number): number {
  let shift = 0;
  for (const { at, text } of insertions) if (at + shift < offset) shift += Math.min(text.length, offset - at - shift);
  return offset - shift;
}

/** A source map of what was made of `typed`, as one of what `typed` was made of. */
function mapThrough(map: string, typed: MagicString): string {
  const maps = [JSON.parse(map), typed.generateMap({ hires: 'boundary', source: CELL_FILE })] as SourceMapInput[];
  return JSON.stringify(remapping(maps, () => null));
}

/** The declaration file of a package of types. */
function declarationsOf(name: string): string {
  const path = require.resolve(`${name}/package.json`);
  const { types } = require(path) as { types: string };
  return join(dirname(path), types);
}
