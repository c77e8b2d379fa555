/** From what a check found to what it says. */
import type { Check, CheckReport, CheckResult, LeftOut, Sighting } from './check.ts';
import type { Findings } from './findings.ts';

/** Of a check that looked, as far as it could. */
export function resultOf(check: Check, findings: Findings): CheckResult {
  const { looked, failing, worst, leftOut, tolerance, note } = findings;
  if (looked === 0) return couldNot(check, reasonOf(leftOut), leftOut);
  const says =
    failing > 0 && worst
      ? `${sightingText(worst)}; ${failing} of ${looked} tensors are beyond${note ? `. ${note}` : ''}`
      : `${looked} ${looked === 1 ? 'tensor' : 'tensors'}${worst ? `; nearest to failing: ${sightingText(worst)}` : ''}`;
  return {
    ...wordsOf(check),
    outcome: failing > 0 ? 'failed' : 'passed',
    says,
    ...{ tolerance, looked, failing, worst, leftOut },
    dump: leftOut.length > 0 ? dumpText(check, leftOut) : null,
  };
}

/** Of a check that had nothing to look at. */
export function couldNot(check: Check, why: string, leftOut: readonly LeftOut[] = []): CheckResult {
  return {
    ...wordsOf(check),
    outcome: 'could not',
    says: why,
    ...{ tolerance: null, looked: 0, failing: 0, worst: null, leftOut },
    dump: dumpText(check, leftOut),
  };
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

/** `kq-3, token 4, head 2: 0.12, wanted 0.13, 12 times what is allowed` */
export function sightingText({ tensor, pass, token, head, index, found, wanted, excess, what }: Sighting): string {
  const place = [
    pass > 0 ? `${tensor} of pass ${pass}` : tensor,
    ...(token === null ? [] : [`token ${token}`]),
    ...(head === null ? [] : [`head ${head}`]),
    ...(what === null && index.length > 0 ? [`at [${index.join(', ')}]`] : []),
  ];
  const share = Number.isFinite(excess) ? `${digits(excess)} of what is allowed` : 'nothing else is allowed';
  return `${place.join(', ')}: ${what === null ? '' : `${what} `}${digits(found)}, wanted ${digits(wanted)} (${share})`;
}

function digits(x: number): string {
  if (!Number.isFinite(x) || x === 0) return `${x}`;
  const size = Math.abs(x);
  return size >= 1e5 || size < 1e-3 ? x.toExponential(2) : `${Number(x.toPrecision(7))}`;
}

function dumpText({ kind, needs }: Check, leftOut: readonly LeftOut[]): string {
  if (kind === 'runs') return `${needs.tensors.join(', ')}, of a second run: ${needs.other}`;
  const missing = leftOut.map(({ tensor }) => tensor);
  const tensors = needs.tensors.filter(
    (name) => missing.length === 0 || missing.includes(name) || !name.includes('-i'),
  );
  const model = needs.model ? `; and the model, for its ${needs.model}` : '';
  return `values of ${(tensors.length > 0 ? tensors : needs.tensors).join(', ')}, for every token${model}`;
}
