/**
 * Every fault of the steps × every probe × the shipped model and one of odd sizes × all of it, a layer, a head, a head of a layer ×
 * each choice that the fault has: `compare` names the first tensor, and the head where it has one; where a probe cannot reveal a
 * fault, no bit differs, and the eliminator says why.
 *
 * A slice in which every two properties meet by default, all of them with LAYERSCOPE_FULL=1.
 */
import { describe, expect, test } from 'vitest';
import { compare } from '../../src/compare/compare.ts';
import { eliminate } from '../../src/compare/eliminator.ts';
import { fault } from '../../src/engine/faults/index.ts';
import { siteOf } from '../../src/engine/faults/put.ts';
import type { Model } from '../../src/engine/model.ts';
import { type Cell, cellsOf, modelOf, onPage, type Shown, shownBy, sliceOf } from './fault_table.ts';

const isFull = process.env.LAYERSCOPE_FULL === '1';

/** What these change can be as small as rounding, or nothing. */
const SMALL: ReadonlySet<string> = new Set(['norm-eps', 'softmax-without-max']);
/** So it can where the first head or layer that has them gives almost all its weight to one key, as some of the shipped model do. */
const LEAKS: ReadonlySet<string> = new Set(['no-causal-mask', 'mask-off-by-one']);
const SATURATED: ReadonlySet<string> = new Set(['attention-scale-missing', 'attention-scale-wrong', ...LEAKS]);
const canBeSmall = ({ found: { name }, home, reach }: Cell) =>
  SMALL.has(name) || (SATURATED.has(name) && home === 'shipped' && reach !== 'all of it');

const all = cellsOf();
const cells = (isFull ? all : sliceOf(all, 5)).map((cell): [string, Cell] => {
  const { found, home, probe, params } = cell;
  return [`${found.name} ${JSON.stringify(params)}, ${home} model, ${probe}`, cell];
});

/** Texts that a probe of ids becomes where a fault acts on text. */
const TEXTS: readonly (readonly [probe: string, text: string, more: readonly number[]])[] = [
  ['one word', 'Lily', []],
  ['prefill', 'Lily gave the ball to Tom. Tom thanked', []],
  ['prefill + decode', 'Lily gave the ball to Tom. Tom thanked', [410]],
];

describe.each(['bos-missing', 'bos-doubled', 'wrong-chat-template'])('%s', (name) => {
  test.each(TEXTS)(
    '%s: compare refuses other tokens, and where they are allowed the first tensor is embd',
    async (_, text, more) => {
      const model = await modelOf('shipped');
      const runOver = async (of: Model) => {
        const run = await of.start(text, { chat: name === 'wrong-chat-template' }).toEnd();
        return more.length > 0 ? (await run.append(more)).toEnd() : run;
      };
      const [faulty, healthy] = [await runOver(model.with(fault(name))), await runOver(model)];
      const refused = await compare(faulty, healthy);
      expect(refused.verdict).toBe('refused');
      expect(refused.refused.map(({ kind }) => kind)).toContain(/^bos/.test(name) ? 'bos' : 'tokens');
      expect(eliminate(refused).remaining.map((each) => each.fault)).toContain(name);
      const allowed = await compare(faulty, healthy, { allow: refused.refused.map(({ kind }) => kind), cause: false });
      expect(allowed.tensors.find(({ status }) => status === 'beyond')?.name).toBe('embd');
      expect(eliminate(allowed).remaining.map((each) => each.fault)).toContain(name);
    },
  );
});

test('the table has every fault of the steps, with every probe', () => {
  expect(new Set(all.map(({ found, probe }) => `${found.name} ${probe}`)).size).toBe(45 * 5);
});

describe('every fault and every probe', () => {
  test.each(cells)('%s', async (_, cell) => {
    const shown = await shownBy(cell);
    if (!shown.first) await holdsHidden(cell, shown);
    else {
      await holdsBits(cell, shown);
      await holdsNamed(cell, shown);
    }
    shown.faulty.close();
  });
});

