/** Stack traces in the cells' own lines: a frame in compiled code becomes `cell 3:4:7`, one in a local file its own place. */
import { SourceMap } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Mapped {
  readonly map: SourceMap;
  /** `cell 3`, or a file's path. */
  readonly label: string;
  /** Lines that stand before the user's own in the mapped source. */
  readonly linesBefore: number;
}

const sources = new Map<string, Mapped>();

/** Name of the function that compiled code is made into; stack traces leave it out. */
export const BODY = 'cellBody';

/** Name of a cell's script; what its frames are mapped by. */
export function cellScript(id: number): string {
  return `layerscope-cell-${id}`;
}

export function rememberCell(id: number, count: number, map: string): void {
  // tslab puts one line before a cell.
  remember(cellScript(id), { label: `cell ${count}`, map, linesBefore: 1 });
}

export function rememberFile(path: string, map: string): void {
  remember(path, { label: relative(process.cwd(), path), map, linesBefore: 0 });
}

function remember(script: string, { label, map, linesBefore }: Omit<Mapped, 'map'> & { map: string }): void {
  if (map !== '') sources.set(script, { label, map: new SourceMap(JSON.parse(map)), linesBefore });
}

const OWN_FOLDER = fileURLToPath(new URL('.', import.meta.url));

/** From now on every error's `stack` is told so. */
export function mapStacks(): void {
  Error.prepareStackTrace = (error, frames) => {
    const lines = frames.filter(isUsers).map((frame) => `    at ${shown(frame)}`);
    return [heading(error), ...lines].join('\n');
  };
}

function heading(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'Error';
  }
}

/** Not one of Node's or of the executor. */
function isUsers(frame: NodeJS.CallSite): boolean {
  const file = frame.getFileName() ?? '';
  const path = file.startsWith('file:') ? fileURLToPath(file) : file;
  return !path.startsWith('node:') && !path.startsWith(OWN_FOLDER);
}

function shown(frame: NodeJS.CallSite): string {
  const source = sources.get(frame.getFileName() ?? '');
  const [line, column] = [frame.getLineNumber(), frame.getColumnNumber()];
  if (!source || line === null || column === null) return String(frame);
  const entry = source.map.findEntry(line - 1, column - 1);
  if (!('originalLine' in entry)) return `${source.label}`;
  const place = `${source.label}:${entry.originalLine + 1 - source.linesBefore}:${entry.originalColumn + 1}`;
  const name = frame.getFunctionName();
  if (!name || name === BODY) return place;
  const [type, method] = [frame.getTypeName(), frame.getMethodName()];
  const isMethod = !frame.isToplevel() && !frame.isConstructor() && type && method && !name.includes('.');
  const called = frame.isConstructor() ? `new ${name}` : isMethod ? `${type}.${method}` : name;
  return `${called.replace(/^exports\./, '')} (${place})`;
}
