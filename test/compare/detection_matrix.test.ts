import { beforeAll, describe, expect, test } from 'vitest';
import { DetectionMatrix, detectionMatrix, type EvidenceName } from '../../src/compare/detection_matrix.ts';
import { type ProbeName, probeRuns, probeTokens } from '../../src/compare/probes.ts';
import { fault, faults, pageOf } from '../../src/engine/faults/index.ts';
import { InterruptedError, UsageError } from '../../src/errors.ts';
import { openModel } from '../../src/node/index.ts';
import type { Progress } from '../../src/platform.ts';
import { row } from '../charts/detection.ts';
import { noAdapter, openRandom, relativeRmsError } from '../engine/models.ts';

const shipped = (type: string) => new URL(`../../fixtures/lily-4m-${type}.gguf`, import.meta.url).pathname;

describe.skipIf(noAdapter)('of the shipped model on webgpu', () => {
  let matrix: DetectionMatrix;
  beforeAll(async () => {
    matrix = await detectionMatrix(await openModel(shipped('f16')), { others: [await openModel(shipped('q4_0'))] });
  }, 120_000);

  const cellOf = (name: string, probe: ProbeName) =>
    matrix.rows.find((each) => each.fault === name)?.cells.find((cell) => cell.probe === probe);

  test('every fault is in it, or left out with a reason', () => {
    const names = [...matrix.rows.map((each) => each.fault), ...matrix.leftOut.map(({ name }) => name)];
    expect(names.sort()).toEqual(faults.map(({ name }) => name).sort());
    const why = new Map(matrix.leftOut.map(({ name, why }) => [name, why]));
    expect([...why.keys()]).toEqual([
      ...['bos-missing', 'bos-doubled', 'wrong-chat-template', 'rope-scaling-ignored', 'tied-embedding-ignored'],
    ]);
    expect(why.get('bos-missing')).toContain('it changes the ids of a text');
    expect(why.get('rope-scaling-ignored')).toMatch(/^it has neither rope_freqs/);
    expect(matrix.rows.find((each) => each.fault === 'nibbles-swapped')?.model).toMatch(/q4_0/);
  });

  test('each cell shows what the fault’s page says of that probe, in the tensor that it names', () => {
    const held = matrix.rows.flatMap(({ fault: name }) => {
      const { shows } = pageOf(faults.find((each) => each.name === name)!, 6);
      return probeRuns.flatMap(({ name: probe, onPage }) => {
        const cell = cellOf(name, probe);
        return onPage && cell ? [{ name, probe, said: shows[onPage], cell }] : [];
      });
    });
    expect(held).toHaveLength(3 * matrix.rows.length);
    for (const { name, probe, said, cell } of held) {
      // The page: no effect beyond rounding unless numbers overflow, and this model's do.
      if (name === 'softmax-without-max') continue;
      expect({ name, probe, first: cell.firstTensor }).toEqual({ name, probe, first: said.firstTensor });
      // Of another eps this model's logits move by less than 1e-5.
      const effect = name === 'norm-eps' ? 'rounding' : said.effect;
      expect({ name, probe, effect: cell.effect }).toEqual({ name, probe, effect });
    }
  });

  test('where a page says that no bit differs, no evidence has a number or notices anything', () => {
    for (const { fault: name, cells } of matrix.rows) {
      for (const { effect, evidence } of cells.filter((cell) => cell.firstTensor === null)) {
        expect({ name, effect }).toEqual({ name, effect: 'no effect' });
        expect(Object.values(evidence).filter(({ noticed }) => noticed)).toEqual([]);
      }
    }
  });

  test('no RoPE fault moves an RMS at its own tensor, and each is seen by the relative RMS error', () => {
    for (const name of ['rope-pairing', 'rope-exponent-sign', 'rope-base', 'rope-dim', 'rope-missing']) {
      const { evidence } = cellOf(name, 'prefill of 8')!;
      expect(evidence.RMS.value, name).toBeLessThan(1e-6);
      expect(evidence['relative RMS error'].value, name).toBeGreaterThan(0.1);
    }
  });

  test('no sum sees a fault of the scale or of the rows of K: softmax rows sum to 1, and an order changes no sum', () => {
    for (const name of ['attention-scale-missing', 'attention-scale-wrong', 'k-rows-permuted']) {
      const { evidence } = cellOf(name, 'prefill of 8')!;
      expect([name, evidence.sum.noticed, evidence['relative RMS error'].noticed]).toEqual([name, false, true]);
    }
  });

  test('an RMS alone misses a third of what is noticed, an error where numbers overflow later only', () => {
    const missed = new Map(matrix.missed.map((each) => [each.evidence, each]));
    expect(matrix.noticed).toBeGreaterThan(170);
    expect(missed.get('RMS')!.missed / matrix.noticed).toBeGreaterThan(1 / 3);
    expect(missed.get('RMS')!.missedLarge).toBeGreaterThan(30);
    expect(missed.get('sum')!.missed).toBeGreaterThan(10);
    const overlooked = matrix.rows.flatMap(({ fault: name, cells }) =>
      cells.some(
        ({ evidence }) =>
          !evidence['relative RMS error'].noticed && Object.values(evidence).some(({ noticed }) => noticed),
      )
        ? [name]
        : [],
    );
    expect(overlooked).toEqual(['softmax-without-max']);
  });
});

