/** Takes this machine's folders out of error messages, so that a saved notebook is the same wherever it ran. */
import { sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ErrorOutput } from '../cells.ts';

/** Gives the text without the folders. */
export type HideFolders = (text: string) => string;

/**
 * Makes what takes folders out of a text, spelt as paths or as file: URLs, the innermost first. `names` says what stands
 * for each.
 *
 *     hideFolders({ '/home/ann/book': '', '/home/ann': '~/' })('at /home/ann/book/a.ts:1') === 'at a.ts:1'
 */
export function hideFolders(names: Readonly<Record<string, string>>): HideFolders {
  const spellings = Object.entries(names)
    .flatMap(([folder, name]) => spellingsOf(folder).map((spelling) => [spelling, name] as const))
    .sort(([a], [b]) => b.length - a.length);
  return (text) => spellings.reduce((rest, [spelling, name]) => rest.replaceAll(spelling, name), text);
}

/** As a URL first: it holds the path. */
function spellingsOf(folder: string): string[] {
  const withSeparator = folder.endsWith(sep) ? folder : folder + sep;
  return [pathToFileURL(withSeparator).href, withSeparator];
}

export function withoutFolders({ type, ename, evalue, traceback }: ErrorOutput, hide: HideFolders): ErrorOutput {
  return { type, ename, evalue: hide(evalue), traceback: traceback.map(hide) };
}
