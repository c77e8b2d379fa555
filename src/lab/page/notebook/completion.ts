/** Completion by the kernel's compiler, in JupyterLab's list. */
import {
  Completer,
  CompleterModel,
  CompletionHandler,
  KernelCompleterProvider,
  ProviderReconciliator,
} from '@jupyterlab/completer';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { Widget } from '@lumino/widgets';

/** How long the compiler may take; the first time, it reads the library's types, on a busy machine for long. In ms. */
const TIMEOUT_MS = 20_000;

/** Completes in whichever cell is active; `invoke` opens the list. It ends with the panel. */
export function completionFor(panel: NotebookPanel): CompletionHandler {
  const completer = new Completer({ editor: null, model: new CompleterModel() });
  const providers = [new KernelCompleterProvider()];
  const reconciliator = () => {
    const editor = panel.content.activeCell?.editor ?? null;
    const session = panel.sessionContext.session;
    return new ProviderReconciliator({ context: { widget: panel, editor, session }, providers, timeout: TIMEOUT_MS });
  };
  const handler = new CompletionHandler({ completer, reconciliator: reconciliator() });
  const follow = () => {
    const cell = panel.content.activeCell;
    const meant = () => {
      if (panel.isDisposed || panel.content.activeCell !== cell) return;
      handler.editor = cell?.editor ?? null;
      completer.editor = handler.editor;
      handler.reconciliator = reconciliator();
    };
    // A cell that has not been in view has no editor yet.
    void cell?.ready.then(meant);
  };
  follow();
  panel.content.activeCellChanged.connect(follow);
  panel.sessionContext.sessionChanged.connect(follow);
  completer.hide();
  Widget.attach(completer, document.body);
  panel.disposed.connect(() => {
    handler.dispose();
    completer.dispose();
  });
  return handler;
}