describe('of a random model', () => {
  const FAULTS = ['rope-pairing', 'silu-zero', 'kv-cache-off-by-one'];

  test('its numbers are those of the two runs', async () => {
    const model = await openRandom('reference');
    const { rows, tokens } = await detectionMatrix(model, { faults: ['rope-pairing'], probes: ['prefill of 8'] });
    const [cell] = rows[0]!.cells;
    const of = async (made: typeof model) => made.start(tokens.slice(0, 8)).toEnd();
    const [healthy, faulty] = [await of(model), await of(model.with(fault('rope-pairing')))];
    const [q, wrong] = [await healthy.tensor('Qcur_rope-0'), await faulty.tensor('Qcur_rope-0')];
    const numbers = Object.fromEntries(Object.entries(cell!.evidence).map(([name, { value }]) => [name, value ?? NaN]));
    const at = (name: EvidenceName) => numbers[name]!;
    expect(cell).toMatchObject({ probe: 'prefill of 8', effect: 'seen', firstTensor: 'Qcur_rope-0' });
    expect(at('relative RMS error')).toBeCloseTo(relativeRmsError(wrong.data, q.data), 10);
    const dot = q.data.reduce((sum, x, i) => sum + x * wrong.data[i]!, 0);
    expect(at('cosine')).toBeCloseTo(1 - dot / (q.norm() * wrong.norm()), 6);
    const sumOf = ({ data }: typeof q) => data.reduce((sum, x) => sum + x, 0);
    const noise = 1e-6 * q.data.reduce((sum, x) => sum + Math.abs(x), 0);
    expect(at('sum') / (Math.abs(sumOf(wrong) - sumOf(q)) / noise)).toBeCloseTo(1, 6);
    expect(at('sum in f16')).toBeLessThan(at('sum'));
    const logits = async (run: typeof healthy) => (await run.tensor('result_output')).slice(7);
    const best = (await logits(healthy)).topK(1)[0]!.index;
    const found = await logits(faulty);
    expect(at('argmax')).toBe(found.data.filter((x) => x > found.data[best]!).length);
  });

  test('probes are the beginning of the tokens that are given, and the default ones are no BOS', async () => {
    const model = await openRandom('reference');
    const tokens = probeTokens(model);
    expect(tokens).toHaveLength(64);
    expect(tokens).not.toContain(model.tokenizer.bos);
    expect(probeRuns.map(({ passes }) => passes(tokens, 1).map(({ length }) => length))).toEqual([
      ...[[1], [2], [8], [7, 1], [64]],
    ]);
    expect(probeRuns[1]!.passes(tokens, 1)).toEqual([[1, tokens[0]]]);
  });

  test('tells how far it is, and the same call gives the same matrix', async () => {
    const model = await openRandom('reference');
    const heard: Progress[] = [];
    const make = () =>
      detectionMatrix(model, {
        faults: FAULTS,
        probes: ['one token', 'prefill of 8'],
        onProgress: (p) => heard.push(p),
      });
    const once = await make();
    expect(heard.map(({ done, total }) => [done, total])).toEqual([1, 2, 3, 4, 5, 6].map((done) => [done, 6]));
    expect(heard.at(-1)).toMatchObject({
      task: 'trying faults',
      item: 'kv-cache-off-by-one, prefill of 8',
      unit: 'runs',
    });
    expect(await make()).toEqual(once);
    expect(new DetectionMatrix(JSON.parse(JSON.stringify(once)))).toEqual(once);
  });

  test('stopped in the middle it says so, and the model gives the bits that it gave before', async () => {
    const model = await openRandom('reference');
    const hashes = async () => {
      const { trace } = await model.start([5, 6, 7]).toEnd();
      return trace.entries.map(({ statistics }) => statistics.hash64);
    };
    const before = await hashes();
    const stop = new AbortController();
    const made = detectionMatrix(model, {
      faults: FAULTS,
      signal: stop.signal,
      onProgress: ({ done }) => done === 2 && stop.abort(),
    });
    await expect(made).rejects.toThrow(InterruptedError);
    await expect(made).rejects.toThrow('Cannot finish the detection matrix: interrupted after 2 of 15 runs');
    expect(await hashes()).toEqual(before);
    expect(model.manifest([5]).transforms).toEqual([]);
  });

  test.each([
    [
      { faults: ['rope-pairng'] },
      'Cannot make fault "rope-pairng": there is none of that name; nearest are rope-pairing',
    ],
    [
      { probes: ['two tokens' as ProbeName] },
      'Cannot run probe "two tokens": there is none of that name; wanted some of "one token", ',
    ],
    [{ tokens: [5, 6] }, 'Cannot make a detection matrix of 2 tokens'],
    [{ tokens: [5, 6, 7, 8, 9, 10, 11, 300] }, '300 is not a token id'],
  ])('%j is refused', async (options, message) => {
    const made = detectionMatrix(await openRandom('reference'), options);
    await expect(made).rejects.toThrow(UsageError);
    await expect(made).rejects.toThrow(message);
  });
});

