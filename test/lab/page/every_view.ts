/**
 * The inspector's 13 views, in an order in which each can be clicked after the one before: what has to be clicked until it shows
 * something, what its numbers are by an engine of the test's own, and what of them it says.
 */
import { tableFromIPC } from 'apache-arrow';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { short } from '../../../src/charts/chart.ts';
import { errorText } from '../../../src/compare/report/tensor_table.ts';
import type { Transform } from '../../../src/engine/transforms/transform.ts';
import { attribution, bugHunt, change, fault, lens, type Run, type Tensor } from '../../../src/node/index.ts';
import { threeDigits } from '../../../src/trace/plain_text.ts';
import { statisticsOf } from '../../../src/trace/statistics.ts';
import { shown } from '../../../src/trace/token_label.ts';

/** Locked on top for all of them. */
export const TOKEN = 8;
/** Chosen in the attention of one head, and looked at by the views after it. */
const [LAYER, HEAD, KEY] = [2, 4, 6];
const SEED = 5;

/** The tensors of an Arrow file by name. */
export class Numbers extends Map<string, Float32Array> {
  of(name: string): Float32Array {
    const found = this.get(name);
    if (found) return found;
    throw new Error(`Cannot find ${name} in the saved file: it holds ${[...this.keys()].join(', ')}`);
  }
}

export interface VisitedView {
  /** In links, and in `data-view`. */
  readonly id: string;
  /** On its tab. */
  readonly title: string;
  /** Clicks what it takes. */
  readonly prepare?: (page: Page) => Promise<void>;
  /** Holds the numbers of its file against a healthy run of the same text at its end; gives what of them the view says. */
  readonly agrees: (file: Numbers, run: Run) => Promise<readonly string[]>;
  /** How many marks its drawing has at least, where not 20: a heatmap is one. */
  readonly marks?: number;
  /** What the copied cell says, beside the titles of the view's charts. */
  readonly inCell?: RegExp;
}

/** As any reader of Arrow files has them. */
export function numbersIn(bytes: Uint8Array): Numbers {
  const table = tableFromIPC(bytes);
  const [names, values] = [table.getChild('name'), table.getChild('values')];
  const numbers = new Numbers();
  for (let row = 0; row < table.numRows; row++) {
    const found = values?.get(row);
    if (found) numbers.set(names?.get(row), found.toArray());
  }
  return numbers;
}

/** ‖a − b‖ / ‖b‖ */
function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] as number) - (b[i] as number)) ** 2;
    size += (b[i] as number) ** 2;
  }
  return Math.sqrt(difference / size);
}

/** What two runs of one model may differ by from end to end. */
const END_TO_END = 1e-5;

/** That the file holds these tensors of the run. */
async function holds(file: Numbers, run: Run, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const { data } = await run.tensor(name);
    expect(file.of(name), name).toHaveLength(data.length);
    expect(apart(file.of(name), data), name).toBeLessThan(END_TO_END);
  }
}

/** The likeliest token after the chosen one. */
async function likeliest(run: Run): Promise<{ index: number; value: number; piece: string }> {
  const [best] = (await run.tensor('result_output')).slice(TOKEN).topK(1) as [{ index: number; value: number }];
  return { ...best, piece: shown(run.model.tokenizer.piece(best.index)) };
}

/** The same text on the model with something put into it. */
const beside = (run: Run, ...transforms: readonly Transform[]): Promise<Run> =>
  run.model
    .with(...transforms)
    .start(run.tokens)
    .toEnd();

const inView = (page: Page, id: string) => page.locator(`[data-view="${id}"]`);
const press = (page: Page, name: string) => page.locator('.view').getByRole('button', { name, exact: true }).click();

