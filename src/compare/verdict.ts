/** What the numbers of a comparison come to, in words: the verdict, and what each number supports. */
import { threeDigits } from '../trace/plain_text.ts';
import type {
  Claim,
  ComparisonParts,
  Difference,
  Divergence,
  Isolation,
  LogitsComparison,
  TensorComparison,
  Verdict,
} from './comparison.ts';
import type { RecordNoise } from './noise.ts';

/** What a verdict is made of. */
export interface Findings {
  readonly mode: ComparisonParts['mode'];
  readonly tensors: readonly TensorComparison[];
  readonly divergence: Divergence | null;
  readonly allowed: readonly Difference[];
  readonly logits: readonly LogitsComparison[] | null;
  readonly labels: { readonly ours: string; readonly reference: string };
  /** `f32`, or how a side is known to round; see `precisionOf`. */
  readonly precision: string;
  /** Of the sides of which noise explains what parts. */
  readonly noises: readonly Pick<RecordNoise, 'label' | 'size' | 'of'>[];
}

/** The verdict and one sentence that says it. */
export function verdictOf(findings: Findings): { readonly verdict: Verdict; readonly summary: string } {
  const { tensors, divergence, mode } = findings;
  if (tensors.length === 0) return { verdict: 'bug', summary: 'no tensor is in both traces, so nothing was compared' };
  if (divergence) return ofDivergence(findings, divergence);
  const count = `${tensors.length} tensor${tensors.length === 1 ? '' : 's'}`;
  if (mode === 'exact') return { verdict: 'agree', summary: `all ${count} are equal in every bit` };
  const layouts = tensors.filter(({ isolation }) => isolation?.outcome === 'other layout');
  if (layouts[0]) {
    const { name, isolation } = layouts[0];
    const summary = `${name} holds the same values in another layout: ${isolation?.explained?.name}; the rest agrees`;
    return { verdict: 'other layout', summary };
  }
  if (findings.noises.length > 0) return { verdict: 'noise', summary: noiseSummary(findings) };
  const rounded = tensors.filter(({ isolation }) => isolation?.outcome === 'precision');
  const beyond = tensors.filter(({ status }) => status === 'beyond');
  if (rounded.length > 0 || (findings.precision !== 'f32' && beyond.length > 0)) {
    return { verdict: 'precision', summary: precisionSummary(rounded, findings) };
  }
  if (beyond[0]) {
    const { name, measure, tolerance } = beyond[0];
    const error = measure
      ? ` (${threeDigits(measure.relativeRmsError)}, allowed ${threeDigits(tolerance?.limit ?? 0)})`
      : '';
    const summary = `from ${name} on the two differ by more than rounding usually gives${error}, yet every op gives the same on the same inputs`;
    return { verdict: 'noise', summary };
  }
  if (tensors.some(({ measure }) => measure === null)) {
    return { verdict: 'agree', summary: `what is known of ${count} agrees; sums and RMS alone prove little` };
  }
  return { verdict: 'agree', summary: `all ${count} agree within rounding` };
}

function ofDivergence(
  { mode, tensors, labels }: Findings,
  divergence: Divergence,
): { verdict: Verdict; summary: string } {
  const { name, op, isolation, ours, reference } = divergence;
  const where = placeText(divergence);
  if (mode === 'exact') {
    const isRounding = tensors.every(({ status, measure, tolerance }) => {
      return status !== 'beyond' || (measure && tolerance && measure.relativeRmsError <= tolerance.limit);
    });
    const summary = `${name}${where} is the first element whose bits differ: ${ours} and ${reference}`;
    return { verdict: isRounding ? 'noise' : 'bug', summary };
  }
  const values = `${threeDigits(ours)} where ${labels.reference} has ${threeDigits(reference)}`;
  if (!isolation) {
    return { verdict: 'bug', summary: `the two part at ${name} (${op})${where}: ${values}` };
  }
  const explained = isolation.explained ? `, which is ${isolation.explained.name}` : '';
  const whose = isolation.madeBy === 'reference' ? `; ${labels.reference} is the one that is off` : '';
  return { verdict: 'bug', summary: `the error is made in ${name} (${op})${where}: ${values}${explained}${whose}` };
}

function noiseSummary({ tensors, noises }: Findings): string {
  const count = tensors.filter(({ isolation }) => isolation?.outcome === 'noise').length;
  const sides = noises.map(({ label, size, of }) => `${label} is off by ${threeDigits(size)} in every ${of} alike`);
  return `${sides.join(', ')}, and of ${count} that part no tensor, token or head stands out: even noise, not a bug`;
}

