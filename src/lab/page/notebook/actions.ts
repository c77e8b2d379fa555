/** What can be done with the notebook in front: names, keys and buttons. Keys are those of Jupyter. */
import { NotebookActions } from '@jupyterlab/notebook';
import {
  addBelowIcon,
  deleteIcon,
  fastForwardIcon,
  type LabIcon,
  moveDownIcon,
  moveUpIcon,
  refreshIcon,
  runIcon,
  saveIcon,
  stopIcon,
} from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { inspectAtCursor } from './inspection.ts';
import { kernelDialogs } from './kernel_state.ts';
import type { NotebookTab } from './notebook_tab.ts';
import { save, saveCopy } from './saving.ts';

/** Where the focus has to be for keys to mean an action. */
const FOCUS = {
  notebook: '.notebook-tab',
  cells: '.jp-Notebook',
  typing: '.jp-Notebook.jp-mod-editMode',
  /** A cell has the focus, not its editor. */
  choosing: '.jp-Notebook.jp-mod-commandMode:not(.jp-mod-readWrite) :focus:not(:read-write)',
  /** Behind a name, not at the beginning of a line, where Tab indents. */
  completing: '.jp-Notebook.jp-mod-editMode .jp-mod-completer-enabled:not(.jp-mod-at-line-beginning)',
  /** Names to complete with are listed. */
  listing: '.jp-Notebook .jp-mod-completer-active',
} as const;

interface Action {
  /** What the button says, and what it says when there is more room. */
  readonly label: string;
  readonly caption?: string;
  /** Side by side on the button. */
  readonly icons?: readonly LabIcon[];
  /** Each a stroke, or strokes one after another. */
  readonly keys?: Partial<Readonly<Record<keyof typeof FOCUS, readonly (string | readonly string[])[]>>>;
  run(tab: NotebookTab): unknown;
}

const cells = (tab: NotebookTab) => tab.panel.content;
const kernel = (tab: NotebookTab) => tab.panel.sessionContext;

