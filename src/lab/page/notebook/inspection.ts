/** What the kernel knows of the name under the mouse or before the cursor: its type and its documentation. */
import type { Extension } from '@codemirror/state';
import { type EditorView, hoverTooltip, type TooltipView } from '@codemirror/view';
import type { CodeEditor } from '@jupyterlab/codeeditor';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { type IRenderMimeRegistry, MimeModel } from '@jupyterlab/rendermime';
import { Tooltip } from '@jupyterlab/tooltip';
import type { JSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';

/** How long the mouse rests on a name before the kernel is asked; in ms. */
const REST_MS = 400;

/** Answers with what the kernel says of the code at a place in it; null where it says nothing or is not there. */
export type Inspect = (code: string, offset: number) => Promise<JSONObject | null>;

export function kernelInspection(panel: () => NotebookPanel): Inspect {
  return async (code, offset) => {
    const kernel = panel().sessionContext.session?.kernel;
    if (!kernel || kernel.status === 'dead') return null;
    const { content } = await kernel.requestInspect({
      code,
      cursor_pos: [...code.slice(0, offset)].length,
      detail_level: 0,
    });
    return content.status === 'ok' && content.found ? (content.data as JSONObject) : null;
  };
}

/** Shows what is known of a name that the mouse rests on. */
export function inspectionOnHover(inspect: Inspect, rendering: IRenderMimeRegistry): Extension {
  const source = async ({ state }: EditorView, at: number) => {
    const word = state.wordAt(at);
    const data = word && (await inspect(state.doc.toString(), word.to));
    return data ? { pos: word.from, end: word.to, above: true, create: () => hoverView(data, rendering) } : null;
  };
  return hoverTooltip(source, { hoverTime: REST_MS });
}

function hoverView(data: JSONObject, rendering: IRenderMimeRegistry): TooltipView {
  const type = rendering.preferredMimeType(data, 'ensure') ?? 'text/plain';
  const content = rendering.createRenderer(type);
  const dom = document.createElement('div');
  dom.className = 'hover-inspection jp-ThemedContainer';
  void content.renderModel(new MimeModel({ data }));
  // Not attached as a widget: CodeMirror takes the element away before it says so.
  dom.append(content.node);
  return { dom, destroy: () => content.dispose() };
}

let shown: Tooltip | null = null;

/** Shows what is known of the name before the cursor, until a key is pressed. */
export async function inspectAtCursor(panel: NotebookPanel, editor: CodeEditor.IEditor): Promise<void> {
  shown?.dispose();
  const code = editor.model.sharedModel.getSource();
  const bundle = await kernelInspection(() => panel)(code, editor.getOffsetAt(editor.getCursorPosition()));
  if (!bundle || panel.isDisposed) return;
  shown = new Tooltip({ anchor: panel.content, bundle, editor, rendermime: panel.content.rendermime });
  Widget.attach(shown, document.body);
}
