/** Stack traces in the cells' own lines: a frame in compiled code becomes `cell 3:4:7`, one in a local file its own place. */
import { SourceMap } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LayerscopeError } from '../../errors.ts';

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
/** Where all of this package's modules are. */
const PACKAGE_FOLDER = fileURLToPath(new URL('../../', import.meta.url));

/** Frames that V8 records: enough to reach the cell from deep inside a library. */
const RECORDED_FRAMES = 100;
/** Frames that are shown from the top; of those below, the cells' own, as many again. */
const SHOWN_FRAMES = 10;

/** From now on every error's `stack` is told so. */
export function mapStacks(): void {
  Error.stackTraceLimit = RECORDED_FRAMES;
  Error.prepareStackTrace = stackText;
}

function stackText(error: Error, frames: NodeJS.CallSite[]): string {
  // What our errors say needs none of our own lines; any other error that comes from them does.
  const hidden = error instanceof LayerscopeError ? PACKAGE_FOLDER : OWN_FOLDER;
  const lines = frames.filter((frame) => isOutside(frame, hidden)).map((frame) => `    at ${shown(frame)}`);
  return [heading(error), ...cut(withoutRepeats(lines))].join('\n');
}

function heading(error: Error): string {
  try {
    return String(error);
  } catch {
    try {
      return `Error: ${error.message}`;
    } catch {
      return 'Error';
    }
  }
}

/** Neither in Node nor in `folder`. */
function isOutside(frame: NodeJS.CallSite, folder: string): boolean {
  const file = frame.getFileName() ?? '';
  const path = file.startsWith('file:') ? fileURLToPath(file) : file;
  return !path.startsWith('node:') && !path.startsWith(folder);
}

/** A function that calls itself is told once, and how often. */
function withoutRepeats(lines: readonly string[]): string[] {
  const told: string[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? '';
    let end = at + 1;
    while (lines[end] === line) end++;
    told.push(line);
    if (end - at > 1) told.push(`    … ${end - at - 1} more from there`);
    at = end;
  }
  return told;
}

function cut(lines: readonly string[]): string[] {
  const below = lines.slice(SHOWN_FRAMES).filter((line) => CELL_PLACE.test(line));
  return [...lines.slice(0, SHOWN_FRAMES), ...below.slice(-SHOWN_FRAMES)];
}

const CELL_PLACE = /\bcell \d+:\d+/;

function shown(frame: NodeJS.CallSite): string {
  const source = sources.get(frame.getFileName() ?? '');
  const [line, column] = [frame.getLineNumber(), frame.getColumnNumber()];
  if (!source || line === null || column === null) return String(frame).replace(EVAL_ORIGIN, evalPlace);
  const entry = source.map.findEntry(line - 1, column - 1);
  if (!('originalLine' in entry)) return source.label;
  const place = `${source.label}:${entry.originalLine + 1 - source.linesBefore}:${entry.originalColumn + 1}`;
  const name = frame.getFunctionName();
  if (!name || name === BODY) return place;
  const [type, method] = [frame.getTypeName(), frame.getMethodName()];
  const isMethod = !frame.isToplevel() && !frame.isConstructor() && type && method && !name.includes('.');
  const called = frame.isConstructor() ? `new ${name}` : isMethod ? `${type}.${method}` : name;
  return `${called.replace(/^exports\./, '')} (${place})`;
}

/** As V8 tells where `eval` was called; the line it gives is not that of the script. */
const EVAL_ORIGIN = /eval at \w+ \(([\w-]+):\d+:\d+\)/;

function evalPlace(origin: string, script: string): string {
  const source = sources.get(script);
  return source ? `eval in ${source.label}` : origin;
}