/** Of a run without faults and changes. */
const healthyViews: readonly VisitedView[] = [
  {
    id: 'step',
    title: 'Step',
    async agrees(file, run) {
      await holds(file, run, 'Kcur-3');
      const { rms, mean } = statisticsOf((await run.tensor('Kcur-3')).data);
      return [threeDigits(rms), threeDigits(mean)];
    },
    inCell: /Kcur-3/,
  },
  {
    id: 'attention',
    title: 'Attention',
    async prepare(page) {
      await inView(page, 'attention').getByRole('combobox', { name: 'Layer' }).selectOption(`${LAYER}`);
      await inView(page, 'attention').getByRole('combobox', { name: 'Head' }).selectOption(`${HEAD}`);
      await page.locator('.chart', { hasText: `Where head ${HEAD} of layer ${LAYER} looks` }).waitFor();
    },
    async agrees(file, run) {
      await holds(file, run, `kq_soft_max-${LAYER}`);
      const shares = (await run.tensor(`kq_soft_max-${LAYER}`)).slice(HEAD, TOKEN);
      const most = Math.max(...shares.data);
      return [`Where head ${HEAD} of layer ${LAYER} looks`, `${(100 * most).toFixed(0)} %`];
    },
  },
  {
    id: 'heads',
    title: 'All heads',
    async agrees(file, run) {
      await holds(file, run, 'kq_soft_max-0', 'kq_soft_max-5');
      return ['Where the 48 heads of 6 layers look'];
    },
  },
  {
    id: 'qk',
    title: 'Query × key',
    async prepare(page) {
      await inView(page, 'qk').locator('.shares button').nth(KEY).click();
      await page.locator('.chart', { hasText: `gives ${KEY} ` }).waitFor();
    },
    async agrees(file, run) {
      const query = (await run.tensor(`Qcur_rope-${LAYER}`)).slice(TOKEN, HEAD);
      expect(apart(file.of(`q of layer ${LAYER} head ${HEAD} token ${TOKEN}`), query.data)).toBeLessThan(END_TO_END);
      const products = file.of(`q · k of layer ${LAYER} head ${HEAD} tokens ${TOKEN} and ${KEY}`);
      const score = (await run.tensor(`kq-${LAYER}`)).at(HEAD, TOKEN, KEY);
      const size = products.reduce((sum, product) => sum + Math.abs(product), 0);
      const sum = products.reduce((sum, product) => sum + product, 0);
      expect(Math.abs(sum - score)).toBeLessThan(END_TO_END * size);
      return [`is ${short(score)}; times`];
    },
  },
  {
    id: 'next',
    title: 'Next token',
    async agrees(file, run) {
      await holds(file, run, 'result_output');
      return ['What may follow 8', (await likeliest(run)).piece];
    },
  },
  {
    id: 'lens',
    title: 'Logit lens',
    async agrees(file, run) {
      const seen = await beside(run, lens());
      await holds(file, seen, 'lens_probabilities-0', 'lens_entropy-3', 'lens_probabilities-5');
      const { index, piece } = await likeliest(run);
      const perToken = file.of('lens_ids-5').length / run.tokens.length;
      expect(file.of('lens_ids-5')[TOKEN * perToken]).toBe(index);
      return [piece];
    },
  },
  {
    id: 'rank',
    title: 'Ranks',
    async agrees(file, run) {
      await holds(file, await beside(run, lens()), 'lens_values-1', 'lens_values-5');
      return ['How candidates after 8', (await likeliest(run)).piece];
    },
  },
  {
    id: 'attribution',
    title: 'Attribution',
    async agrees(file, run) {
      const { index, value, piece } = await likeliest(run);
      await holds(file, await beside(run, attribution({ token: index })), 'attribution_embd', 'attribution_heads-2');
      const isPart = (name: string) => /^attribution_(embd|attn-\d+|ffn-\d+)$/.test(name);
      const parts = [...file].flatMap(([name, data]) => (isPart(name) ? (data[TOKEN] as number) : []));
      expect(parts).toHaveLength(13);
      const rms = file.of('attribution_rms')[TOKEN] ?? 0;
      const size = parts.reduce((sum, part) => sum + Math.abs(part / rms), 0);
      expect(Math.abs(parts.reduce((sum, part) => sum + part / rms, 0) - value)).toBeLessThan(END_TO_END * size);
      return [`What speaks for ${piece} after 8`];
    },
  },
  {
    id: 'growth',
    title: 'Growth',
    async agrees(file, run) {
      await holds(file, run, 'attn_out-0', 'ffn_out-3', 'l_out-5');
      return ['How the residual stream grows from layer to layer'];
    },
  },
  {
    id: 'edit',
    title: 'Edit',
    async prepare(page) {
      await inView(page, 'edit').getByRole('combobox', { name: 'Tensor' }).selectOption('kqv_out-4');
      await press(page, 'Change it');
      await inView(page, 'edit').locator('.chart').nth(2).waitFor();
    },
    async agrees(file, run) {
      const changed = await beside(run, change('kqv_out-4', { how: 'zero', head: HEAD, token: TOKEN }));
      for (const name of ['attn_out-4', 'l_out-5']) {
        const wanted = apart((await changed.tensor(name)).data, (await run.tensor(name)).data);
        expect(wanted).toBeGreaterThan(0);
        expect((file.of(`relative RMS difference of ${name}`)[0] ?? 0) / wanted, name).toBeCloseTo(1, 3);
      }
      return [`kqv_out-4, head ${HEAD}, at ${TOKEN}`, 'changed from here: kqv_out-4'];
    },
  },
];

