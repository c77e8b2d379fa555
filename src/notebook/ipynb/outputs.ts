/**
 * From the messages that cells give to the outputs that a notebook keeps, as Jupyter's front ends do it: text of one stream
 * joins, a display may be updated from any later cell, what was cleared is gone. What differs from machine to machine is
 * left out: folders in error messages, and displays that ended empty, as a finished progress bar does.
 */
import type { CellOutput, Shown, UpdateOutput } from '../cells.ts';
import { type HideFolders, withoutFolders } from './folders.ts';
import type { SavedDisplay, SavedOutput } from './notebook.ts';

/** Outputs of all cells of one run: a display's id is known in every one of them. */
export class OutputCollector {
  readonly #displays = new Map<string, Collected[]>();
  readonly #hideFolders: HideFolders;

  /** `hideFolders` makes an error's text the same on every machine. */
  constructor(hideFolders: HideFolders) {
    this.#hideFolders = hideFolders;
  }

  /** Begins a cell. Outputs are read from it when all cells are done, because later ones may update them. */
  cell(): CellCollector {
    return new CellCollector(this.#displays, this.#hideFolders);
  }
}

/** An output that may still change. */
type Collected = { shown: SavedOutput };

export class CellCollector {
  readonly #displays: Map<string, Collected[]>;
  readonly #hideFolders: HideFolders;
  #collected: Collected[] = [];
  #clearsNext = false;

  constructor(displays: Map<string, Collected[]>, hideFolders: HideFolders) {
    this.#displays = displays;
    this.#hideFolders = hideFolders;
  }

  /** What the cell shows now. */
  get outputs(): readonly SavedOutput[] {
    return joined(this.#collected.map(({ shown }) => shown).filter((output) => !isEmptyDisplay(output)));
  }

  readonly take = (output: CellOutput): void => {
    switch (output.type) {
      case 'clear_output':
        if (output.wait) this.#clearsNext = true;
        else this.#clear();
        return;
      case 'update_display_data':
        this.#update(output);
        return;
      case 'stream':
        this.#beforeNext();
        this.#add({ ...output });
        return;
      case 'display_data': {
        this.#beforeNext();
        const display = this.#add(displayOf(output));
        const { displayId } = output;
        if (displayId !== null) this.#displays.set(displayId, [...(this.#displays.get(displayId) ?? []), display]);
        return;
      }
      case 'execute_result':
        this.#beforeNext();
        this.#add({ ...output });
        return;
      case 'error':
        this.#beforeNext();
        this.#add(withoutFolders(output, this.#hideFolders));
        return;
      default:
        throw output satisfies never;
    }
  };

  #beforeNext(): void {
    if (this.#clearsNext) this.#clear();
  }

  #clear(): void {
    this.#collected = [];
    this.#clearsNext = false;
  }

  #add(shown: SavedOutput): Collected {
    const collected = { shown };
    this.#collected.push(collected);
    return collected;
  }

  #update(output: UpdateOutput): void {
    for (const display of this.#displays.get(output.displayId) ?? []) display.shown = displayOf(output);
  }
}

function displayOf({ data, metadata }: Shown): SavedDisplay {
  return { type: 'display_data', data, metadata };
}

/** Text joins what its stream said just before, also where a bar that is gone stood between. */
function joined(outputs: readonly SavedOutput[]): SavedOutput[] {
  const kept: SavedOutput[] = [];
  for (const output of outputs) {
    const last = kept.at(-1);
    const isMore = output.type === 'stream' && last?.type === 'stream' && output.name === last.name;
    if (isMore) kept[kept.length - 1] = { ...last, text: last.text + output.text };
    else kept.push(output);
  }
  return kept;
}

function isEmptyDisplay(output: SavedOutput): boolean {
  return output.type === 'display_data' && Object.values(output.data).every((value) => value === '');
}