function precisionSummary(rounded: readonly TensorComparison[], { precision, labels }: Findings): string {
  const named = rounded.filter(({ isolation }) => isolation?.explained);
  const names = [...new Set(named.map(({ isolation }) => isolation?.explained?.name))];
  if (named.length === 0) {
    return `the two differ as ${precision} arithmetic may; no op could be run on the inputs of ${labels.reference} to prove it`;
  }
  const left = Math.max(...named.map(({ isolation }) => isolation?.explained?.left ?? 0));
  const more = rounded.length > named.length ? `; ${rounded.length - named.length} are within what is known of it` : '';
  return `${named.length} ops part, and are reproduced with ${names.join(' and ')} (${threeDigits(left)} is left)${more}`;
}

/** ` at token 5, head 2, [2, 5, 17]` */
export function placeText({ token, head, index }: Pick<Divergence, 'token' | 'head' | 'index'>): string {
  const parts = [
    ...(token === null ? [] : [`token ${token}`]),
    ...(head === null ? [] : [`head ${head}`]),
    ...(index.length === 0 ? [] : [`[${index.join(', ')}]`]),
  ];
  return parts.length === 0 ? '' : ` at ${parts.join(', ')}`;
}

/** Each number that the verdict rests on, and what it supports; what it does not support is said too. */
export function claimsOf(findings: Findings): Claim[] {
  const { tensors, divergence, logits, labels } = findings;
  return [
    ...worstClaim(tensors),
    ...coverageClaim(tensors),
    ...f64Claim(tensors, labels),
    ...(divergence?.isolation ? isolationClaims(divergence.name, divergence.isolation, labels) : []),
    ...noiseClaims(findings),
    ...precisionClaims(tensors),
    ...rmsClaim(tensors),
    ...statisticsClaim(tensors),
    ...logitsClaims(logits),
    ...allowedClaims(findings.allowed),
  ];
}

function worstClaim(tensors: readonly TensorComparison[]): Claim[] {
  const measured = tensors.filter((each) => each.measure !== null);
  const worst = measured.reduce<TensorComparison | null>((most, each) => {
    return !most || errorOf(each) > errorOf(most) ? each : most;
  }, null);
  if (!worst) return [];
  const limit = worst.tolerance ? `, allowed ${threeDigits(worst.tolerance.limit)}: ${worst.tolerance.source}` : '';
  return [
    {
      number: `relative RMS error ${threeDigits(errorOf(worst))} at most, in ${worst.name}`,
      supports: `how far the two are apart end to end over ${measured.length} tensors${limit}`,
    },
  ];
}

/** Of a log that printed corners: how little that is. */
function coverageClaim(tensors: readonly TensorComparison[]): Claim[] {
  const parts = tensors.filter(({ measure, coverage }) => measure && coverage < 1);
  if (parts.length === 0) return [];
  const seen = parts.reduce((sum, { measure }) => sum + (measure?.n ?? 0), 0);
  const all = parts.reduce((sum, { measure, coverage }) => sum + (measure?.n ?? 0) / coverage, 0);
  return [
    {
      number: `${seen} of ${Math.round(all)} elements, ${threeDigits((100 * seen) / all)} %, in ${parts.length} tensors`,
      supports: 'only what was at hand of these: a fault elsewhere in them would not show',
    },
  ];
}

function errorOf({ measure }: TensorComparison): number {
  return measure?.relativeRmsError ?? 0;
}

function isolationClaims(name: string, isolation: Isolation, labels: Findings['labels']): Claim[] {
  const { onReference, onOurs, toF64, tolerance, how } = isolation;
  const claims: Claim[] = [];
  const said = (side: string, error: number) => ({
    number: `${threeDigits(error)} on the inputs of ${side}, allowed ${threeDigits(tolerance.limit)}`,
    supports:
      error <= tolerance.limit
        ? `our op reproduces what ${side} recorded of ${name}`
        : `the error is made in ${name} and did not come in with its inputs (${how})`,
  });
  if (onReference !== null) claims.push(said(labels.reference, onReference));
  if (onOurs !== null) claims.push(said(labels.ours, onOurs));
  if (toF64) {
    claims.push({
      number: `our op is ${threeDigits(toF64.op)} from f64, the record ${threeDigits(toF64.recorded)}`,
      supports:
        toF64.recorded > toF64.op
          ? 'the recorded output is the one that is wrong'
          : 'our op is the one that is wrong, here and not in the record',
    });
  }
  return claims;
}

/** What even noise proves, and what it hides. */
function noiseClaims({ noises }: Findings): Claim[] {
  return noises.map(({ label, size }) => ({
    number: `${threeDigits(size)} in the middle op of ${label}, on its own inputs`,
    supports:
      'a rounding of its own, in every op alike; a fault that changes an op by no more than that would not show',
  }));
}