const comparisonOf = ({ model, faulty, healthy }: Shown, mode: 'tolerance' | 'exact') =>
  compare(faulty, healthy, { model, mode, cause: false, f64: false });

/** The one head that is faulty; null where the first tensor has no such. */
function headOf({ params: { head } }: Cell, { faulty, first }: Shown): unknown {
  const step = faulty.model.steps.find(({ name }) => name === first?.name);
  return step?.op === 'one_head' ? head : null;
}

/** No bit differs: the page knows, the two agree, and the eliminator keeps the fault and says why this run could not show it. */
async function holdsHidden(cell: Cell, shown: Shown): Promise<void> {
  const { found } = cell;
  const isSmall = SMALL.has(found.name);
  if (!isSmall) expect(found.shows[onPage(cell)]).toBe('no effect');
  const comparison = await comparisonOf(shown, 'tolerance');
  expect(comparison.verdict).toBe('agree');
  expect(new Set(comparison.tensors.map(({ status }) => status))).toEqual(new Set(['equal']));
  expect(comparison.logits?.map(({ kl }) => kl)).toEqual(comparison.logits?.map(() => 0));
  const says = eliminate(comparison).remaining.find((each) => each.fault === found.name)?.reason;
  if (isSmall)
    expect(says).toMatch(/may lie within the tolerance|no more than rounding|^This run could not have shown it/);
  else expect(says).toMatch(/^This run could not have shown it: /);
}

/** The first bit that differs is where the page says, and `compare` finds it there in exact mode. */
async function holdsBits(cell: Cell, shown: Shown): Promise<void> {
  const { found, params } = cell;
  const { first, broken, model } = shown;
  const site = siteOf(found.name, fault(found.name, params).params, model.config, () => undefined);
  // What changes nothing before numbers overflow begins where they do.
  if (first !== broken || !SMALL.has(found.name)) expect(first?.name).toBe(found.firstTensor(site, onPage(cell)));
  const { firstDivergence } = await comparisonOf(shown, 'exact');
  expect(firstDivergence).toMatchObject({ name: first?.name, pass: first?.pass });
  const head = headOf(cell, shown);
  if (head !== null) expect(firstDivergence?.head).toBe(head);
}

/**
 * So it does beside the tolerances, where what the fault changes is no rounding; and the eliminator ranks the fault with what
 * begins there. Where it is as small as rounding the eliminator keeps it.
 */
async function holdsNamed(cell: Cell, shown: Shown): Promise<void> {
  const { found } = cell;
  const first = (SMALL.has(found.name) && shown.broken) || shown.first;
  const comparison = await comparisonOf(shown, 'tolerance');
  const { firstDivergence, tensors, verdict, logits } = comparison;
  const there = tensors.find(({ name, pass }) => name === first?.name && pass === first.pass);
  const says = eliminate(comparison).remaining.find((each) => each.fault === found.name)?.reason;
  const head = headOf(cell, shown);
  if (found.name === 'f16-accumulation') {
    expect(verdict).toBe('precision');
    expect(tensors.find(({ isolation }) => isolation?.outcome === 'precision')).toBe(there);
    expect(there?.isolation?.explained?.name).toBe('sums of products kept in f16');
    expect(says).toBeDefined();
  } else if (there?.status === 'beyond') {
    expect(firstDivergence).toMatchObject({ name: first?.name, pass: first?.pass });
    if (head !== null) expect(firstDivergence?.head).toBe(head);
    expect(says).toBe(`It begins at ${first?.name}, which is the first to part`);
  } else {
    expect(canBeSmall(cell), comparison.summary).toBe(true);
    if (there?.status === 'equal') return expect(LEAKS.has(found.name)).toBe(true);
    if (!firstDivergence) for (const { kl } of logits ?? []) expect(kl).toBeLessThan(1e-6);
    else expect(firstDivergence.name.replace(/-\d+$/, '')).toBe(first?.name.replace(/-\d+$/, ''));
    if (firstDivergence && head !== null) expect(firstDivergence.head).toBe(head);
    expect(says).toBeDefined();
  }
}
