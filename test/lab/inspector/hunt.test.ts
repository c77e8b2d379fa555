import { afterAll, expect, test } from 'vitest';
import { faults } from '../../../src/engine/faults/index.ts';
import type { Experiment, HuntSpec } from '../../../src/lab/inspector/experiment.ts';
import { compare } from '../../../src/lab/inspector/requests/compare.ts';
import { hunt } from '../../../src/lab/inspector/requests/hunt.ts';
import { move } from '../../../src/lab/inspector/requests/move.ts';
import { step } from '../../../src/lab/inspector/requests/step.ts';
import { suspect } from '../../../src/lab/inspector/requests/suspect.ts';
import { ask, lily, openSession } from './lab_session.ts';

const session = openSession();
afterAll(() => session.close());

const SEEDS = [0, 1, 2, 3, 4];
const hunting = (seed: number, level: HuntSpec['level'] = 'easy'): Experiment => ({ ...lily, hunt: { seed, level } });
const params = ({ file, backend, hunt }: Experiment) => ({ file, backend, hunt: hunt! });

test('an experiment of a hunt runs on the broken engine, and no answer names the fault', async () => {
  const healthy = await ask(session, move, { experiment: lily, move: { to: 'end' } });
  for (const seed of SEEDS) {
    const experiment = hunting(seed);
    const { suspects, ...begun } = await ask(session, hunt, params(experiment));
    const state = await ask(session, move, { experiment, move: { to: 'end' } });
    expect(state.rows.map(({ name }) => name)).toEqual(healthy.rows.map(({ name }) => name));
    const { drawn } = await ask(session, suspect, { ...params(experiment), fault: 'silu-zero' });
    const broken = state.rows.find(({ statistics }, i) => statistics.hash64 !== healthy.rows[i]?.statistics.hash64);
    expect(broken).toBeDefined();
    const looked = await ask(session, step, { experiment, step: broken!.name });
    expect(looked.card).toEqual((await ask(session, step, { experiment: lily, step: broken!.name })).card);
    const compared = await ask(session, compare, {
      ...{ experiment, ours: { kind: 'run' }, reference: { kind: 'healthy' } },
    });
    expect(compared).toMatchObject({ verdict: 'bug', cause: null });
    const { kernels } = looked.computing;
    const said = JSON.stringify([begun, state, { ...looked, computing: { ...looked.computing, kernels } }, compared]);
    // Ops and kernels share words with some faults; what was drawn has to be told by nothing.
    const names = faults.map(({ name }) => name).filter((name) => said.includes(name));
    expect(names, drawn.fault).toEqual([]);
  }
});

test('a text counts once, however often it is looked at, and another counts again', async () => {
  const experiment = hunting(11, 'hard');
  const texts = async () => (await ask(session, hunt, params(experiment))).texts;
  expect(await texts()).toBe(0);
  await ask(session, move, { experiment, move: { to: 'end' } });
  await ask(session, move, {
    experiment: { ...experiment, changes: [{ tensor: 'embd', how: 'zero' }] },
    move: { to: 'step' },
  });
  expect(await texts()).toBe(1);
  await ask(session, move, { experiment: { ...experiment, text: 'Once upon' }, move: { to: 'end' } });
  expect(await texts()).toBe(2);
});

test('naming what was drawn gets the points, and tells the path', async () => {
  const experiment = hunting(2);
  const missed = await ask(session, suspect, { ...params(experiment), fault: 'silu-zero' });
  const { fault, params: place } = missed.drawn;
  const found = await ask(session, suspect, { ...params(experiment), fault, ...place });
  expect(found).toMatchObject({ isFault: true, isLayer: true, isHead: true, score: expect.any(Number) });
  expect(found.score).toBeGreaterThan(missed.score);
  expect(found.lines.at(-1)).toMatch(/^Shortest path: /);
});

test('a hunt and a fault are not switched on at once', async () => {
  const experiment = { ...hunting(1), faults: [{ fault: 'silu-zero', params: {} }] };
  await expect(ask(session, move, { experiment, move: { to: 'end' } })).rejects.toThrow(
    /^Cannot switch a fault on during a hunt: /,
  );
});