function precisionClaims(tensors: readonly TensorComparison[]): Claim[] {
  const byName = new Map<string, { count: number; before: number; left: number }>();
  for (const { isolation } of tensors) {
    if (isolation?.outcome !== 'precision' || !isolation.explained) continue;
    const { name, left } = isolation.explained;
    const sofar = byName.get(name) ?? { count: 0, before: 0, left: 0 };
    const before = Math.max(isolation.onReference ?? 0, isolation.onOurs ?? 0, sofar.before);
    byName.set(name, { count: sofar.count + 1, before, left: Math.max(left, sofar.left) });
  }
  return [...byName].map(([name, { count, before, left }]) => ({
    number: `${threeDigits(before)} op by op, ${threeDigits(left)} once imitated`,
    supports: `${name} is all that sets ${count} op${count === 1 ? '' : 's'} apart: precision, not a bug`,
  }));
}

/** How much further from exact arithmetic one side may be than the other and still only round. */
const ALIKE = 10;

/** The tensor that is furthest from f64 on either side, and which side that is. */
function f64Claim(tensors: readonly TensorComparison[], { ours, reference }: Findings['labels']): Claim[] {
  const furthest = ({ toF64 }: TensorComparison) => (toF64 ? Math.max(toF64.ours, toF64.reference) : -1);
  const worst = tensors.reduce<TensorComparison | null>((most, each) => {
    return !most || furthest(each) > furthest(most) ? each : most;
  }, null);
  if (!worst?.toF64 || furthest(worst) === 0) return [];
  const ratio = worst.toF64.ours / worst.toF64.reference;
  const known = Number.isFinite(ratio) ? `, ratio ${threeDigits(ratio)}` : '';
  const isAlike = ratio < ALIKE && ratio > 1 / ALIKE;
  const far = ratio >= ALIKE ? ours : reference;
  return [
    {
      number: `${threeDigits(worst.toF64.ours)} and ${threeDigits(worst.toF64.reference)} from our run in f64${known}, in ${worst.name}`,
      supports: isAlike
        ? 'neither side is further from exact arithmetic than the other: both round'
        : `${far} is the one that is further from exact arithmetic`,
    },
  ];
}

/** An RMS that did not move while the values did: said, because many look at nothing else. */
function rmsClaim(tensors: readonly TensorComparison[]): Claim[] {
  const hidden = tensors.find(({ measure, status }) => {
    return status === 'beyond' && measure && measure.relativeRmsError > 0.01 && Math.abs(measure.rmsRatio - 1) < 0.01;
  });
  if (!hidden?.measure) return [];
  return [
    {
      number: `RMS ratio ${hidden.measure.rmsRatio.toFixed(4)} at ${hidden.name}, whose relative RMS error is ${threeDigits(hidden.measure.relativeRmsError)}`,
      supports: 'nothing: an RMS does not see a vector turn, so it would have missed this',
    },
  ];
}

function statisticsClaim(tensors: readonly TensorComparison[]): Claim[] {
  const bare = tensors.filter(({ measure }) => measure === null);
  if (bare.length === 0) return [];
  return [
    {
      number: `${bare.length} of ${tensors.length} tensors by their statistics alone`,
      supports: 'a suspicion where they differ; where they agree, little: what cancels in a sum does not show',
    },
  ];
}

function logitsClaims(logits: Findings['logits']): Claim[] {
  if (!logits || logits.length === 0) return [];
  const kl = Math.max(...logits.map((each) => each.kl));
  const flips = logits.filter(({ ours, reference }) => ours !== reference);
  return [
    {
      number: `KL divergence ${threeDigits(kl)} nats at most, over ${logits.length} position${logits.length === 1 ? '' : 's'}`,
      supports: 'how much of the difference reaches what is drawn from',
    },
    {
      number: `${logits.length - flips.length} of ${logits.length} positions have the same likeliest token`,
      supports:
        flips.length === 0
          ? 'greedy decoding continues alike here'
          : `greedy decoding parts at token ${flips[0]?.token}, be it for a near tie: see the KL`,
    },
  ];
}

function allowedClaims(allowed: readonly Difference[]): Claim[] {
  return allowed.map(({ kind, ours, reference }) => ({
    number: `${kind}: ${ours} in ours, ${reference} in the reference`,
    supports:
      kind === 'transforms'
        ? 'nothing by itself: what they change on purpose is among what was found'
        : 'less of everything above: the two are not the same experiment in this, which was allowed',
  }));
}
