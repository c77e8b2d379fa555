import { describe, expect, test } from 'vitest';
import { type ChangeOptions, change } from '../../../src/engine/transforms/change.ts';
import { edit } from '../../../src/engine/transforms/edit.ts';
import { StepError, UsageError } from '../../../src/errors.ts';
import type { Tensor } from '../../../src/trace/tensor.ts';
import { backends, openRandom } from '../models.ts';

const TOKENS = [1, 40, 77, 105, 9];

const openedOn = (backend: 'webgpu' | 'reference', name: string, options: ChangeOptions) =>
  openRandom(backend).then((model) => model.with(change(name, options)));

/** The tensor as it is without the change and with it; what stands before it is the same in both. */
async function beforeAndAfter(
  backend: 'webgpu' | 'reference',
  name: string,
  options: ChangeOptions,
): Promise<[Tensor, Tensor]> {
  const plain = (await openRandom(backend)).start(TOKENS);
  const changed = (await openedOn(backend, name, options)).start(TOKENS);
  return [await (await plain.to(name)).tensor(name), await (await changed.to(name)).tensor(name)];
}

describe.each(backends)('on %s', (backend) => {
  test('zero makes every number 0, and the layer passes on what came in', async () => {
    const run = await (await openedOn(backend, 'ffn_out-1', { how: 'zero' })).start(TOKENS).toEnd();
    expect((await run.tensor('ffn_out-1')).norm()).toBe(0);
    expect((await run.tensor('l_out-1')).data).toEqual((await run.tensor('ffn_inp-1')).data);
  });

  test('scale multiplies, set replaces, and both in f32', async () => {
    const [before, scaled] = await beforeAndAfter(backend, 'attn_out-0', { how: 'scale', by: -0.5 });
    expect(scaled.data).toEqual(before.scale(-0.5).data);
    const [, set] = await beforeAndAfter(backend, 'attn_out-0', { how: 'set', by: 0.1 });
    expect([...new Set(set.data)]).toEqual([Math.fround(0.1)]);
  });

  test('noise has the size that is asked for, no direction, and is the same for the same seed alone', async () => {
    const noisy = (seed?: number) =>
      beforeAndAfter(backend, 'l_out-0', { how: 'noise', by: 0.25, ...(seed === undefined ? {} : { seed }) });
    const [before, after] = await noisy();
    const noise = after.sub(before);
    // 320 draws: the RMS of a normal sample is off by 1/sqrt(2·320) = 4 %, its mean by 1/sqrt(320) = 6 % of the deviation.
    expect(noise.norm() / before.norm()).toBeGreaterThan(0.25 * 0.85);
    expect(noise.norm() / before.norm()).toBeLessThan(0.25 * 1.15);
    expect(Math.abs(noise.mean()) / (0.25 * (before.norm() / Math.sqrt(before.size)))).toBeLessThan(0.2);
    expect((await noisy(1))[1].data).toEqual(after.data);
    expect((await noisy(2))[1].data).not.toEqual(after.data);
  });

  test('a head alone is changed, where the heads are the outermost axis too', async () => {
    const [before, after] = await beforeAndAfter(backend, 'kqv_out-1', { how: 'zero', head: 2 });
    expect(after.data).toEqual(before.map((x, _token, head) => (head === 2 ? 0 : x)).data);
    const [pattern, changed] = await beforeAndAfter(backend, 'kq_soft_max-1', { how: 'scale', by: 2, head: 3 });
    expect(changed.data).toEqual(pattern.map((x, head) => (head === 3 ? 2 * x : x)).data);
  });

  test('a token’s row alone is changed, and of a head its row', async () => {
    const [before, after] = await beforeAndAfter(backend, 'l_out-0', { how: 'set', by: 3, token: 2 });
    expect(after.data).toEqual(before.map((x, token) => (token === 2 ? 3 : x)).data);
    const both = await beforeAndAfter(backend, 'kqv_out-0', { how: 'zero', token: 4, head: 1 });
    expect(both[1].data).toEqual(both[0].map((x, token, head) => (token === 4 && head === 1 ? 0 : x)).data);
  });

  test('a token is a position in the text: generated ones are changed in the pass that is over them', async () => {
    const run = (await openedOn(backend, 'ffn_out-0', { how: 'zero', token: 6 })).start(TOKENS);
    await (await run.generate(2, { stopAtEnd: false })).toEnd();
    const norms = (await run.trace.tensor('ffn_out-0', { pass: 'all' })).map((tensor) => tensor.norm());
    expect(norms.map((norm) => norm > 0)).toEqual([true, true, false]);
  });

  test('each pass draws noise of its own', async () => {
    const run = (await openedOn(backend, 'embd', { how: 'noise', by: 1 })).start(TOKENS);
    await (await run.generate(2, { stopAtEnd: false })).toEnd();
    const plain = await openRandom(backend);
    const [, ...added] = await Promise.all(
      (await run.trace.tensor('embd', { pass: 'all' })).map(async (tensor, pass) => {
        const tokens = pass === 0 ? TOKENS : [run.tokens[4 + pass] as number];
        return tensor.sub(await (await plain.start(tokens).to('embd')).tensor('embd'));
      }),
    );
    expect(Math.abs((added[0] as Tensor).cosine(added[1] as Tensor))).toBeLessThan(0.6);
  });

  test('globs change each tensor they pick, on top of other edits', async () => {
    const model = (await openRandom(backend)).with(
      edit('attn_out-2', (tensor) => tensor.map(() => 2)),
      change('attn_out-*', { how: 'scale', by: 3, token: 0 }),
    );
    const run = await model.start(TOKENS).toEnd();
    expect((await run.tensor('attn_out-2')).norm(1).data[0]).toBeCloseTo(6 * 8, 4);
    expect((await run.tensor('attn_out-2')).norm(1).data[1]).toBeCloseTo(2 * 8, 4);
  });
});

