import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { InterruptedError } from '../../../src/errors.ts';
import { comparisonOf } from '../../../src/lab/inspector/comparisons.ts';
import type { Experiment } from '../../../src/lab/inspector/experiment.ts';
import { against } from '../../../src/lab/inspector/requests/against.ts';
import { compare } from '../../../src/lab/inspector/requests/compare.ts';
import { comparisonCharts } from '../../../src/lab/inspector/requests/comparison_charts.ts';
import { eliminate } from '../../../src/lab/inspector/requests/eliminate.ts';
import { heatmap, NOTHING } from '../../../src/lab/inspector/requests/heatmap.ts';
import type { Sides } from '../../../src/lab/inspector/sides.ts';
import { oracleAvailable } from '../../../src/oracle/index.ts';
import { ask, lily, openSession } from './lab_session.ts';

const folder = mkdtempSync(join(tmpdir(), 'layerscope-comparisons-'));
const session = openSession();
afterAll(async () => {
  await session.close();
  rmSync(folder, { recursive: true });
});

const faulty: Experiment = { ...lily, faults: [{ fault: 'rope-pairing', params: { layer: 2 } }] };
const beside = (reference: Sides['reference'], experiment = faulty): Sides => ({
  ...{ experiment, ours: { kind: 'run' }, reference },
});

describe('a fault against the healthy model', () => {
  const sides = beside({ kind: 'healthy' });

  test('is named as the cause at the tensor where it was made', async () => {
    const view = await ask(session, compare, sides);
    expect(view.verdict).toBe('bug');
    expect(view.firstDivergence).toMatchObject({ name: 'Qcur_rope-2', layer: 2 });
    expect(view.cause).toMatchObject({ fault: 'rope-pairing', certainty: 'named' });
    expect(view.headline).toMatch(/^Bug: /);
    expect(view.reference.label).toBe('lily-4m-f16.gguf without faults and changes');
    expect(view.sections.map(({ label }) => label)).toEqual(expect.arrayContaining(['Where', 'Origin', 'Next']));
    expect(view.sections.every(({ table }) => table === undefined)).toBe(true);
    expect(view.sections.map(({ label }) => label)).not.toContain('Suspects');
  });

  test('is made once, however often it is asked for', async () => {
    expect(await comparisonOf(session, sides)).toBe(await comparisonOf(session, { ...sides }));
  });

  test('is made to its end for who still waits, when who began it goes away', async () => {
    const alone = openSession();
    const controller = new AbortController();
    let second: ReturnType<typeof comparisonOf> | undefined;
    const onProgress = () => {
      second ??= comparisonOf(alone, sides);
      // Once the second has joined.
      setImmediate(() => controller.abort());
    };
    const first = comparisonOf(alone, sides, { signal: controller.signal, onProgress });
    await expect(first).rejects.toThrow(InterruptedError);
    expect((await second)?.comparison.verdict).toBe('bug');
    await alone.close();
  });

  test('is drawn element by element: the worst one is where the comparison says, with both values', async () => {
    const { tensors } = await ask(session, compare, sides);
    const { worst, shape } = tensors.find(({ name }) => name === 'Qcur_rope-2')!;
    const drawn = await ask(session, heatmap, { sides, name: 'Qcur_rope-2', pass: 0, head: worst!.head! });
    expect(drawn).toMatchObject({ head: worst!.head, block: { rows: 1, columns: 1 }, height: shape[0] });
    const [token, , dim] = worst!.index as [number, number, number];
    const at = token * drawn.width + dim;
    expect([drawn.ours[at], drawn.reference[at]]).toEqual([worst!.ours, worst!.reference]);
    expect([drawn.atRow[at], drawn.atColumn[at]]).toEqual([token, dim]);
  });

  test('is drawn without what attention masks', async () => {
    const drawn = await ask(session, heatmap, { sides, name: 'kq_soft_max-2', pass: 0, head: 1 });
    expect(drawn.rows).toMatchObject({ what: 'token', first: 0 });
    for (let row = 0; row < drawn.height; row++) {
      for (let key = 0; key < drawn.width; key++) {
        expect(drawn.atRow[row * drawn.width + key] === NOTHING).toBe(key > row);
      }
    }
  });

  test('has charts of its error, of both sides’ RMS and of where a head looks', async () => {
    const charts = await ask(session, comparisonCharts, sides);
    expect(charts.length).toBeGreaterThanOrEqual(3);
    for (const { description } of charts) expect(description).toEqual(expect.any(String));
  });

  test('leaves the named fault alone of all', async () => {
    const { remaining, ruledOut, next } = await ask(session, eliminate, sides);
    expect(remaining.map(({ fault }) => fault)).toEqual(['rope-pairing']);
    expect(ruledOut.length).toBeGreaterThan(40);
    expect(next).toBeNull();
  });
});

