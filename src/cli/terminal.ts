/** Text for a terminal: probabilities, bold, paths and commands to copy. Columns and characters are those of plain text everywhere. */
import { relative, sep } from 'node:path';

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

function quoted(argument: string): string {
  if (/^[\w@%+=:,./-]+$/.test(argument)) return argument;
  return process.platform === 'win32'
    ? `"${argument.replaceAll('"', '""')}"`
    : `'${argument.replaceAll("'", "'\\''")}'`;
}
