/** Whether two faults can be in one model, or what one does leaves nothing of the other. */
import { UsageError } from '../../errors.ts';
import type { Change, Changes, Fault, Site } from './fault.ts';

/** A fault and where it is put. */
export interface Put {
  readonly fault: Fault;
  readonly site: Site;
  /** By the step's name. */
  readonly changes: Changes;
}

/** Throws UsageError, naming both, where a fault that is in the model leaves no room for another. */
export function mustGoTogether(there: Put, added: Put): void {
  const reason = contradictionOf(there, added);
  if (reason === null) return;
  const [one, other] = [there.fault.name, added.fault.name];
  const cure =
    one === other
      ? 'it once is enough'
      : there.fault.params.layer && added.fault.params.layer
        ? 'put the two into different layers, or one of them alone'
        : 'put in one of them alone';
  throw new UsageError(`Cannot put fault ${other} beside fault ${one}: ${reason}; ${cure}`);
}

function contradictionOf(there: Put, added: Put): string | null {
  const [a, b] = [there.fault, added.fault];
  if (a.excludes?.includes(b.name) || b.excludes?.includes(a.name)) return 'each says the contrary of the other';
  if (a.name === b.name && a.tokenize) return 'the model has it already';
  for (const [step, change] of Object.entries(added.changes)) {
    const before = there.changes[step];
    if (!before) continue;
    const same = sharedIn(before, change);
    if (same !== null) return `both change ${same} of ${step}`;
    if (there.site.params.head !== undefined || added.site.params.head !== undefined) {
      return `one of them is in a single head of ${step}, which is a step of its own then`;
    }
  }
  for (const [muting, muted] of [
    [there, added],
    [added, there],
  ] as const) {
    if (mutesAll(muting, muted)) return `with ${muting.fault.name}, ${muted.fault.name} changes nothing`;
  }
  return null;
}

/** Whether a fault leaves nothing of another, in any step. */
function mutesAll(muting: Put, muted: Put): boolean {
  const changes = Object.entries(muted.changes);
  return changes.length > 0 && changes.every(([step, change]) => mutes(muting.changes[step], change));
}

/** What both say otherwise of a step; null where each has its own. */
function sharedIn(one: Change, other: Change): string | null {
  for (const [key, what] of Object.entries(WHOLE)) {
    if (one[key as keyof Change] !== undefined && other[key as keyof Change] !== undefined) return what;
  }
  const inputs = ({ inputs = {}, weight }: Change) => [...Object.keys(inputs), ...(weight ? ['weight'] : [])];
  const input = inputs(one).find((role) => inputs(other).includes(role));
  if (input !== undefined) return `the input ${input}`;
  const param = Object.keys(one.params ?? {}).find((name) => name in (other.params ?? {}));
  return param === undefined ? null : `the parameter ${param}`;
}

const WHOLE: Partial<Record<keyof Change, string>> = {
  op: 'the op',
  cached: 'the cache',
  unwritten: 'how much is written',
  writes: 'what is kept',
};

function mutes(muting: Change | undefined, { inputs, params, ...rest }: Change): boolean {
  const names = [...Object.keys(inputs ?? {}), ...Object.keys(params ?? {})];
  const isMore = Object.keys(rest).some((key) => key !== 'byHead' && key !== 'mutes');
  return !isMore && names.every((name) => muting?.mutes?.includes(name));
}
