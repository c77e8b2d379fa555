/** Cells compiled and run in this process, one after another, without supervisor and executor. */
import { CellCompiler, type CompilerOptions } from '../../../src/notebook/compiler/cell_compiler.ts';
import type { CellDiagnostic } from '../../../src/notebook/compiler/diagnostic.ts';
import { type Exports, Modules } from '../../../src/notebook/executor/modules.ts';
import { cellScript, rememberCell } from '../../../src/notebook/executor/stack.ts';

export class CellsHere {
  readonly compiler: CellCompiler;
  readonly #cwd: string;
  #modules: Modules;
  #variables: Exports = {};
  #count = 0;

  constructor(options: Partial<CompilerOptions> = {}) {
    this.#cwd = options.cwd ?? process.cwd();
    this.compiler = new CellCompiler({ strict: false, modules: {}, prelude: '', ...options, cwd: this.#cwd });
    this.#modules = new Modules(this.#cwd, (load) => load(), {});
  }

  /** Runs cells that must compile; gives the last one's value. */
  async run(...cells: readonly string[]): Promise<unknown> {
    let value: unknown;
    for (const code of cells) {
      const { cell, diagnostics } = this.compiler.compile(code);
      if (!cell) throw new Error(`${code}\n${diagnostics.map(({ message }) => message).join('\n')}`);
      this.compiler.keep(cell);
      this.#modules.add(cell.files);
      const count = ++this.#count;
      rememberCell(count, count, cell.map);
      const script = { script: cellScript(count), code: cell.code, imports: cell.imports };
      await this.#modules.run(script, this.#variables, null);
      value = cell.result === null ? undefined : await this.#variables[cell.result];
    }
    return value;
  }

  /** What is wrong with a cell that must not compile. */
  diagnostics(code: string): readonly CellDiagnostic[] {
    const { diagnostics } = this.compiler.compile(code);
    if (!diagnostics) throw new Error(`It compiles: ${code}`);
    return diagnostics;
  }

  /** As after a restart, but the compiler stays warm. */
  reset(): void {
    this.compiler.reset();
    this.#variables = {};
    this.#modules = new Modules(this.#cwd, (load) => load(), {});
  }
}
