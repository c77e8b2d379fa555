/**
 * A notebook in memory. Texts are whole strings, where a file has lists of lines; outputs are spelt as the cells give them
 * (../cells.ts). What a file looks like is in read.ts and write.ts.
 */
import type { ErrorOutput, ResultOutput, Shown, StreamOutput } from '../cells.ts';

export type Metadata = Readonly<Record<string, unknown>>;

/** What was displayed, without the id by which it could be updated while the notebook ran. */
export interface SavedDisplay extends Shown {
  readonly type: 'display_data';
}

export interface SavedResult extends Omit<ResultOutput, 'executionCount'> {
  /** Null where another program left it out. */
  readonly executionCount: number | null;
}

export type SavedOutput = StreamOutput | SavedDisplay | SavedResult | ErrorOutput;

interface CellParts {
  /** Unique in its notebook; letters, digits, `-` and `_`. */
  readonly id: string;
  readonly source: string;
  readonly metadata: Metadata;
}

export interface CodeCell extends CellParts {
  readonly type: 'code';
  readonly outputs: readonly SavedOutput[];
  readonly executionCount: number | null;
}

export interface TextCell extends CellParts {
  readonly type: 'markdown' | 'raw';
  /** Files that the text names as `attachment:NAME`: MIME bundles by name. */
  readonly attachments: Readonly<Record<string, Metadata>>;
}

export type Cell = CodeCell | TextCell;

export interface Notebook {
  readonly metadata: Metadata;
  readonly cells: readonly Cell[];
}

/** Whether a cell has a tag; Jupyter keeps tags in the metadata. */
export function hasTag({ metadata }: Cell, tag: string): boolean {
  return Array.isArray(metadata.tags) && metadata.tags.includes(tag);
}

/** The first line of a cell that says something, for messages. */
export function firstLine({ source }: Cell): string {
  return /^.*\S.*$/m.exec(source)?.[0].trim() ?? '';
}

/** MIME types whose values are JSON and not text. */
export function isJsonMime(mime: string): boolean {
  return /^application\/(.*\+)?json$/.test(mime);
}
