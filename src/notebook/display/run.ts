/** Runs: the text with the place up to which the model has read it, the next step, what was drawn and what is kept. */
import prettyBytes from 'pretty-bytes';
import { percent } from '../../charts/chart.ts';
import { Run } from '../../engine/run.ts';
import { opOf } from '../../engine/shapes.ts';
import { table } from '../../trace/plain_text.ts';
import { shown } from '../../trace/token_label.ts';
import { heading, html, htmlTable } from './html.ts';
import { instancesOf } from './kind.ts';

/** Tokens of the text, its last ones, and drawn tokens that are shown. */
const MOST_TOKENS = 200;
const MOST_DRAWN = 12;

export const run = instancesOf(Run, (value) => {
  const title = `Run of ${value.model.name}`;
  const { tokens, sampled } = value;
  const rest = `${counted(tokens.length, 'token')}${sampled.length > 0 ? `, ${sampled.length} of them drawn` : ''}`;
  const facts = factsOf(value);
  const drawn = drawnTable(value);
  const parts = tokensOf(value);
  const chips = parts.map(({ piece, isDrawn, isRead }) => {
    const style = `white-space: pre-wrap; font-weight: ${isDrawn ? 'bold' : 'normal'}; opacity: ${isRead ? 1 : 0.5}`;
    return html`<code style="${style}">${piece}</code> `;
  });
  return {
    'text/html': html`${heading(title, rest)}
<div>${leftOut(value) > 0 ? `${leftOut(value)} tokens before … ` : ''}${chips}</div>
${htmlTable([], facts)}${drawn ? htmlTable(drawn.head, drawn.rows) : ''}`.text,
    'text/plain': [
      `${title}: ${rest}`,
      `${leftOut(value) > 0 ? '…' : ''}${parts.map(({ piece }) => piece).join('│')}`,
      table(facts),
      ...(drawn ? [table([drawn.head, ...drawn.rows])] : []),
    ].join('\n'),
  };
});

interface Part {
  readonly piece: string;
  readonly isDrawn: boolean;
  /** Whether it has a pass, finished or not. */
  readonly isRead: boolean;
}

function leftOut({ tokens }: Run): number {
  return Math.max(0, tokens.length - MOST_TOKENS);
}

function tokensOf(run: Run): Part[] {
  const drawn = new Set(run.sampled.map(({ position }) => position));
  const read = evaluated(run);
  const first = leftOut(run);
  return run.pieces.slice(first).map((piece, i) => {
    const position = first + i;
    return { piece: shown(piece), isDrawn: drawn.has(position), isRead: position < read };
  });
}

/** How many tokens have a pass. */
function evaluated({ pass }: Run): number {
  return pass ? pass.nPast + pass.nTokens : 0;
}

function factsOf(run: Run): string[][] {
  return [
    ['read', readSaid(run)],
    ['next', nextSaid(run)],
    ['kept', keptSaid(run)],
  ];
}

function readSaid(run: Run): string {
  const { pass, tokens } = run;
  if (!pass) return 'nothing yet; move it with step(), layer(i), to(name), toEnd() or generate(n)';
  const last = pass.nPast + pass.nTokens - 1;
  const positions = pass.nTokens === 1 ? `position ${last}` : `positions ${pass.nPast} to ${last}`;
  const waiting = tokens.length - evaluated(run);
  return `pass ${pass.index}, ${positions}${waiting > 0 ? `; ${counted(waiting, 'token')} wait for another` : ''}`;
}

function nextSaid({ next, steps, pass }: Run): string {
  if (!next) return 'nothing: every token has been through the model';
  const place = `step ${steps.indexOf(next) + 1} of ${steps.length}`;
  const begins = pass && next === steps[0] ? ', which begins another pass' : '';
  return `${next.name} (${place}${begins}): ${next.op}, ${opOf(next).formula}`;
}

function keptSaid({ trace, usage }: Run): string {
  const { entries } = trace;
  const values = entries.filter(({ hasValues }) => hasValues).length;
  const dropped = usage.dropped > 0 ? `; values of ${usage.dropped} were let go to stay within the budget` : '';
  return `statistics of ${counted(entries.length, 'tensor')}, values of ${values} (${prettyBytes(usage.bytes)})${dropped}`;
}

/** The tokens drawn last, with what the model thought of them before any stage and how they stood when drawn. */
function drawnTable({ sampled }: Run): { head: string[]; rows: string[][] } | null {
  if (sampled.length === 0) return null;
  const rows = sampled.slice(-MOST_DRAWN).map(({ piece, position, stages }) => {
    const [first, last] = [stages[0], stages.at(-1)];
    return [
      `${position}`,
      shown(piece),
      ...[first?.rank ?? '', percent(first?.probability ?? 0), percent(last?.probability ?? 0)].map(String),
    ];
  });
  const drawn = sampled.length > MOST_DRAWN ? `drawn, the last ${MOST_DRAWN}` : 'drawn';
  return { head: ['position', drawn, 'rank', 'probability', 'after the stages'], rows };
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
