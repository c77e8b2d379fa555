/** The notebooks that are open, in tabs; one is in front. */
import { NotebookActions, runCell, setCellExecutor } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { CommandRegistry } from '@lumino/commands';
import { MessageLoop } from '@lumino/messaging';
import { TabPanel, Widget } from '@lumino/widgets';
import { type ReadonlySignal, signal } from '@preact/signals';
import { createCommands } from './actions.ts';
import { kernelState, startAgain, tellOfDeath } from './kernel_state.ts';
import { NotebookTab } from './notebook_tab.ts';
import { createRendering } from './rendering.ts';
import { keepSaved, save } from './saving.ts';
import type { Services } from './server.ts';
import { drawToolbar } from './toolbar.tsx';

setCellExecutor({ runCell });

export class Notebooks {
  readonly #services: Services;
  readonly #tabs: TabPanel;
  readonly #rendering: IRenderMimeRegistry;
  readonly #commands: CommandRegistry;
  readonly #inFront = signal<string | null>(null);

  /** Fills the host, and does as its size does. */
  constructor(services: Services, host: HTMLElement) {
    this.#services = services;
    this.#rendering = createRendering((path) => void this.open(path));
    this.#commands = createCommands(() => this.#front);
    this.#tabs = new TabPanel({ tabsMovable: true });
    this.#tabs.addClass('notebook-tabs');
    this.#tabs.tabBar.node.setAttribute('aria-label', 'Open notebooks');
    Widget.attach(this.#tabs, host);
    new ResizeObserver(() => MessageLoop.postMessage(this.#tabs, Widget.ResizeMessage.UnknownSize)).observe(host);
    this.#tabs.currentChanged.connect(() => this.#follow());
    this.#follow();
    document.addEventListener('keydown', (event) => this.#commands.processKeydownEvent(event), true);
    window.addEventListener('beforeunload', (event) => {
      if (this.hasUnsaved) event.preventDefault();
    });
  }

  /** The path of the notebook in front; null where none is open. */
  get inFront(): ReadonlySignal<string | null> {
    return this.#inFront;
  }

  get hasUnsaved(): boolean {
    return this.#open.some(({ isEdited }) => isEdited);
  }

  /** Opens a notebook, or brings it to the front. Resolves when its cells are shown; says in the page why it cannot be. */
  async open(path: string): Promise<void> {
    const found = this.#open.find(({ file }) => file.path === path);
    const tab = found ?? this.#add(path);
    this.#tabs.currentWidget = tab;
    if (found) return;
    try {
      await tab.file.initialize(false);
      await tab.file.ready;
    } catch {
      // JupyterLab has said in a dialog what the server said.
      return tab.dispose();
    }
    tab.panel.content.activate();
  }

  /** Makes an empty notebook in a folder and opens it. */
  async create(folder: string): Promise<void> {
    const { path } = await this.#services.contents.newUntitled({ path: folder, type: 'notebook' });
    await this.open(path);
  }

  /**
   * Puts a code cell below the active one of the notebook in front, or into a new notebook. Says into which. Rejects where no
   * notebook is open and none can be made.
   */
  async insertCell(code: string): Promise<string> {
    if (!this.#front) await this.create('');
    const tab = this.#front;
    if (!tab) throw new Error('Cannot insert a cell: no notebook is open, and none could be made');
    const { content } = tab.panel;
    const isEmpty =
      content.activeCell?.model.type === 'code' && content.activeCell.model.sharedModel.getSource() === '';
    if (!isEmpty) NotebookActions.insertBelow(content);
    content.activeCell?.model.sharedModel.setSource(code);
    content.mode = 'command';
    await NotebookActions.focusActiveCell(content, { waitUntilReady: true, preventScroll: false });
    return `Put into ${tab.file.path}, below the active cell`;
  }

  /** After the server was away: edits are saved, and kernels are spoken with again. */
  async reconnect(): Promise<void> {
    for (const tab of this.#open) {
      const kernel = tab.panel.sessionContext.session?.kernel;
      if (kernel?.connectionStatus === 'disconnected') void kernel.reconnect();
      if (tab.isEdited && tab.file.canSave) await save(tab);
    }
  }

  /** After another server took the place of the one that had the kernels: each notebook gets a new one. */
  async startKernelsAgain(): Promise<void> {
    await this.#services.sessions.refreshRunning();
    for (const { panel, notices } of this.#open) {
      const session = panel.sessionContext;
      session.session?.dispose();
      await startAgain(session);
      notices.show({
        subject: 'kernel',
        tone: 'warning',
        text: 'The server was started again, and this notebook has a new kernel. Variables are gone: run the cells that make them once more.',
      });
    }
  }

  get #open(): readonly NotebookTab[] {
    return this.#tabs.widgets.filter((widget) => widget instanceof NotebookTab);
  }

  get #front(): NotebookTab | null {
    const { currentWidget } = this.#tabs;
    return currentWidget instanceof NotebookTab ? currentWidget : null;
  }

  #add(path: string): NotebookTab {
    const toolbar = new Widget();
    const tab = new NotebookTab(path, this.#services, this.#rendering, toolbar);
    const session = tab.panel.sessionContext;
    drawToolbar(toolbar, { tab, commands: this.#commands, kernel: kernelState(session) });
    tellOfDeath(session, tab.notices);
    keepSaved(tab);
    tab.file.pathChanged.connect(() => this.#follow());
    tab.disposed.connect(() => this.#follow());
    this.#tabs.addWidget(tab);
    return tab;
  }

  #follow(): void {
    this.#inFront.value = this.#front?.file.path ?? null;
    // Behind the tabs is the welcome.
    this.#tabs.setHidden(this.#front === null);
  }
}
