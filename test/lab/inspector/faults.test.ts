import { afterAll, describe, expect, test } from 'vitest';
import { faults as all } from '../../../src/engine/faults/index.ts';
import { bits } from '../../../src/lab/inspector/requests/bits.ts';
import { faults } from '../../../src/lab/inspector/requests/faults.ts';
import { spread } from '../../../src/lab/inspector/requests/spread.ts';
import { ask, lily, openSession } from './lab_session.ts';

const session = openSession();
afterAll(() => session.close());

test('every fault has its page in two languages, and why a model cannot have it', async () => {
  const cards = await ask(session, faults, lily);
  expect(cards.map(({ name }) => name)).toEqual(all.map(({ name }) => name));
  for (const { title, ja, shows } of cards) {
    expect(title).not.toBe('');
    expect(ja.title).not.toBe('');
    expect(Object.keys(shows)).toEqual(['oneToken', 'prefill', 'decode']);
  }
  const card = (name: string) => cards.find((each) => each.name === name);
  expect(card('rope-pairing')?.cannot).toBeNull();
  expect(card('nibbles-swapped')?.cannot).toMatch(/^Cannot put fault nibbles-swapped into this model: /);
  expect(card('bos-missing')?.changesTokens).toBe(true);
});

describe('a fault that is switched on', () => {
  const experiment = { ...lily, faults: [{ fault: 'no-causal-mask', params: { layer: 1 } }] };

  test('first touches the tensor that its page names, in the tokens that it lets look ahead, and goes on from there', async () => {
    const { steps, first, next, refused } = await ask(session, spread, { experiment, beside: lily });
    expect(refused).toEqual([]);
    expect(first).toEqual({ name: 'kq_soft_max-1', pass: 0 });
    const at = steps.findIndex(({ name }) => name === 'kq_soft_max-1');
    expect(steps.slice(0, at).every(({ differs, error }) => !differs && error === 0)).toBe(true);
    const out = steps.find(({ name }) => name === 'l_out-1')!;
    const last = out.byToken!.length - 1;
    expect(out.byToken!.slice(0, last).every((error) => error > 1e-3)).toBe(true);
    // The last token has none after it that it could look at.
    expect(out.byToken![last]).toBe(0);
    expect(steps.at(-1)).toMatchObject({ name: 'result_output', differs: true });
    expect(next).toMatchObject({ kl: expect.any(Number) });
  });

  test('leaves the model as it was: a new run without it has the bits of the run beside', async () => {
    const { besideBits } = await ask(session, spread, { experiment, beside: lily });
    expect(Object.keys(besideBits).length).toBeGreaterThan(100);
    expect(await ask(session, bits, { experiment: lily })).toEqual(besideBits);
    expect(await ask(session, bits, { experiment })).not.toEqual(besideBits);
  });
});

test('a fault of the tokens has no steps to lay beside, and says so', async () => {
  const experiment = { ...lily, faults: [{ fault: 'bos-doubled', params: {} }] };
  const { steps, refused } = await ask(session, spread, { experiment, beside: lily });
  expect(steps).toEqual([]);
  expect(refused[0]?.kind).toMatch(/^(tokens|bos)$/);
});

test.each([
  ['rope-pairing', { layer: 99 }, /^Cannot put fault rope-pairing into layer 99: the model has layers 0 to 5/],
  ['rope-base', { base: -1 }, /^Cannot make fault rope-base: its parameter base is -1; wanted a positive number/],
])('%s with %o is refused and the cure is said', async (fault, params, message) => {
  const experiment = { ...lily, faults: [{ fault, params }] };
  await expect(ask(session, spread, { experiment, beside: lily })).rejects.toThrow(message);
});
