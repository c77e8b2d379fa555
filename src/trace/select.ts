/**
 * Choosing tensors by name: globs over names and aliases, as picomatch has them. `l_out-*`, `blocks.*.hook_resid_post`,
 * `{Q,K}cur-0`, and `!kq*` to leave out. Names hold no slashes, so `*` spans dots.
 */
import picomatch from 'picomatch/posix.js';
import { UsageError } from '../errors.ts';

/** What a glob is matched against. */
export interface Named {
  readonly name: string;
  readonly hook?: string | null;
  readonly hf?: string | null;
}

/**
 * Whether a glob, or any of several, picks a tensor. 'all' and 'none' are what they say. A glob after `!` takes out what
 * the others picked; where there are only such, everything else is picked.
 */
export function selects(globs: string | readonly string[]): (names: Named) => boolean {
  const list = globList(globs);
  const wanted = list.filter((glob) => !glob.startsWith('!') && glob !== 'none').map(matcher);
  const unwanted = list.filter((glob) => glob.startsWith('!')).map((glob) => matcher(glob.slice(1)));
  const allWanted = wanted.length === 0 && !list.includes('none');
  return (names) => {
    const keys = [names.name, names.hook, names.hf].filter((key) => typeof key === 'string');
    const matches = (test: (key: string) => boolean) => keys.some((key) => test(key));
    return (allWanted || wanted.some(matches)) && !unwanted.some(matches);
  };
}

/** The globs of a list with commas, but for commas in braces. Throws UsageError where one is empty. */
export function globList(globs: string | readonly string[]): string[] {
  const list = (typeof globs === 'string' ? globs.split(/,(?![^{]*\})/) : globs).map((glob) => glob.trim());
  if (!list.includes('')) return list;
  throw new UsageError("Cannot select tensors: an empty glob was given; say 'all', 'none' or such as 'l_out-*'");
}

/** A name with brackets, such as `hidden_states[1]`, is also itself: a glob would take them for a set of letters. */
function matcher(glob: string): (key: string) => boolean {
  const test = picomatch(glob === 'all' ? '*' : glob, { dot: true, nonegate: true });
  return (key) => key === glob || test(key);
}
