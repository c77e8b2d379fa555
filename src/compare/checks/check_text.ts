/** A report of checks as text to read: what failed first, then what could not be looked at, then what passed. */
import type { CheckReport, CheckResult } from './check.ts';
import { leftOutText } from './result.ts';

export interface CheckTextOptions {
  /** What each check proves and what it cannot, of those that passed too. Default false. */
  readonly details?: boolean;
}

const LABELS: Readonly<Record<CheckResult['outcome'], string>> = {
  failed: 'FAILED',
  passed: 'passed',
  'could not': 'not checked',
};

const COLUMN = Math.max(...Object.values(LABELS).map((label) => label.length)) + 2;

/** What none of them can tell, for they look at a model by itself. */
const BEYOND =
  'No check knows another engine: a text that became other tokens, and a file that is wrong itself, pass them all. ' +
  'Compare with llama.cpp for those.';

/** Plain text of many lines, without colours; names of a dump stand in it as they are. */
export function checkText(
  { subject, outcome, tokens, sampled, results }: CheckReport,
  { details = false }: CheckTextOptions = {},
): string {
  const of = (wanted: CheckResult['outcome']) => results.filter((result) => result.outcome === wanted);
  const counts = (Object.keys(LABELS) as CheckResult['outcome'][])
    .filter((each) => of(each).length > 0)
    .map((each) => `${of(each).length} ${LABELS[each].toLowerCase()}`);
  const head = [
    `${subject}: ${outcome === 'could not' ? 'nothing could be checked' : outcome} (${counts.join(', ')})`,
    ...(tokens ? [`Tokens ${tokens.join(' ')}`] : []),
    ...(sampled ? [sampled] : []),
  ];
  const shown = [...of('failed'), ...of('could not'), ...of('passed')];
  return [head.join('\n'), ...shown.map((result) => resultText(result, details || result.outcome === 'failed')), BEYOND]
    .join('\n\n')
    .concat('\n');
}

function resultText(
  { name, title, outcome, says, tolerance, proves, cannot, leftOut, dump }: CheckResult,
  isLong: boolean,
): string {
  const lines = [
    says,
    ...(outcome !== 'could not' && tolerance && isLong
      ? [`allowed: ${tolerance.limit.toPrecision(2)}: ${tolerance.source}`]
      : []),
    ...(isLong ? [`proves: ${proves}`, `cannot: ${cannot}`] : []),
    ...(outcome === 'could not' ? [] : leftOut.map((each) => `left out: ${leftOutText(each)}`)),
    ...(dump ? [`to check ${outcome === 'could not' ? 'it' : 'the rest'}, dump ${dump}`] : []),
  ];
  const indent = ' '.repeat(COLUMN);
  return [`${LABELS[outcome].padEnd(COLUMN)}${title} (${name})`, ...lines.map((line) => indent + line)].join('\n');
}