test('what one evidence misses is counted among cells that another notices', () => {
  const matrix = new DetectionMatrix({
    model: 'm.gguf',
    probes: ['one token', 'BOS + token'],
    tokens: [],
    leftOut: [],
    rows: [
      row('a', 'A', [
        ['seen', 'embd', '9* 9* 0 1* 0.5* 0 1* 0'],
        ['seen', 'embd', '0 0 0 0 1e-4* 0 0 0'],
      ]),
      row('b', 'B', [
        ['no effect', null, '– – – – – – 0 0'],
        ['rounding', 'kq-0', '0 0 0 0 1e-8 0 0 0'],
      ]),
    ],
  });
  expect(matrix).toMatchObject({ noticed: 2, blind: 1, hidden: 1 });
  const counted = matrix.missed.map(({ evidence, missed, missedLarge }) => [evidence, missed, missedLarge]);
  expect(counted).toEqual([
    ['sum', 1, 0],
    ['sum in f16', 1, 0],
    ['RMS', 2, 1],
    ['cosine', 1, 0],
    ['relative RMS error', 0, 0],
    ['last-layer RMS', 2, 1],
    ['logits KL', 1, 0],
    ['argmax', 2, 1],
  ]);
  expect(`${matrix}`).toMatch(/^Detection matrix of m\.gguf: 2 faults × 2 probes; no bit differs in 1; 2 are noticed/);
});
