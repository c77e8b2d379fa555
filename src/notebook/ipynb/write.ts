/**
 * Writes a notebook file: nbformat 4.5, to the byte as Jupyter's own nbformat does, so that a notebook saved by either shows
 * no differences that nobody made. Keys are sorted, texts are lists of lines, the indent is one space.
 */
import { writeWholeFile } from '../../node/whole_file.ts';
import { DISPLAY_NAME, KERNEL_NAME, LANGUAGE_INFO } from '../kernelspec.ts';
import type { Cell, Metadata, Notebook, SavedOutput } from './notebook.ts';
import { isJsonMime } from './notebook.ts';

/** Writes `path` whole or not at all, and gives its size in bytes. Throws TraceError where it cannot be written. */
export function writeNotebook(path: string, notebook: Notebook): Promise<number> {
  return writeWholeFile(path, (write) => write(new TextEncoder().encode(notebookText(notebook))));
}

const KERNELSPEC = { display_name: DISPLAY_NAME, language: LANGUAGE_INFO.name, name: KERNEL_NAME };

/** The text of the file, with the metadata by which Jupyter finds our kernel. */
export function notebookText({ metadata, cells }: Notebook): string {
  const file = {
    cells: cells.map(cellOnDisk),
    metadata: { ...metadata, kernelspec: KERNELSPEC, language_info: LANGUAGE_INFO },
    nbformat: 4,
    nbformat_minor: 5,
  };
  return fileText(file);
}

/** The text of a file that holds this notebook, already spelt as in a file. */
export function fileText(notebook: unknown): string {
  return `${JSON.stringify(sorted(notebook), null, 1)}\n`;
}

function cellOnDisk(cell: Cell) {
  const { id, type, metadata } = cell;
  const parts = { cell_type: type, id, metadata, source: lines(cell.source) };
  if (cell.type === 'code') {
    return { ...parts, execution_count: cell.executionCount, outputs: cell.outputs.map(outputOnDisk) };
  }
  const attachments = Object.entries(cell.attachments).map(([name, bundle]) => [name, bundleOnDisk(bundle)]);
  return attachments.length === 0 ? parts : { ...parts, attachments: Object.fromEntries(attachments) };
}

function outputOnDisk(output: SavedOutput) {
  switch (output.type) {
    case 'stream':
      return { output_type: output.type, name: output.name, text: lines(output.text) };
    case 'display_data':
      return { output_type: output.type, data: bundleOnDisk(output.data), metadata: output.metadata };
    case 'execute_result': {
      const { type, data, metadata, executionCount } = output;
      return { output_type: type, data: bundleOnDisk(data), metadata, execution_count: executionCount };
    }
    case 'error': {
      const { type, ename, evalue, traceback } = output;
      return { output_type: type, ename, evalue, traceback };
    }
    default:
      throw output satisfies never;
  }
}

/** Texts as lists of lines where Jupyter makes them so; base64 and JSON stay whole. */
export function bundleOnDisk(bundle: Metadata): Metadata {
  return Object.fromEntries(Object.entries(bundle).map(([mime, value]) => [mime, mimeOnDisk(mime, value)]));
}

function mimeOnDisk(mime: string, value: unknown): unknown {
  if (isJsonMime(mime)) return value;
  const text = typeof value === 'string' ? value : JSON.stringify(value); // The format allows nothing but text here.
  return mime.startsWith('text/') || SPLIT_MIMES.has(mime) ? lines(text) : text;
}

const SPLIT_MIMES = new Set(['application/javascript', 'image/svg+xml']);

/** Where Python's splitlines ends a line. */
const LINE_END = /(?<=\r\n|\r(?!\n)|[\n\v\f\x85\u2028\u2029])/;

/** Each with its line break. */
export function lines(text: string): string[] {
  return text === '' ? [] : text.split(LINE_END);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
