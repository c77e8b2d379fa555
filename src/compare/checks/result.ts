/** From what a check found to what it says. */
import type { Place } from '../comparison.ts';
import type { Check, CheckReport, CheckResult, LeftOut, RunsCheck, Sighting } from './check.ts';
import type { Findings } from './findings.ts';

/** Of a check that looked, as far as it could. */
export function resultOf(check: Check, findings: Findings): CheckResult {
  const { looked, failing, worst, leftOut, tolerance, needsModel } = findings;
  const dump = leftOut.length > 0 ? dumpText(check, leftOut, needsModel) : null;
  if (looked === 0) return { ...couldNot(check, reasonOf(leftOut), leftOut), dump };
  return {
    ...wordsOf(check),
    outcome: failing > 0 ? 'failed' : 'passed',
    says: saysOf(findings),
    ...{ tolerance, looked, failing, worst, leftOut, dump },
  };
}

function saysOf({ looked, failing, worst, note }: Findings): string {
  const tensors = `${looked} ${looked === 1 ? 'tensor' : 'tensors'}`;
  if (!worst) return tensors;
  if (failing > 0) {
    const all = `${failing} of ${tensors} ${failing === 1 ? 'fails' : 'fail'}`;
    return `${sightingText(worst)}; ${all}${note ? `. ${note}` : ''}`;
  }
  return worst.excess === 0 ? `${tensors}, all exact` : `${tensors}; the nearest to failing is ${sightingText(worst)}`;
}

/** Of a check that had nothing to look at. */
export function couldNot(check: Check, why: string, leftOut: readonly LeftOut[] = []): CheckResult {
  return {
    ...wordsOf(check),
    outcome: 'could not',
    says: why,
    ...{ tolerance: null, looked: 0, failing: 0, worst: null, leftOut, dump: null },
  };
}

/** What a second dump has to be. */
export function otherDump({ needs, isOther }: RunsCheck): string | null {
  return isOther ? `${needs.tensors.join(', ')}, of a second run: ${needs.other}` : null;
}

export function reportOf(
  subject: string,
  tokens: readonly number[] | null,
  sampled: string | null,
  results: readonly CheckResult[],
): CheckReport {
  const has = (outcome: CheckResult['outcome']) => results.some((result) => result.outcome === outcome);
  return {
    subject,
    outcome: has('failed') ? 'failed' : has('passed') ? 'passed' : 'could not',
    tokens,
    sampled,
    results,
  };
}

function wordsOf({ name, title, proves, cannot }: Check) {
  return { name, title, proves, cannot };
}

function reasonOf(leftOut: readonly LeftOut[]): string {
  return leftOut.length === 0 ? 'there was nothing to look at' : leftOut.map(leftOutText).join('; ');
}

/** `Qcur_rope-i of layers 3 to 21: the trace does not hold it` */
export function leftOutText({ tensor, layers, why }: LeftOut): string {
  return `${tensor}${layers.length > 0 ? ` of ${layersText(layers)}` : ''}: ${why}`;
}

/** `layer 3`, `layers 0 to 5`, `layers 0, 2, 5`; ascending. */
export function layersText(layers: readonly number[]): string {
  const [first, last] = [layers[0], layers.at(-1)];
  if (first === last) return `layer ${first}`;
  const isRun = layers.length === (last as number) - (first as number) + 1;
  return `layers ${isRun ? `${first} to ${last}` : layers.join(', ')}`;
}

/** `kq-3, token 4, head 2, at [2, 4, 1]: 0.12, wanted 0.13, 12 times what is allowed` */
export function sightingText({ tensor, pass, found, wanted, relation, excess, what, ...place }: Sighting): string {
  const where = placeText(what === null ? place : { ...place, index: [] });
  const named = [pass > 0 ? `${tensor} of pass ${pass}` : tensor, ...(where === '' ? [] : [where])].join(', ');
  const aim = relation === 'equal' ? shortNumber(wanted) : `at least ${shortNumber(wanted)}`;
  return `${named}: ${what === null ? '' : `${what} `}${shortNumber(found)}, wanted ${aim}${shareText(excess, relation)}`;
}

/** How far off, next to what is allowed. */
function shareText(excess: number, relation: Sighting['relation']): string {
  if (relation === 'at least') return '';
  if (!Number.isFinite(excess)) return ', and nothing else is allowed';
  if (excess <= 1) return `, off by ${Number((100 * excess).toPrecision(2))} % of what is allowed`;
  return `, off by ${excess < 1000 ? Number(excess.toPrecision(2)) : excess.toExponential(0)} times what is allowed`;
}

/** `token 4, head 2, at [2, 4, 1]` */
export function placeText({ token, head, index }: Place): string {
  return [
    ...(token === null ? [] : [`token ${token}`]),
    ...(head === null ? [] : [`head ${head}`]),
    ...(index.length === 0 ? [] : [`at [${index.join(', ')}]`]),
  ].join(', ');
}

/** Seven significant digits, so that numbers that differ show it. */
export function shortNumber(x: number): string {
  if (!Number.isFinite(x) || x === 0) return `${x}`;
  const size = Math.abs(x);
  return size >= 1e5 || size < 1e-3 ? x.toExponential(2) : `${Number(x.toPrecision(7))}`;
}

function dumpText({ kind, needs }: Check, leftOut: readonly LeftOut[], needsModel: boolean): string {
  const missing = new Set(leftOut.map(({ tensor }) => tensor));
  const wanted = needs.tensors.filter((name) => missing.has(name));
  const tensors = `values of ${(wanted.length > 0 ? wanted : needs.tensors).join(', ')}, for every token`;
  return kind === 'trace' && needs.model && needsModel
    ? `${tensors}; and give the model, for its ${needs.model}`
    : tensors;
}
