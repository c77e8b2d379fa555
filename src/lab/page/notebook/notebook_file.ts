/**
 * A notebook on disk, as JupyterLab's `Context`, which loads it and holds its kernel. Saving is ours, so that no edit is lost
 * to a dialog: what stood on disk is compared before it is replaced, and a save that fails is a state with a way out.
 */

import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { Context } from '@jupyterlab/docregistry';
import type { INotebookContent } from '@jupyterlab/nbformat';
import type { INotebookModel } from '@jupyterlab/notebook';
import { type Contents, ServerConnection } from '@jupyterlab/services';
import { type ISignal, Signal as LuminoSignal } from '@lumino/signaling';
import { signal } from '@preact/signals';
import { reasonOf } from './server.ts';

/** Why the notebook in the page is not the one on disk. */
export type SaveProblem =
  | { readonly kind: 'changed on disk'; readonly when: Date }
  | { readonly kind: 'failed'; readonly reason: string };

type FileModel = Omit<Contents.IModel, 'content'>;

/** A save that was not done; `problem` says why, and so does the page. */
export class NotSaved extends Error {}

export class NotebookFile extends Context<INotebookModel> {
  readonly #contents: Contents.IManager;
  readonly #saving = new LuminoSignal<this, DocumentRegistry.SaveState>(this);
  /** The file as our last save left it; null while JupyterLab's own record of it holds. */
  #saved: FileModel | null = null;
  #queue: Promise<void> = Promise.resolve();

  /** What hinders saving now. */
  readonly problem = signal<SaveProblem | null>(null);

  constructor(options: Context.IOptions<INotebookModel>) {
    super(options);
    this.#contents = options.manager.contents;
    // What JupyterLab adds to a notebook as it reads it is no edit.
    void this.ready.then(() => {
      this.model.dirty = false;
    });
    this.pathChanged.connect(() => {
      this.#saved = null;
    });
  }

  override get contentsModel(): FileModel | null {
    return this.#saved ?? super.contentsModel;
  }

  override get saveState(): ISignal<this, DocumentRegistry.SaveState> {
    return this.#saving;
  }

  /** The notebook as it is in the page. */
  get content(): INotebookContent {
    return this.model.toJSON() as INotebookContent;
  }

  /** Saves, unless somebody else changed the file since it was read or saved here. Throws NotSaved, and `problem` says why. */
  override save(): Promise<void> {
    return this.#inTurn(async () => {
      const onDisk = await this.#onDisk();
      if (onDisk && onDisk.last_modified !== this.contentsModel?.last_modified) {
        throw this.#refused({ kind: 'changed on disk', when: new Date(onDisk.last_modified) });
      }
      await this.#write(this.path);
    });
  }

  /** Saves, whatever is on disk now. */
  overwrite(): Promise<void> {
    return this.#inTurn(async () => void (await this.#write(this.path)));
  }

  /** Saves under another path, which is this notebook's from then on; its kernel goes with it. */
  moveTo(path: string): Promise<void> {
    return this.#inTurn(async () => {
      const saved = await this.#write(path);
      await this.sessionContext.session?.setPath(path);
      this.#saved = saved;
    });
  }

  /** Takes what is on disk, and drops what was edited here. */
  override async revert(): Promise<void> {
    await super.revert();
    this.#saved = null;
    this.model.dirty = false;
    this.problem.value = null;
  }

  #inTurn(save: () => Promise<void>): Promise<void> {
    const turn = this.#queue.then(() => this.ready).then(save);
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /** The file without its content; null where it is gone. */
  async #onDisk(): Promise<FileModel | null> {
    try {
      return await this.#contents.get(this.path, { content: false });
    } catch (error) {
      if (error instanceof ServerConnection.ResponseError && error.response.status === 404) return null;
      throw this.#refused({ kind: 'failed', reason: reasonOf(error) });
    }
  }

  async #write(path: string): Promise<FileModel> {
    this.#saving.emit('started');
    let isEdited = false;
    const onEdit = () => {
      isEdited = true;
    };
    this.model.contentChanged.connect(onEdit);
    try {
      this.#saved = await this.#contents.save(path, { type: 'notebook', format: 'json', content: this.content });
      // What was typed while the server wrote is not saved yet.
      this.model.dirty = isEdited;
      this.problem.value = null;
      this.#saving.emit('completed');
      return this.#saved;
    } catch (error) {
      this.#saving.emit('failed');
      throw this.#refused({ kind: 'failed', reason: reasonOf(error) });
    } finally {
      this.model.contentChanged.disconnect(onEdit);
    }
  }

  #refused(problem: SaveProblem): NotSaved {
    this.problem.value = problem;
    return new NotSaved(`Cannot save ${this.path}: ${problem.kind === 'failed' ? problem.reason : problem.kind}`);
  }
}
