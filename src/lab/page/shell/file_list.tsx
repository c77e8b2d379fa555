/** The files of one folder below the server's root: folders, notebooks, models and traces, and what else there is. */

import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';
import type { Contents } from '@jupyterlab/services';
import {
  addIcon,
  deleteIcon,
  editIcon,
  fileIcon,
  folderIcon,
  inspectorIcon,
  type LabIcon,
  notebookIcon,
  refreshIcon,
} from '@jupyterlab/ui-components';
import { effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { render } from 'preact';
import { reasonOf } from '../notebook/server.ts';
import { Icon } from './icon.tsx';

export interface FileListParts {
  readonly contents: Contents.IManager;
  /** The notebook in front, which is marked. */
  readonly inFront: ReadonlySignal<string | null>;
  openNotebook(path: string): void;
  createNotebook(folder: string): Promise<void>;
  /** A model or a trace was chosen. */
  inspect(path: string): void;
}

type Kind = 'folder' | 'notebook' | 'model' | 'trace' | 'file';

const ICONS: Readonly<Record<Kind, LabIcon>> = {
  folder: folderIcon,
  notebook: notebookIcon,
  model: inspectorIcon,
  trace: inspectorIcon,
  file: fileIcon,
};

/** Folders first, then what can be opened here, then the rest. */
const ORDER: readonly Kind[] = ['folder', 'notebook', 'model', 'trace', 'file'];

function kindOf({ type, name }: Contents.IModel): Kind {
  if (type === 'directory') return 'folder';
  if (type === 'notebook') return 'notebook';
  if (name.endsWith('.gguf')) return 'model';
  return name.endsWith('.arrow') ? 'trace' : 'file';
}

/** Draws the list into its host, and keeps it as the folder is. */
export function mountFileList(host: HTMLElement, parts: FileListParts): void {
  const list = new FileList(parts);
  render(<Files list={list} parts={parts} />, host);
  void list.open('');
  parts.contents.fileChanged.connect(() => void list.refresh());
  effect(() => {
    // The folder of the notebook that comes to the front is shown.
    const path = parts.inFront.value;
    if (path !== null) void list.open(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  });
  // What other programs make is seen when one comes back to the page.
  window.addEventListener('focus', () => void list.refresh());
}

class FileList {
  readonly #contents: Contents.IManager;
  readonly folder = signal('');
  readonly entries: Signal<readonly Contents.IModel[]> = signal([]);
  /** Why the folder cannot be shown. */
  readonly problem = signal<string | null>(null);

  constructor({ contents }: FileListParts) {
    this.#contents = contents;
  }

  async open(folder: string): Promise<void> {
    try {
      const { content } = await this.#contents.get(folder);
      this.folder.value = folder;
      this.entries.value = (content as Contents.IModel[]).toSorted(
        (a, b) =>
          ORDER.indexOf(kindOf(a)) - ORDER.indexOf(kindOf(b)) || a.name.localeCompare(b.name, 'en', { numeric: true }),
      );
      this.problem.value = null;
    } catch (error) {
      this.problem.value = `Cannot list ${folder || 'the files'}: ${reasonOf(error)}`;
    }
  }

  refresh(): Promise<void> {
    return this.open(this.folder.peek());
  }

  /** Does something to a file, says why it cannot be done, and shows what is there then. */
  async change(doing: () => Promise<unknown>): Promise<void> {
    try {
      await doing();
      await this.refresh();
    } catch (error) {
      this.problem.value = `Cannot do that: ${reasonOf(error)}`;
    }
  }
}

function Files({ list, parts }: { readonly list: FileList; readonly parts: FileListParts }) {
  const { folder, entries, problem } = list;
  return (
    <>
      <div class="pane-head">
        <h2>Files</h2>
        <IconButton
          icon={addIcon}
          label="New notebook"
          onClick={() => list.change(() => parts.createNotebook(folder.value))}
        />
        <IconButton icon={refreshIcon} label="Refresh the list" onClick={() => list.refresh()} />
      </div>
      <Trail list={list} />
      {problem.value && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <ul class="files">
        {entries.value.map((entry) => (
          <Entry key={entry.path} entry={entry} list={list} parts={parts} />
        ))}
      </ul>
      {entries.value.length === 0 && !problem.value && <p class="quiet">Nothing is in this folder.</p>}
    </>
  );
}

/** The folders from the root to the one that is shown. */
function Trail({ list }: { readonly list: FileList }) {
  const names = list.folder.value.split('/').filter(Boolean);
  if (names.length === 0) return null;
  return (
    <nav class="trail" aria-label="Folders">
      {['', ...names].map((name, depth) => {
        const path = names.slice(0, depth).join('/');
        const label = name || 'Top';
        return depth === names.length ? (
          <span key={path} aria-current="page">
            {label}
          </span>
        ) : (
          <button key={path} type="button" onClick={() => void list.open(path)}>
            {label}
          </button>
        );
      })}
    </nav>
  );
}

interface EntryParts {
  readonly entry: Contents.IModel;
  readonly list: FileList;
  readonly parts: FileListParts;
}

function Entry({ entry, list, parts }: EntryParts) {
  const { name, path } = entry;
  const kind = kindOf(entry);
  const open = {
    folder: () => void list.open(path),
    notebook: () => parts.openNotebook(path),
    model: () => parts.inspect(path),
    trace: () => parts.inspect(path),
    file: null,
  }[kind];
  const content = (
    <>
      <Icon icon={ICONS[kind]} />
      <span class="name">{kind === 'notebook' ? name.replace(/\.ipynb$/, '') : name}</span>
    </>
  );
  return (
    <li class={kind}>
      {open ? (
        <button type="button" class="open" title={path} aria-current={parts.inFront.value === path} onClick={open}>
          {content}
        </button>
      ) : (
        <span class="open" title={`${path}: nothing here opens it`}>
          {content}
        </span>
      )}
      <span class="entry-actions">
        <IconButton icon={editIcon} label={`Rename ${name}`} onClick={() => rename(entry, list, parts.contents)} />
        <IconButton icon={deleteIcon} label={`Delete ${name}`} onClick={() => remove(entry, list, parts.contents)} />
      </span>
    </li>
  );
}

async function rename({ name, path }: Contents.IModel, list: FileList, contents: Contents.IManager): Promise<void> {
  const { value } = await InputDialog.getText({ title: 'Rename', label: 'New name', text: name });
  if (!value || value === name) return;
  await list.change(() => contents.rename(path, `${path.slice(0, path.length - name.length)}${value}`));
}

async function remove({ name, path }: Contents.IModel, list: FileList, contents: Contents.IManager): Promise<void> {
  const { button } = await showDialog({
    title: 'Delete for good?',
    body: `${name} goes from the disk; there is no bin to take it from.`,
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Delete' })],
  });
  if (button.accept) await list.change(() => contents.delete(path));
}

interface IconButtonParts {
  readonly icon: LabIcon;
  readonly label: string;
  onClick(): unknown;
}

function IconButton({ icon, label, onClick }: IconButtonParts) {
  return (
    <button type="button" class="icon-button" title={label} aria-label={label} onClick={() => void onClick()}>
      <Icon icon={icon} />
    </button>
  );
}
