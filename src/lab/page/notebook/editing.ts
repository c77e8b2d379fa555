/** Code editors of cells: CodeMirror as JupyterLab sets it up, for the languages that cells are written in. */

import type { Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import type { IYText } from '@jupyter/ydoc';
import type { IEditorMimeTypeService } from '@jupyterlab/codeeditor';
import {
  CodeMirrorEditorFactory,
  CodeMirrorMimeTypeService,
  EditorExtensionRegistry,
  EditorLanguageRegistry,
  EditorThemeRegistry,
  ybinding,
} from '@jupyterlab/codemirror';

const languages = new EditorLanguageRegistry();
for (const language of EditorLanguageRegistry.getDefaultLanguages()) languages.addLanguage(language);

const themes = new EditorThemeRegistry();
for (const theme of EditorThemeRegistry.getDefaultThemes()) themes.addTheme(theme);

export const mimeTypes: IEditorMimeTypeService = new CodeMirrorMimeTypeService(languages);

/** For those who hear it. */
const NAMED = EditorView.contentAttributes.of({ 'aria-label': 'Cell' });

/** Makes the editors of one notebook, with an extension of its own in each. */
export function editorFactory(extension: Extension): CodeMirrorEditorFactory {
  const extensions = new EditorExtensionRegistry();
  for (const each of EditorExtensionRegistry.getDefaultExtensions({ themes })) extensions.addExtension(each);
  extensions.addExtension({
    name: 'shared-model-binding',
    factory: ({ model }) => {
      // The editor writes into the notebook's shared model, and undoes by it.
      const { ysource, undoManager } = model.sharedModel as IYText;
      return EditorExtensionRegistry.createImmutableExtension(
        ybinding({ ytext: ysource, ...(undoManager ? { undoManager } : {}) }),
      );
    },
  });
  extensions.addExtension({
    name: 'layerscope',
    factory: () => EditorExtensionRegistry.createImmutableExtension([NAMED, extension]),
  });
  return new CodeMirrorEditorFactory({ extensions, languages });
}
