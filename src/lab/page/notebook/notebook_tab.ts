/** One open notebook: its toolbar, its notices, its cells. */
import type { CompletionHandler } from '@jupyterlab/completer';
import { type INotebookModel, NotebookModelFactory, NotebookPanel, StaticNotebook } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ServiceManager } from '@jupyterlab/services';
import { MessageLoop } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import { PanelLayout, Widget } from '@lumino/widgets';
import { h, render } from 'preact';
import { NoticeList, Notices } from '../shell/notices.tsx';
import { completionFor } from './completion.ts';
import { editorFactory, mimeTypes } from './editing.ts';
import { inspectionOnHover, kernelInspection } from './inspection.ts';
import { endWithLastPage, kernelDialogs } from './kernel_state.ts';
import { NotebookFile } from './notebook_file.ts';
import { mayClose } from './saving.ts';
import { reachScrollers } from './scrollers.ts';
import type { Services } from './server.ts';

const modelFactory = new NotebookModelFactory({});

export class NotebookTab extends Widget {
  readonly file: NotebookFile;
  readonly panel: NotebookPanel;
  readonly notices = new Notices();
  readonly completion: CompletionHandler;
  readonly #resized: ResizeObserver;
  readonly #leaveScrollers: () => void;

  constructor(path: string, services: Services, rendering: IRenderMimeRegistry, toolbar: Widget) {
    super();
    this.addClass('notebook-tab');
    this.file = new NotebookFile({
      // Of the service manager a document asks for what `Services` has, and for nothing else.
      manager: services as unknown as ServiceManager.IManager,
      factory: modelFactory,
      path,
      kernelPreference: { autoStartDefault: true, shouldStart: true, canStart: true },
      sessionDialogs: kernelDialogs,
    });
    const own = rendering.clone({ resolver: this.file.urlResolver });
    const hover = inspectionOnHover(
      kernelInspection(() => this.panel),
      own,
    );
    const contentFactory = new NotebookPanel.ContentFactory({ editorFactory: editorFactory(hover).newInlineEditor });
    const content = contentFactory.createNotebook({
      rendermime: own,
      contentFactory,
      mimeTypeService: mimeTypes,
      editorConfig: editorConfig(),
      notebookConfig: { ...StaticNotebook.defaultNotebookConfig, scrollPastEnd: true },
    });
    this.panel = new NotebookPanel({ context: this.file, content });
    this.panel.toolbar.hide();
    // JupyterLab's panel tells of a kernel's death in a dialog over the page, and calls it an edit that a kernel has come. Here a
    // notice tells (kernel_state.ts), and what the kernel is called is no edit.
    Signal.disconnectBetween(this.panel.sessionContext, this.panel);
    nameKernel(this.panel);
    // JupyterLab calls it a feed, whose parts would have to be articles.
    content.node.querySelector('[role=feed]')?.setAttribute('role', 'group');
    this.completion = completionFor(this.panel);

    const notices = new Widget();
    notices.addClass('notices');
    render(h(NoticeList, { notices: this.notices }), notices.node);
    const layout = new PanelLayout();
    this.layout = layout;
    for (const part of [toolbar, notices, this.panel]) layout.addWidget(part);
    // JupyterLab's panel lays itself out when it is told that its size changed; here the page's styles give it its size.
    this.#resized = new ResizeObserver(() => MessageLoop.postMessage(this.panel, Widget.ResizeMessage.UnknownSize));
    this.#resized.observe(this.panel.node);
    this.#leaveScrollers = reachScrollers(this.panel.node);

    this.panel.node.addEventListener('click', (event) => followWithin(this.panel, event));
    this.title.closable = true;
    const retitle = () => {
      this.title.label =
        this.file.path
          .split('/')
          .pop()
          ?.replace(/\.ipynb$/, '') ?? '';
      this.title.caption = this.file.path;
      this.title.className = this.isEdited ? 'unsaved' : '';
    };
    retitle();
    this.file.pathChanged.connect(retitle);
    this.model.stateChanged.connect(retitle);
  }

  get model(): INotebookModel {
    return this.file.model;
  }

  /** Whether it has edits that are not saved. Before the file is there, JupyterLab calls the empty model dirty. */
  get isEdited(): boolean {
    return this.file.isReady && this.model.dirty;
  }

  /** By its tab's cross. Edits that are not saved are asked about; the kernel goes with the last page that has it open. */
  protected override async onCloseRequest(): Promise<void> {
    if (!(await mayClose(this))) return;
    await endWithLastPage(this.panel.sessionContext);
    this.dispose();
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.#resized.disconnect();
    this.#leaveScrollers();
    this.panel.dispose();
    this.file.dispose();
    super.dispose();
  }
}

/** Goes to a heading of the same notebook. The page's own hash is the inspector's. */
function followWithin(panel: NotebookPanel, event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
  if (!link) return;
  event.preventDefault();
  panel.setFragment(link.getAttribute('href') ?? '');
}

/** Has the notebook name the kernel that it gets, for what is saved of it next. */
function nameKernel({ sessionContext, model }: NotebookPanel): void {
  sessionContext.kernelChanged.connect(async (_, { newValue: kernel }) => {
    if (!kernel || !model) return;
    const [spec, { language_info }] = await Promise.all([kernel.spec, kernel.info]);
    if (model.isDisposed || sessionContext.session?.kernel !== kernel) return;
    const { dirty } = model;
    const { name } = kernel;
    model.setMetadata('kernelspec', { name, display_name: spec?.display_name ?? name, language: language_info.name });
    model.setMetadata('language_info', language_info);
    model.dirty = dirty;
  });
}

/** Long lines are wrapped: a pane is narrow. */
function editorConfig(): StaticNotebook.IEditorConfig {
  const { code, markdown, raw } = StaticNotebook.defaultEditorConfig;
  return { code: { ...code, autoClosingBrackets: true, lineWrap: true }, markdown, raw };
}