/** A fault is switched on in it. */
const FAULT = { name: 'rope-pairing', params: { layer: 2 } } as const;
const FIRST_TOUCHED = 'Qcur_rope-2';

/** The tensor that the fault touches first, by both engines. */
async function touched(run: Run): Promise<{ faulty: Tensor; healthy: Tensor; at: number }> {
  const broken = await beside(run, fault(FAULT.name, FAULT.params));
  const [faulty, healthy] = [await broken.tensor(FIRST_TOUCHED), await run.tensor(FIRST_TOUCHED)];
  return { faulty, healthy, at: run.trace.names.indexOf(FIRST_TOUCHED) };
}

const faultsView: VisitedView = {
  id: 'faults',
  title: 'Faults',
  async prepare(page) {
    await page.locator(`[data-fault="${FAULT.name}"]`).click();
    await page.locator('.fault-page').getByLabel('layer').fill(`${FAULT.params.layer}`);
    await press(page, 'Switch on and watch');
    await page.locator('.drawn svg').waitFor({ timeout: 60_000 });
    await press(page, 'Jump there');
    await page.locator('.drawn svg').focus();
    await page.keyboard.press('ArrowRight');
    await page.locator('[data-step="Kcur_rope-2"][aria-selected="true"]').waitFor();
  },
  async agrees(file, run) {
    const { faulty, healthy, at } = await touched(run);
    const errors = file.of(`relative_rms_error ${FAULT.name}`);
    const found = errors.slice(at * run.tokens.length, (at + 1) * run.tokens.length);
    // The first token is turned by no angle, however its dimensions are paired.
    const wanted = Array.from(run.tokens, (_, token) => apart(faulty.slice(token).data, healthy.slice(token).data));
    expect(found[0]).toBe(0);
    expect(apart(found, wanted)).toBeLessThan(END_TO_END);
    expect(Math.max(...errors.slice(0, at * run.tokens.length))).toBe(0);
    return [`First touched: ${FIRST_TOUCHED}.`];
  },
  inCell: /Bug: the error is made in Qcur_rope-2/,
};

const comparisonView: VisitedView = {
  id: 'comparison',
  title: 'Comparison',
  async prepare(page) {
    await press(page, 'unchanged model');
    await page.locator('.verdict[data-verdict="bug"]').waitFor({ timeout: 90_000 });
    expect(await page.locator(`.tensor-row[data-tensor="${FIRST_TOUCHED}"]`).innerText()).toContain('⚑');
    await press(page, 'Jump there');
    await page.locator('.pair h3', { hasText: FIRST_TOUCHED }).waitFor();
    // The jump led to a token too.
    await page.locator('.token').nth(TOKEN).click();
  },
  async agrees(file, run) {
    const { faulty, healthy, at } = await touched(run);
    expect(apart(file.of(FIRST_TOUCHED), faulty.data)).toBeLessThan(END_TO_END);
    expect(apart(file.of(`${FIRST_TOUCHED} (reference)`), healthy.data)).toBeLessThan(END_TO_END);
    const error = apart(faulty.data, healthy.data);
    expect((file.of('relative_rms_error')[at] ?? 0) / error).toBeCloseTo(1, 3);
    return [`⚑ ${FIRST_TOUCHED}`, errorText(error)];
  },
  // Three heatmaps and what they are.
  marks: 6,
  inCell: /Bug: the error is made in Qcur_rope-2/,
};

const blindView: VisitedView = {
  id: 'blind',
  title: 'Blind mode',
  async prepare(page) {
    await page.getByLabel('Seed').fill(`${SEED}`);
    await press(page, 'Hide a fault');
    await page.locator('.suspects').waitFor({ timeout: 90_000 });
  },
  async agrees(file, run) {
    const hunt = await bugHunt({ model: run.model, seed: SEED });
    const broken = await (await hunt.trace(run.tokens)).tensor('result_output');
    expect(apart(file.of('result_output'), broken.data)).toBeLessThan(END_TO_END);
    const [best] = broken.slice(TOKEN).topK(1);
    return ['What may follow 8', shown(run.model.tokenizer.piece(best?.index ?? 0))];
  },
  inCell: /result_output/,
};

export const everyView: readonly VisitedView[] = [...healthyViews, faultsView, comparisonView, blindView];