test('the manifest tells the whole change', async () => {
  const model = await openedOn('reference', 'kqv_out-*', { how: 'noise', by: 0.1, head: 1, token: 3, seed: 9 });
  expect(model.manifest(TOKENS).transforms).toEqual([
    { name: 'change', params: { tensors: 'kqv_out-*', how: 'noise', by: 0.1, head: 1, token: 3, seed: 9 } },
  ]);
});

describe('refuses', () => {
  const make = (options: object) => () => change('l_out-0', options as ChangeOptions);

  test('a scale, noise or number without its size', () => {
    expect(make({ how: 'scale' })).toThrow(UsageError);
    expect(make({ how: 'scale' })).toThrow(
      "Cannot change l_out-0: scale needs by, the factor; found undefined. Give it: change('l_out-0', { how: 'scale', by: 0.5 })",
    );
    expect(make({ how: 'noise', by: Number.NaN })).toThrow('noise needs by, the share of the RMS');
    expect(make({ how: 'set', by: Number.POSITIVE_INFINITY })).toThrow('set needs by, the number');
  });

  test('a way of changing that there is not, and a token that is no position', () => {
    expect(make({ how: 'toString' })).toThrow("found how 'toString'; wanted zero, scale, noise, set");
    expect(make({ how: 'zero', token: -1 })).toThrow(
      'Cannot change token -1 of l_out-0: a position in the text is 0, 1',
    );
    expect(make({ how: 'zero', token: 1.5 })).toThrow(UsageError);
  });

  test('a name that no step has, with the nearest ones', async () => {
    await expect(openedOn('reference', 'l_in-0', { how: 'zero' })).rejects.toThrow(/nearest are/);
  });

  test('a head that the tensor has not, just before the step', async () => {
    const run = (await openedOn('reference', 'kqv_out-0', { how: 'zero', head: 4 })).start(TOKENS);
    await expect(run.toEnd()).rejects.toThrow(StepError);
    await expect(run.toEnd()).rejects.toThrow('Cannot change head 4 of kqv_out-0: its heads are 0 to 3');
    expect(run.next?.name).toBe('kqv_out-0');
    const other = (await openedOn('reference', 'l_out-0', { how: 'zero', head: 0 })).start(TOKENS);
    await expect(other.toEnd()).rejects.toThrow(
      'Cannot change a head of l_out-0: its axes are token, embd; leave head out',
    );
  });
});
