/** Saving as people meet it: by a key, by itself, and what is offered where the file cannot be saved as it is. */
import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';
import { effect } from '@preact/signals';
import { NotSaved, type SaveProblem } from './notebook_file.ts';
import type { NotebookTab } from './notebook_tab.ts';
import { forgetUnsaved, keepUnsaved, unsavedCells, withUnsaved } from './unsaved.ts';

/** How long after the last edit it is kept in the browser, and how long after it the file is saved; in ms. */
const KEEP_MS = 500;
const AUTOSAVE_MS = 15_000;

/** Saves; what hinders it is a notice in the notebook. Resolves to whether the file now holds what the page holds. */
export async function save({ file }: NotebookTab): Promise<boolean> {
  try {
    await file.save();
    return true;
  } catch (error) {
    if (error instanceof NotSaved) return false;
    throw error;
  }
}

/** Asks for another path and saves there. */
export async function saveCopy(tab: NotebookTab): Promise<void> {
  const { file, panel } = tab;
  const suggested = file.path.replace(/(-copy)?\.ipynb$/, '-copy.ipynb');
  const { value } = await InputDialog.getText({ title: 'Save as', label: 'Path of the notebook', text: suggested });
  if (!value) return;
  const path = value.endsWith('.ipynb') ? value : `${value}.ipynb`;
  try {
    await file.moveTo(path);
  } catch (error) {
    if (!(error instanceof NotSaved)) throw error;
  }
  panel.content.activate();
}

/** Gives the notebook to the browser as a file. */
export function download({ file }: NotebookTab): void {
  const url = URL.createObjectURL(
    new Blob([`${JSON.stringify(file.content, null, 1)}\n`], { type: 'application/json' }),
  );
  const link = document.createElement('a');
  link.href = url;
  link.download = file.path.split('/').pop() ?? 'notebook.ipynb';
  link.click();
  setTimeout(() => URL.revokeObjectURL(url));
}

/** Whether the notebook may be closed: it is saved, or its edits were given up. */
export async function mayClose(tab: NotebookTab): Promise<boolean> {
  if (!tab.isEdited) return true;
  const { button } = await showDialog({
    title: 'Close without saving?',
    body: `${tab.file.path} has edits that are not saved.`,
    buttons: [
      Dialog.cancelButton(),
      Dialog.warnButton({ label: 'Close without saving', actions: ['discard'] }),
      Dialog.okButton({ label: 'Save and close', actions: ['save'] }),
    ],
  });
  if (button.actions.includes('save')) return save(tab);
  if (!button.actions.includes('discard')) return false;
  forgetUnsaved(tab.file.path);
  return true;
}

/** Keeps edits in the browser, saves them after a while, and tells in the notebook what hinders that. */
export function keepSaved(tab: NotebookTab): void {
  const { file, model } = tab;
  let keeping = 0;
  let saving = 0;
  const keep = () => {
    if (!model.dirty || file.isDisposed) return;
    try {
      keepUnsaved(file.path, file.content);
      tab.notices.clear('storage');
    } catch {
      tab.notices.show({
        subject: 'storage',
        tone: 'warning',
        text: 'Edits that are not saved cannot be kept in the browser too: its storage is full. Save, or download the notebook.',
        actions: [downloadAction(tab)],
      });
    }
  };
  model.contentChanged.connect(() => {
    window.clearTimeout(keeping);
    keeping = window.setTimeout(keep, KEEP_MS);
    window.clearTimeout(saving);
    saving = window.setTimeout(() => {
      if (model.dirty && file.canSave && !file.problem.value && !file.isDisposed) void save(tab);
    }, AUTOSAVE_MS);
  });
  file.saveState.connect((_, state) => {
    if (state !== 'completed') return;
    tab.notices.clear('read only');
    if (!model.dirty) forgetUnsaved(file.path);
  });
  const stop = effect(() => tellProblem(tab, file.problem.value));
  file.disposed.connect(() => {
    stop();
    window.clearTimeout(keeping);
    window.clearTimeout(saving);
  });
  void file.ready.then(() => {
    offerUnsaved(tab);
    if (!file.canSave) tellReadOnly(tab);
  });
}

function tellProblem(tab: NotebookTab, problem: SaveProblem | null): void {
  const { file, notices } = tab;
  if (!problem) {
    notices.clear('save');
    return;
  }
  const ways = [{ label: 'Save as …', run: () => saveCopy(tab) }, downloadAction(tab)];
  if (problem.kind === 'failed') {
    notices.show({
      subject: 'save',
      tone: 'error',
      text: `Not saved: ${problem.reason}. Your edits are in this page and in the browser's storage.`,
      actions: [{ label: 'Try again', run: () => save(tab) }, ...ways],
    });
    return;
  }
  notices.show({
    subject: 'save',
    tone: 'error',
    text: `Not saved: the file was changed elsewhere, at ${problem.when.toLocaleTimeString()}, perhaps in another tab. Which one shall stay?`,
    actions: [
      { label: 'Overwrite it', title: 'The file becomes what this page shows', run: () => overwrite(tab) },
      { label: 'Load it', title: 'The page shows the file; edits made here are dropped', run: () => file.revert() },
      ...ways,
    ],
  });
}

async function overwrite({ file }: NotebookTab): Promise<void> {
  await file.overwrite().catch((error) => {
    if (!(error instanceof NotSaved)) throw error;
  });
}

const downloadAction = (tab: NotebookTab) => ({ label: 'Download', run: () => download(tab) });

function tellReadOnly(tab: NotebookTab): void {
  tab.notices.show({
    subject: 'read only',
    tone: 'warning',
    text: 'This file cannot be written. Cells can be edited and run; save them under another name, or download them.',
    actions: [{ label: 'Save as …', run: () => saveCopy(tab) }, downloadAction(tab)],
  });
}

function offerUnsaved(tab: NotebookTab): void {
  const { file, model, notices } = tab;
  const unsaved = unsavedCells(file.path, file.content);
  if (!unsaved) {
    forgetUnsaved(file.path);
    return;
  }
  notices.show({
    subject: 'unsaved',
    tone: 'warning',
    text: `Edits of ${new Date(unsaved.time).toLocaleString()} were never saved. The browser has kept them.`,
    actions: [
      {
        label: 'Restore them',
        run() {
          model.fromJSON(withUnsaved(file.content, unsaved));
          model.dirty = true;
          notices.clear('unsaved');
        },
      },
      {
        label: 'Drop them',
        run() {
          forgetUnsaved(file.path);
          notices.clear('unsaved');
        },
      },
    ],
  });
}