/** Each by its id. */
const TABLE = {
  save: {
    label: 'Save',
    icons: [saveIcon],
    keys: { notebook: ['Accel S'] },
    run: (tab) => save(tab),
  },
  'save-copy': { label: 'Save as …', keys: { notebook: ['Accel Shift S'] }, run: (tab) => saveCopy(tab) },
  run: {
    label: 'Run',
    caption: 'Run the cell and go to the next',
    icons: [runIcon],
    keys: { cells: ['Shift Enter'] },
    run: (tab) => NotebookActions.runAndAdvance(cells(tab), kernel(tab)),
  },
  'run-here': {
    label: 'Run and stay',
    keys: { cells: ['Accel Enter', 'Ctrl Enter'] },
    run: (tab) => NotebookActions.run(cells(tab), kernel(tab)),
  },
  'run-insert': {
    label: 'Run and insert below',
    keys: { cells: ['Alt Enter'] },
    run: (tab) => NotebookActions.runAndInsert(cells(tab), kernel(tab)),
  },
  'run-all': {
    label: 'Run all',
    caption: 'Run all cells',
    icons: [fastForwardIcon],
    run: (tab) => NotebookActions.runAll(cells(tab), kernel(tab)),
  },
  interrupt: {
    label: 'Interrupt',
    caption: 'Stop the cell that runs; variables stay',
    icons: [stopIcon],
    keys: { choosing: [['I', 'I']] },
    run: (tab) => kernel(tab).session?.kernel?.interrupt(),
  },
  restart: {
    label: 'Restart',
    caption: 'Start the kernel again: variables go, cells stay',
    icons: [refreshIcon],
    keys: { choosing: [['0', '0']] },
    run: (tab) => kernelDialogs.restart(kernel(tab)),
  },
  'restart-run-all': {
    label: 'Restart and run all',
    icons: [refreshIcon, fastForwardIcon],
    async run(tab) {
      if (await kernelDialogs.restart(kernel(tab))) await NotebookActions.runAll(cells(tab), kernel(tab));
    },
  },
  'insert-below': {
    label: 'Cell',
    caption: 'Insert a cell below',
    icons: [addBelowIcon],
    keys: { choosing: ['B'] },
    run: (tab) => NotebookActions.insertBelow(cells(tab)),
  },
  'insert-above': {
    label: 'Insert a cell above',
    keys: { choosing: ['A'] },
    run: (tab) => NotebookActions.insertAbove(cells(tab)),
  },
  delete: {
    label: 'Delete the cell',
    icons: [deleteIcon],
    keys: { choosing: [['D', 'D']] },
    run: (tab) => NotebookActions.deleteCells(cells(tab)),
  },
  cut: { label: 'Cut the cell', keys: { choosing: ['X'] }, run: (tab) => NotebookActions.cut(cells(tab)) },
  copy: { label: 'Copy the cell', keys: { choosing: ['C'] }, run: (tab) => NotebookActions.copy(cells(tab)) },
  paste: { label: 'Paste below', keys: { choosing: ['V'] }, run: (tab) => NotebookActions.paste(cells(tab)) },
  undo: {
    label: 'Undo what was done to cells',
    keys: { choosing: ['Z'] },
    run: (tab) => NotebookActions.undo(cells(tab)),
  },
  redo: {
    label: 'Redo what was undone to cells',
    keys: { choosing: ['Shift Z'] },
    run: (tab) => NotebookActions.redo(cells(tab)),
  },
  'move-up': {
    label: 'Move the cell up',
    icons: [moveUpIcon],
    keys: { cells: ['Accel Shift ArrowUp'] },
    run: (tab) => NotebookActions.moveUp(cells(tab)),
  },
  'move-down': {
    label: 'Move the cell down',
    icons: [moveDownIcon],
    keys: { cells: ['Accel Shift ArrowDown'] },
    run: (tab) => NotebookActions.moveDown(cells(tab)),
  },
  split: {
    label: 'Split the cell at the cursor',
    keys: { typing: ['Ctrl Shift -'] },
    run: (tab) => NotebookActions.splitCell(cells(tab)),
  },
  merge: {
    label: 'Merge the chosen cells',
    keys: { choosing: ['Shift M'] },
    run: (tab) => NotebookActions.mergeCells(cells(tab)),
  },
  code: {
    label: 'To code',
    keys: { choosing: ['Y'] },
    run: (tab) => NotebookActions.changeCellType(cells(tab), 'code'),
  },
  markdown: {
    label: 'To Markdown',
    keys: { choosing: ['M'] },
    run: (tab) => NotebookActions.changeCellType(cells(tab), 'markdown'),
  },
  raw: { label: 'To raw', keys: { choosing: ['R'] }, run: (tab) => NotebookActions.changeCellType(cells(tab), 'raw') },
  'select-above': {
    label: 'Select the cell above',
    keys: { choosing: ['ArrowUp', 'K'] },
    run: (tab) => NotebookActions.selectAbove(cells(tab)),
  },
  'select-below': {
    label: 'Select the cell below',
    keys: { choosing: ['ArrowDown', 'J'] },
    run: (tab) => NotebookActions.selectBelow(cells(tab)),
  },
  'extend-above': {
    label: 'Select the cell above too',
    keys: { choosing: ['Shift ArrowUp', 'Shift K'] },
    run: (tab) => NotebookActions.extendSelectionAbove(cells(tab)),
  },
  'extend-below': {
    label: 'Select the cell below too',
    keys: { choosing: ['Shift ArrowDown', 'Shift J'] },
    run: (tab) => NotebookActions.extendSelectionBelow(cells(tab)),
  },
  edit: {
    label: 'Edit the cell',
    keys: { choosing: ['Enter'] },
    run(tab) {
      cells(tab).mode = 'edit';
    },
  },
  choose: {
    label: 'Leave the editor',
    keys: { typing: ['Escape'] },
    run(tab) {
      cells(tab).mode = 'command';
    },
  },
  complete: { label: 'Complete', keys: { completing: ['Tab'] }, run: (tab) => tab.completion.invoke() },
  'take-completion': {
    label: 'Take the chosen completion',
    keys: { listing: ['Enter'] },
    run: (tab) => tab.completion.completer.selectActive(),
  },
  inspect: {
    label: 'Explain the name at the cursor',
    keys: { typing: ['Shift Tab'] },
    run(tab) {
      const editor = cells(tab).activeCell?.editor;
      return editor && inspectAtCursor(tab.panel, editor);
    },
  },
  'line-numbers': {
    label: 'Show or hide line numbers',
    keys: { choosing: ['Shift L'] },
    run: (tab) => NotebookActions.toggleAllLineNumbers(cells(tab)),
  },
  'clear-outputs': {
    label: 'Clear all outputs',
    run: (tab) => NotebookActions.clearAllOutputs(cells(tab)),
  },
} satisfies Readonly<Record<string, Action>>;

export type ActionId = keyof typeof TABLE;
export const ACTIONS: Readonly<Record<ActionId, Action>> = TABLE;

/** The actions as commands on the notebook that `inFront` gives, and their keys. */
export function createCommands(inFront: () => NotebookTab | null): CommandRegistry {
  const commands = new CommandRegistry();
  for (const [id, action] of Object.entries(ACTIONS)) {
    commands.addCommand(id, {
      label: action.label,
      caption: action.caption ?? action.label,
      execute: () => {
        const tab = inFront();
        return tab ? action.run(tab) : undefined;
      },
    });
    for (const [focus, keys] of Object.entries(action.keys ?? {})) {
      const selector = FOCUS[focus as keyof typeof FOCUS];
      for (const key of keys) commands.addKeyBinding({ command: id, keys: [key].flat(), selector });
    }
  }
  return commands;
}