test('a fault of the tokens is refused, and the cure is said', async () => {
  const view = await ask(
    session,
    compare,
    beside({ kind: 'healthy' }, { ...lily, faults: [{ fault: 'bos-missing', params: {} }] }),
  );
  expect(view.verdict).toBe('refused');
  expect(view.tensors).toEqual([]);
  expect(view.refused[0]).toMatchObject({ kind: 'bos', says: expect.stringMatching(/BOS/) });
});

test('what a prompt of one token leaves open names a probe, whose tokens run on both sides', async () => {
  const one = { ...lily, tokens: [5], bos: false };
  const sides = beside({ kind: 'healthy' }, one);
  const { next, remaining } = await ask(session, eliminate, sides);
  expect(remaining.length).toBeGreaterThan(10);
  const passes = next!.passes!;
  expect(passes.flat().length).toBeGreaterThan(1);
  const probed = await ask(session, compare, { ...sides, passes });
  expect(probed.verdict).toBe('agree');
  expect(probed.ours.manifest.tokens).toEqual(passes.flat());
  const left = await ask(session, eliminate, { ...sides, passes });
  expect(left.remaining.length).toBeLessThan(remaining.length);
});

describe('files', () => {
  const path = join(folder, 'faulty.arrow');
  const healthy = join(folder, 'healthy.arrow');
  test('a trace in a file is compared with the run, two traces with each other', async () => {
    const run = await (await session.engine(faulty)).start(lily.text).toEnd();
    await run.trace.writeArrow(path);
    const plain = await (await session.engine(lily)).start(lily.text).toEnd();
    await plain.trace.writeArrow(healthy);
    for (const each of [run, plain]) each.close();
    const view = await ask(session, compare, {
      ...{ experiment: lily, ours: { kind: 'file', file: path }, reference: { kind: 'run' } },
    });
    expect(view).toMatchObject({ verdict: 'bug', ours: { label: path }, cause: { fault: 'rope-pairing' } });
    const both = await ask(session, compare, {
      ...{ experiment: { ...lily, file: path }, ours: { kind: 'run' }, reference: { kind: 'file', file: healthy } },
    });
    expect(both).toMatchObject({ verdict: 'bug', firstDivergence: { name: 'Qcur_rope-2' } });
  });

  test('a dump of another program is read where the host reads them, else the cure is said', async () => {
    const { experiment, ours } = beside({ kind: 'healthy' });
    const dump = 'fixtures/dumps/none.npz';
    await expect(ask(session, compare, { experiment, ours, reference: { kind: 'file', file: dump } })).rejects.toThrow(
      /none\.npz/,
    );
    const alone = openSession({ readDump: undefined, openDump: undefined });
    const gguf = { kind: 'file', file: lily.file } as const;
    await expect(ask(alone, compare, { experiment, ours, reference: gguf })).rejects.toThrow(
      /reads \.arrow traces alone/,
    );
    await alone.close();
  });
});

test('a lab says what it can compare with, and refuses what it has not', async () => {
  const alone = openSession({ llamaCpp: null, readDump: undefined, openDump: undefined });
  expect(await ask(alone, against, {})).toEqual({ llamaCpp: false, dumps: false });
  await expect(ask(alone, compare, beside({ kind: 'llama.cpp' }))).rejects.toThrow(
    /^Cannot compare with llama\.cpp: there is none here; /,
  );
  await alone.close();
});

const missing = oracleAvailable();
describe.skipIf(missing !== null)(`beside llama.cpp${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  test('our run of an F16 file differs by known rounding and nothing else', async () => {
    const view = await ask(session, compare, beside({ kind: 'llama.cpp' }, lily));
    expect(view.reference.label).toBe('llama.cpp');
    expect(view.verdict).toMatch(/^(agree|noise|precision)$/);
    expect(view.firstDivergence).toBeNull();
  });

  test('on the F32 twin of a quantised model it agrees with us, as it rounds no activations there', async () => {
    const quantised = { ...lily, file: 'fixtures/lily-4m-q8_0.gguf', text: 'Lily gave' };
    const view = await ask(session, compare, beside({ kind: 'llama.cpp-f32' }, quantised));
    expect(view.reference.label).toBe('llama.cpp on the F32 twin');
    expect(view.verdict).toMatch(/^(agree|noise)$/);
  });

  test('a fault is found against it', async () => {
    const view = await ask(session, compare, beside({ kind: 'llama.cpp' }));
    expect(view).toMatchObject({ verdict: 'bug', firstDivergence: { name: 'Qcur_rope-2' } });
    expect(view.cause?.fault).toBe('rope-pairing');
  });
});

test('the f64 reference agrees with the run', async () => {
  const view = await ask(session, compare, beside({ kind: 'f64' }, lily));
  expect(view).toMatchObject({ verdict: 'agree', reference: { label: 'lily-4m-f16.gguf in f64' } });
});
