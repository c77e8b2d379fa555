/**
 * Notebooks between the page and the disk. Both speak nbformat 4, but the page has whole texts where a file has lists of
 * lines. What the page does not know is kept, unlike in src/notebook/ipynb, which reads no more than it can run.
 */

import { isJsonMime } from '../../notebook/ipynb/notebook.ts';
import { parseNotebook } from '../../notebook/ipynb/read.ts';
import { bundleOnDisk, fileText, lines } from '../../notebook/ipynb/write.ts';
import { Refusal } from './refusal.ts';

type Json = Readonly<Record<string, unknown>>;

/** The notebook in a file's text, as the page wants it. Throws NotebookError where it is none; `path` is for messages. */
export function notebookFrom(text: string, path: string): Json {
  parseNotebook(text, path);
  return withCells(JSON.parse(text), { text: joined, bundle: joinedBundle });
}

/** The text of the file that holds a notebook of the page. Throws Refusal where it is none. */
export function notebookFile(notebook: unknown, path: string): string {
  if (!isJson(notebook) || notebook.nbformat !== 4 || !Array.isArray(notebook.cells) || !notebook.cells.every(isJson)) {
    throw new Refusal(400, 'malformed', `Cannot save ${path}: what came is no notebook of nbformat 4; reload the page`);
  }
  return fileText(withCells(notebook, { text: split, bundle: (bundle) => bundleOnDisk(bundle) }));
}

/** How texts and MIME bundles are spelt. */
interface Spelling {
  text(text: unknown): unknown;
  bundle(bundle: Json): Json;
}

/** Without what Jupyter never keeps in a file: whether a user trusts it is no matter of what the file says. */
function withCells({ cells, metadata, ...rest }: Json, spelling: Spelling): Json {
  const { orig_nbformat: _, signature: __, ...kept } = (metadata ?? {}) as Json;
  return { ...rest, metadata: kept, cells: (cells as Json[]).map((cell) => spelt(cell, spelling)) };
}

function spelt(cell: Json, { text, bundle }: Spelling): Json {
  const { trusted: _, ...metadata } = (cell.metadata ?? {}) as Json;
  const { attachments, outputs } = cell;
  return {
    ...cell,
    metadata,
    source: text(cell.source),
    ...(isJson(attachments)
      ? { attachments: mapped(attachments, (file) => (isJson(file) ? bundle(file) : file)) }
      : {}),
    ...(Array.isArray(outputs)
      ? { outputs: outputs.map((output: Json) => speltOutput(output, { text, bundle })) }
      : {}),
  };
}

function speltOutput(output: Json, { text, bundle }: Spelling): Json {
  if ('text' in output) return { ...output, text: text(output.text) };
  // By which it could be updated while the notebook ran.
  const { transient: _, ...kept } = output;
  return isJson(output.data) ? { ...kept, data: bundle(output.data) } : kept;
}

const joined = (text: unknown): unknown => (Array.isArray(text) ? text.join('') : text);

const joinedBundle = (bundle: Json): Json =>
  mapped(bundle, (value, mime) => (isJsonMime(mime) ? value : joined(value)));

const split = (text: unknown): unknown => (typeof text === 'string' ? lines(text) : text);

function mapped(record: Json, change: (value: unknown, key: string) => unknown): Json {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
