/** What views share, over a session that answers when the test says so. */
import { signal } from '@preact/signals';
import { afterEach, expect, test, vi } from 'vitest';
import type { Experiment } from '../../../src/lab/inspector/experiment.ts';
import type { RunState } from '../../../src/lab/inspector/requests/move.ts';
import type { LastingConnection } from '../../../src/lab/page/inspector/connection.ts';
import { type Inspector, inspectorOver, lockOf, NOTHING } from '../../../src/lab/page/inspector/state.ts';
import { backTo, goTo, stepBack } from '../../../src/lab/page/inspector/walk.ts';
import type { Watch } from '../../../src/platform.ts';

afterEach(() => {
  vi.useRealTimers();
});

interface Asked {
  readonly name: string;
  readonly params: { readonly file?: string; readonly experiment?: Experiment; readonly move?: object };
  readonly watch: Watch;
  answer(result: unknown): void;
  fail(message: string): void;
}

/** An inspector, and what it asks, in order; nothing is answered by itself but the kind of a file. */
function inspected(): { readonly inspector: Inspector; next(): Promise<Asked> } {
  const waiting: Asked[] = [];
  const ask = (name: string, params: Asked['params'], watch: Watch = {}) => {
    if (name === 'kind') return Promise.resolve('model');
    return new Promise((answer, reject) => {
      waiting.push({ name, params, watch, answer, fail: (message) => reject(new Error(message)) });
    });
  };
  const connection = { ask, drop: async () => '', onRenewed() {} } as unknown as LastingConnection;
  return {
    inspector: inspectorOver(connection, signal('light')),
    async next() {
      await expect.poll(() => waiting.length).toBeGreaterThan(0);
      return waiting.shift() as Asked;
    },
  };
}

const experimentOf = (file: string): Experiment => ({ file, backend: 'reference', text: '', faults: [], changes: [] });
const NAMES = ['embd', 'attn_norm-0', 'Qcur-0'];
const model = { config: { nLayer: 1, nHead: 2 }, steps: NAMES.map((name) => ({ name, layer: null })) };

/** A run over two tokens that has computed so many steps. */
function stateOf(count: number): RunState {
  const rows = NAMES.slice(0, count).map((name) => ({ name, pass: 0 }) as RunState['rows'][number]);
  const tokens = [1, 2].map((id) => ({ id, piece: `${id}` }));
  return {
    tokens,
    drawn: 0,
    at: rows.at(-1)?.name ?? null,
    next: NAMES[count] ?? null,
    passes: 1,
    rows,
    stopped: null,
  };
}

async function begun(count: number) {
  const { inspector, next } = inspected();
  const done = inspector.begin(experimentOf('a.gguf'));
  (await next()).answer(model);
  (await next()).answer(stateOf(count));
  await done;
  return { inspector, next };
}

test('an experiment is shown once it has run, and work is told meanwhile', async () => {
  const { inspector, next } = inspected();
  const done = inspector.begin(experimentOf('a.gguf'));
  expect(inspector.working.value?.says).toBe('opening a.gguf');
  (await next()).answer(model);
  const move = await next();
  move.watch.onProgress?.({ task: 'running', item: 'embd', done: 1, total: 4, unit: 'steps' });
  expect(inspector.working.value).toMatchObject({ says: 'running: embd', share: 0.25 });
  expect(inspector.experiment.value).toBeNull();
  move.answer(stateOf(3));
  await done;
  expect(inspector.working.value).toBeNull();
  expect(inspector.experiment.value?.file).toBe('a.gguf');
  expect(inspector.run.value?.at).toBe('Qcur-0');
});

test('of two experiments begun one after the other the second is shown, whichever is answered first', async () => {
  const { inspector, next } = inspected();
  const first = inspector.begin(experimentOf('slow.gguf'));
  const open = await next();
  const second = inspector.begin(experimentOf('fast.gguf'));
  expect(open.watch.signal?.aborted).toBe(true);
  (await next()).answer(model);
  (await next()).answer(stateOf(1));
  await second;
  open.fail('Cannot open slow.gguf: interrupted');
  await first;
  expect(inspector.experiment.value?.file).toBe('fast.gguf');
  expect(inspector.failure.value).toBeNull();
});

