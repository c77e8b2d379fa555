/**
 * Compiles cells: TypeScript in, JavaScript for the executor out, with tslab's converter for what makes a cell a cell
 * (declarations carry over and can be made again, the last expression is the result). Also completion and hover.
 */
import { createRequire } from 'node:module';
import { dirname, join, parse } from 'node:path';
import type { Converter } from 'tslab/dist/converter.js';
import type TypeScript from 'typescript';
import { type CommonJs, commonJs } from './common_js.ts';
import { exportedNames } from './exported_names.ts';
import { CELL_FILE, callTslab, type TslabHooks, typescript as ts } from './typescript.ts';
import { isUnnameable, withTypes } from './unnameable.ts';
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

/** What TypeScript has against a cell. Lines and columns count from 1. */
export interface CellDiagnostic {
  /** Null is the cell itself. */
  readonly file: string | null;
  readonly line: number;
  readonly column: number;
  /** Characters marked, on the first line. */
  readonly length: number;
  /** That line. */
  readonly text: string;
  /** As in TS2322. */
  readonly code: number;
  readonly message: string;
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

export class CellCompiler {
  readonly #options: CompilerOptions;
  readonly #watches = new Watches();
  readonly #hooks: TslabHooks;
  readonly #converter: Converter;
  /** What all cells so far declare. */
  #declarations = '';
  #diagnostics: readonly TypeScript.Diagnostic[] = [];
  #files: CompiledFile[] = [];
  #last: CommonJs | null = null;

  constructor(options: CompilerOptions) {
    this.#options = options;
    this.#hooks = this.#hooksFor(options);
    this.#converter = callTslab(this.#hooks, ({ createConverter }) =>
      createConverter({ isJS: false, isBrowser: false }),
    );
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

  /** Compiles a cell after those that were kept. Nothing is kept of it until `keep`. */
  compile(code: string): Compilation {
    callTslab(this.#hooks, () => this.#watches.report());
    const compilation = this.#compile(code);
    const { diagnostics } = compilation;
    if (!diagnostics?.every(({ file, code: number }) => file === null && isUnnameable(number))) return compilation;
    const offsets = this.#diagnostics.map(({ start = 0 }) => start - PREFIX.length);
    const typed = withTypes(code, offsets);
    return typed === null ? compilation : this.#compile(typed);
  }

  #compile(code: string): Compilation {
    this.#files = [];
    this.#diagnostics = [];
    this.#last = null;
    const { output, declOutput, lastExpressionVar } = callTslab(this.#hooks, () =>
      this.#converter.convert(this.#declarations, code),
    );
    const diagnostics = this.#diagnostics.flatMap((each) =>
      each.file ? [this.#diagnostic(each, each.file, code)] : [],
    );
    if (diagnostics.length > 0) return { cell: null, diagnostics };
    const { code: javascript, map, imports } = this.#last ?? { code: output ?? '', map: '', imports: [] };
    const declarations = declOutput ?? '';
    const result = lastExpressionVar ?? null;
    return {
      cell: { code: javascript, map, imports, result, files: this.#files, declarations },
      diagnostics: null,
    };
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
    const { start, end, candidates, original } = callTslab(this.#hooks, () =>
      this.#converter.complete(this.#declarations, code, offset),
    );
    const kinds = new Map(original?.entries.map(({ name, kind }) => [name, `${kind}`]));
    const matches = candidates.map((text) => ({ text, kind: kinds.get(text) ?? '' }));
    return { start, end, matches };
  }

  /** What stands at an offset, or the function whose arguments do; null where nothing is known. */
  inspect(code: string, offset: number): Inspection | null {
    const at = (position: number) =>
      callTslab(this.#hooks, () => this.#converter.inspect(this.#declarations, code, position));
    const callee = calleeBefore(code, offset);
    const info = at(offset) ?? (callee === null ? undefined : at(callee));
    if (!info) return null;
    const text = (parts: readonly { text: string }[] | undefined) => (parts ?? []).map((part) => part.text).join('');
    const tags = (info.tags ?? []).map((tag) => `*@${tag.name}* ${text(tag.text)}`.trim());
    const documentation = [text(info.documentation), ...tags].filter(Boolean).join('\n\n');
    return { signature: text(info.displayParts), documentation };
  }

  close(): void {
    callTslab(this.#hooks, () => this.#converter.close());
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

  #diagnostic(
    { start = 0, length = 0, code, messageText }: TypeScript.Diagnostic,
    file: TypeScript.SourceFile,
    cell: string,
  ): CellDiagnostic {
    const isCell = file.fileName === join(this.#options.cwd, CELL_FILE).replaceAll('\\', '/');
    const source = isCell ? cell : file.text;
    // tslab adds a list of exports after the cell; what is wrong there is so because of its last line.
    const from = isCell ? Math.min(Math.max(0, start - PREFIX.length), cell.length) : start;
    const before = source.slice(0, from).split('\n');
    const column = (before.at(-1) ?? '').length;
    const text = source.split('\n')[before.length - 1] ?? '';
    return {
      file: isCell ? null : file.fileName,
      line: before.length,
      column: column + 1,
      length: Math.max(1, Math.min(length, text.length - column)),
      text,
      code,
      message: ts.flattenDiagnosticMessageText(messageText, '\n'),
    };
  }
}

/** The declaration file of a package of types. */
function declarationsOf(name: string): string {
  const path = require.resolve(`${name}/package.json`);
  const { types } = require(path) as { types: string };
  return join(dirname(path), types);
}

export type Completeness = { readonly isComplete: true } | { readonly isComplete: false; readonly indent: string };

/** Whether a cell could run as it stands, or wants more lines; for consoles. */
export function completeness(code: string): Completeness {
  const { isCompleteCode } = require('tslab/dist/converter.js') as typeof import('tslab/dist/converter.js');
  const { completed, indent } = isCompleteCode(code);
  return completed ? { isComplete: true } : { isComplete: false, indent: indent ?? '' };
}

/** Offset of the name of the function in whose arguments `offset` lies; null where it lies in none. */
function calleeBefore(code: string, offset: number): number | null {
  const file = ts.createSourceFile('cell.ts', code, ts.ScriptTarget.ES2022, true);
  let found: number | null = null;
  const visit = (node: TypeScript.Node): void => {
    if (offset < node.pos || offset > node.end) return;
    if ((ts.isCallExpression(node) || ts.isNewExpression(node)) && offset > node.expression.end) {
      const { expression } = node;
      found = (ts.isPropertyAccessExpression(expression) ? expression.name : expression).getStart(file);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}
