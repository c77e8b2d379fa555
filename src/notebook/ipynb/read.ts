/**
 * Reads a notebook file: nbformat 4.0 to 4.5 (nbformat.readthedocs.io, "The Notebook file format"). What Jupyter forgives is
 * forgiven: missing metadata, outputs and counts. Cells without a usable id get one made from what they hold.
 */
import { createHash } from 'node:crypto';
import { NotebookError } from '../../errors.ts';
import { openFile } from '../../node/files.ts';
import type { Cell, CodeCell, Metadata, Notebook, SavedOutput, TextCell } from './notebook.ts';
import { isJsonMime } from './notebook.ts';

/** A file is read into one string, and V8's strings end at 512 MB. */
const MAX_BYTES = 500e6;

/**
 * Reads `path`.
 *
 * @throws LayerscopeError where there is no readable file; NotebookError where it is no notebook, naming the cell
 */
export async function readNotebook(path: string): Promise<Notebook> {
  const source = await openFile(path);
  try {
    if (source.size > MAX_BYTES) {
      throw cannotRead(
        path,
        `it has ${Math.round(source.size / 1e6)} MB, of at most 500; clear its outputs in Jupyter`,
      );
    }
    const bytes = await source.read(0, source.size);
    return parseNotebook(utf8(bytes, path), path);
  } finally {
    await source.close();
  }
}

/** Reads the text of a notebook file; `path` is for messages. Throws NotebookError. */
export function parseNotebook(text: string, path: string): Notebook {
  const file = parseJson(text, path);
  if (!isRecord(file) || !('nbformat' in file)) {
    throw cannotRead(path, 'it is JSON but no notebook, which has "nbformat"; give the path of an .ipynb file');
  }
  checkFormat(file, path);
  if (!Array.isArray(file.cells)) throw cannotRead(path, 'it has no list of cells; restore it from a copy');
  const ids = new Set<string>();
  return {
    metadata: withoutKeys(record(file.metadata ?? {}, 'its metadata', path), ['orig_nbformat', 'signature']),
    cells: file.cells.map((cell: unknown, i) => readCell(cell, `cell ${i + 1}`, ids, path)),
  };
}

function utf8(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw cannotRead(path, 'it is not UTF-8 text; give the path of an .ipynb file', cause);
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (/^<{7} /m.test(text)) {
      throw cannotRead(path, 'it holds the marks of a merge conflict (<<<<<<<); resolve the conflict', cause);
    }
    const why = (cause as Error).message.replace(/\s*\n\s*/g, ' ');
    throw cannotRead(path, `it is not JSON (${why}); restore it from a copy, or save it again from Jupyter`, cause);
  }
}

function checkFormat({ nbformat, nbformat_minor: minor = 0 }: Record<string, unknown>, path: string): void {
  if (nbformat === 4 && typeof minor === 'number' && minor <= 5) return;
  const found = `it is of nbformat ${nbformat}.${minor}; those from 4.0 to 4.5 are read`;
  const isOlder = typeof nbformat === 'number' && nbformat < 4;
  const cure = isOlder
    ? `convert it: jupyter nbconvert --to notebook --nbformat 4 ${path}`
    : 'save it as 4.5: Python has nbformat.convert';
  throw cannotRead(path, `${found}; ${cure}`);
}

function readCell(found: unknown, where: string, ids: Set<string>, path: string): Cell {
  const cell = record(found, where, path);
  const type = cell.cell_type;
  if (type !== 'code' && type !== 'markdown' && type !== 'raw') {
    throw cannotRead(path, `${where} is of type ${shown(type)}; types are code, markdown and raw`);
  }
  const named = `${where} (${type})`;
  if (cell.source === undefined) throw cannotRead(path, `${named} has no source; give it one, or remove the cell`);
  const source = joined(cell.source, `the source of ${named}`, path);
  const metadata = withoutKeys(record(cell.metadata ?? {}, `the metadata of ${named}`, path), ['trusted']);
  const parts = { id: idFor(cell.id, `${type}\n${source}`, ids), source, metadata };
  return type === 'code'
    ? ({ type, ...parts, ...readResults(cell, named, path) } satisfies CodeCell)
    : ({ type, ...parts, attachments: readAttachments(cell.attachments ?? {}, named, path) } satisfies TextCell);
}