test('a move of the experiment before is not shown as a move of this one', async () => {
  const { inspector, next } = await begun(1);
  const moved = inspector.move({ to: 'step' });
  const late = await next();
  const done = inspector.begin(experimentOf('b.gguf'));
  (await next()).answer(model);
  (await next()).answer(stateOf(3));
  await done;
  late.answer(stateOf(2));
  await moved;
  expect(inspector.run.value?.at).toBe('Qcur-0');
});

test('a failure is shown and leaves everything as it was', async () => {
  const { inspector, next } = await begun(2);
  const done = inspector.begin(experimentOf('broken.gguf'));
  (await next()).fail('Cannot read broken.gguf: it is cut off');
  await done;
  expect(inspector.failure.value).toBe('Cannot read broken.gguf: it is cut off');
  expect(inspector.experiment.value?.file).toBe('a.gguf');
  expect(inspector.working.value).toBeNull();
});

test('of a choice what is not in another model or text goes', async () => {
  const { inspector, next } = await begun(2);
  inspector.locked.value = { step: 'Kcur-9', pass: 4, token: 1, key: 2, layer: 0, head: 2 };
  const done = inspector.begin(experimentOf('b.gguf'));
  (await next()).answer(model);
  (await next()).answer(stateOf(2));
  await done;
  expect(inspector.locked.value).toEqual({ ...NOTHING, token: 1, layer: 0 });
});

test('what is hovered wins over what is locked, and a click ends it', async () => {
  const { inspector } = await begun(3);
  lockOf(inspector, { token: 1 });
  inspector.hovered.value = { token: 0 };
  expect(inspector.choice.value.token).toBe(0);
  lockOf(inspector, { layer: 0 });
  expect(inspector.choice.value).toMatchObject({ token: 1, layer: 0 });
});

test('what the pointer is on is asked for once it rests there, what a click, a key or a link chose at once', async () => {
  const { inspector } = await begun(3);
  vi.useFakeTimers();
  const { hovered, rested } = inspector;
  hovered.value = { step: 'embd' };
  vi.advanceTimersByTime(100);
  hovered.value = { step: 'Qcur-0' };
  vi.advanceTimersByTime(100);
  expect(rested.value.step).toBeNull();
  vi.advanceTimersByTime(20);
  expect(rested.value.step).toBe('Qcur-0');
  lockOf(inspector, { step: 'attn_norm-0' });
  expect(rested.value.step).toBe('attn_norm-0');
  hovered.value = { step: 'embd' };
  lockOf(inspector, { step: 'embd' });
  expect(rested.value.step).toBe('embd');
  inspector.locked.value = { ...NOTHING, step: 'Qcur-0' };
  expect(rested.value.step).toBe('Qcur-0');
  // What the pointer was on before a click does not come back.
  vi.advanceTimersByTime(1000);
  expect(rested.value.step).toBe('Qcur-0');
});

test('what was clicked stays asked for while the pointer goes from one thing to the next', async () => {
  const { inspector } = await begun(3);
  lockOf(inspector, { step: 'embd' });
  vi.useFakeTimers();
  inspector.hovered.value = { step: 'Qcur-0' };
  inspector.hovered.value = null;
  inspector.hovered.value = { step: 'attn_norm-0' };
  vi.advanceTimersByTime(120);
  expect(inspector.rested.value.step).toBe('attn_norm-0');
  inspector.hovered.value = null;
  vi.advanceTimersByTime(120);
  expect(inspector.rested.value.step).toBe('embd');
});

test('a step that was computed is looked at without a move; one that was not is run to', async () => {
  const { inspector, next } = await begun(2);
  await goTo(inspector, 'embd');
  expect(inspector.locked.value.step).toBe('embd');
  const done = goTo(inspector, 'Qcur-0');
  const asked = await next();
  expect(asked.params.move).toEqual({ after: 'Qcur-0' });
  asked.answer(stateOf(3));
  await done;
  expect(inspector.run.value?.at).toBe('Qcur-0');
});

test('back goes to just behind the step before, and nowhere from the first', async () => {
  const { inspector, next } = await begun(2);
  const done = stepBack(inspector)?.();
  const asked = await next();
  expect(asked.params.move).toEqual({ after: 'embd' });
  asked.answer(stateOf(1));
  await done;
  expect(stepBack(inspector)).toBeNull();
  const again = backTo(inspector, 'embd');
  (await next()).answer(stateOf(1));
  await again;
  expect(inspector.locked.value.step).toBe('embd');
});
