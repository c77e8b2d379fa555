/** Text for a terminal: probabilities, bold, lines broken to a width, paths and commands to copy. Columns and characters are those of plain text everywhere. */
import { relative, sep } from 'node:path';
import { shownWidth } from '../trace/plain_text.ts';

/** The languages that texts of ours for people are in. */
export type Language = 'en' | 'ja';

/** A probability in whole percent; what is neither 0 nor 1 never shows as 0% or 100%. */
export function percent(probability: number): string {
  const whole = Math.round(100 * probability);
  if (whole === 0 && probability > 0) return '<1%';
  return whole === 100 && probability < 1 ? '>99%' : `${whole}%`;
}

/** Bold where stdout is a terminal and NO_COLOR (no-color.org) is not set. */
export function bold(text: string): string {
  return text !== '' && process.stdout.isTTY && !process.env.NO_COLOR ? `\u001b[1m${text}\u001b[22m` : text;
}

/** A path as a user would type it here: relative where that is shorter. */
export function shownPath(path: string): string {
  const near = relative(process.cwd(), path);
  return near !== '' && !near.startsWith(`..${sep}`) && near.length < path.length ? near : path;
}

/** `npx layerscope …`, quoted so that a shell reads it back as these arguments. */
export function commandLine(...args: readonly string[]): string {
  return ['npx layerscope', ...args.map(quoted)].join(' ');
}

/** The same in lines of at most so many columns where its arguments allow that, each going on in the next. */
export function commandLines(args: readonly string[], columns: number): string[] {
  const [goesOn, indent] = [process.platform === 'win32' ? ' ^' : ' \\', '    '];
  const lines = ['npx layerscope'];
  for (const argument of withValues(args)) {
    const line = lines.at(-1) as string;
    if (shownWidth(`${line} ${argument}${goesOn}`) <= columns) lines[lines.length - 1] = `${line} ${argument}`;
    else lines.push(`${indent}${argument}`);
  }
  return lines.map((line, i) => (i < lines.length - 1 ? `${line}${goesOn}` : line));
}

/** Arguments as a shell reads them, an option and its value in one. */
function withValues(args: readonly string[]): string[] {
  const parts: string[] = [];
  let isOption = false;
  for (const argument of args) {
    if (isOption && !argument.startsWith('--')) parts.push(`${parts.pop()} ${quoted(argument)}`);
    else parts.push(quoted(argument));
    isOption = argument.startsWith('--');
  }
  return parts;
}

function quoted(argument: string): string {
  if (/^[\w@%+=:,./-]+$/.test(argument)) return argument;
  return process.platform === 'win32'
    ? `"${argument.replaceAll('"', '""')}"`
    : `'${argument.replaceAll("'", "'\\''")}'`;
}

/** The text in lines of at most so many columns, broken between words; a longer word stays whole. */
export function wrapped(text: string, columns: number, lang: Language): string {
  // Only Japanese breaks between words that no space parts.
  const words = lang === 'ja' ? [...new Intl.Segmenter(lang, { granularity: 'word' }).segment(text)] : [];
  const parts = lang === 'ja' ? words.map(({ segment }) => segment) : text.split(/(?<= )/);
  const lines = [''];
  for (const part of parts) {
    const line = lines.at(-1) ?? '';
    const isClosing = /^[、。)」]/.test(part);
    if (line !== '' && !isClosing && shownWidth(line + part.trimEnd()) > columns) lines.push(part);
    else lines[lines.length - 1] = line + part;
  }
  return lines.map((line) => line.trimEnd()).join('\n');
}