function readResults(cell: Record<string, unknown>, named: string, path: string) {
  const outputs = cell.outputs ?? [];
  if (!Array.isArray(outputs)) throw cannotRead(path, `the outputs of ${named} are no list; clear them in Jupyter`);
  return {
    outputs: outputs.map((output: unknown, i) => readOutput(output, `output ${i + 1} of ${named}`, path)),
    executionCount: count(cell.execution_count),
  };
}

function readAttachments(found: unknown, named: string, path: string): TextCell['attachments'] {
  const files = record(found, `the attachments of ${named}`, path);
  return Object.fromEntries(
    Object.entries(files).map(([name, data]) => [name, readBundle(data, `attachment ${name} of ${named}`, path)]),
  );
}

function readOutput(found: unknown, where: string, path: string): SavedOutput {
  const output = record(found, where, path);
  const shownData = () => ({
    data: readBundle(output.data, where, path),
    metadata: record(output.metadata ?? {}, `the metadata of ${where}`, path),
  });
  switch (output.output_type) {
    case 'stream':
      return {
        type: 'stream',
        name: output.name === 'stderr' ? 'stderr' : 'stdout',
        text: joined(output.text, `the text of ${where}`, path),
      };
    case 'display_data':
      return { type: 'display_data', ...shownData() };
    case 'execute_result':
      return { type: 'execute_result', ...shownData(), executionCount: count(output.execution_count) };
    case 'error': {
      const { ename = '', evalue = '', traceback = [] } = output;
      if (!isListOfText(traceback)) throw cannotRead(path, `the traceback of ${where} is no list of lines`);
      return { type: 'error', ename: `${ename}`, evalue: `${evalue}`, traceback };
    }
    default:
      throw cannotRead(path, `${where} is of type ${shown(output.output_type)}; clear the outputs in Jupyter`);
  }
}

/** MIME type → text in one piece, or JSON as it is. */
function readBundle(found: unknown, where: string, path: string): Metadata {
  const bundle = record(found, `the data of ${where}`, path);
  return Object.fromEntries(
    Object.entries(bundle).map(([mime, value]) => [
      mime,
      isJsonMime(mime) ? value : joined(value, `${mime} in ${where}`, path),
    ]),
  );
}

/** The given id where it is valid and new; else one made from the cell, so that a file is read the same each time. */
function idFor(given: unknown, content: string, ids: Set<string>): string {
  const isValid = typeof given === 'string' && /^[\w-]{1,64}$/.test(given);
  let id = isValid ? given : digest(content);
  for (let copy = 1; ids.has(id); copy++) id = digest(`${content}\n${copy}`);
  ids.add(id);
  return id;
}

/** Eight hexadecimal digits, as Jupyter's ids have. */
const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

function joined(found: unknown, what: string, path: string): string {
  if (typeof found === 'string') return found;
  if (isListOfText(found)) return found.join('');
  throw cannotRead(path, `${what} is neither text nor a list of lines; restore it from a copy`);
}

const isListOfText = (found: unknown): found is string[] =>
  Array.isArray(found) && found.every((line) => typeof line === 'string');

const count = (found: unknown): number | null => (Number.isInteger(found) ? (found as number) : null);

const isRecord = (found: unknown): found is Record<string, unknown> =>
  typeof found === 'object' && found !== null && !Array.isArray(found);

function record(found: unknown, what: string, path: string): Record<string, unknown> {
  if (isRecord(found)) return found;
  throw cannotRead(path, `${what} must be an object and is ${shown(found)}; restore it from a copy`);
}

/** What Jupyter itself never keeps in a file. */
function withoutKeys(metadata: Record<string, unknown>, keys: readonly string[]): Metadata {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !keys.includes(key)));
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

function cannotRead(path: string, why: string, cause?: unknown): NotebookError {
  return new NotebookError(`Cannot read ${path}: ${why}`, { file: path, cause });
}
