import { describe, expect, test } from 'vitest';
import { type PatchOptions, patch } from '../../../src/engine/transforms/patch.ts';
import { UsageError } from '../../../src/errors.ts';
import type { Run } from '../../../src/node/index.ts';
import { backends, openRandom, relativeRmsError } from '../models.ts';

const TOKENS = [1, 40, 77, 105, 9];
const OTHER = [1, 50, 60, 70];

type Backend = 'webgpu' | 'reference';

/** The run of TOKENS, that of OTHER, and TOKENS with values of OTHER. */
async function runs(backend: Backend, name: string, options?: PatchOptions): Promise<[Run, Run, Run]> {
  const model = await openRandom(backend);
  const other = await model.start(OTHER).toEnd();
  return [
    await model.start(TOKENS).toEnd(),
    other,
    await model
      .with(patch(name, other, options))
      .start(TOKENS)
      .toEnd(),
  ];
}

describe.each(backends)('on %s', (backend) => {
  test('every row that both texts have is the other’s, and the rest stays', async () => {
    const [own, other, patched] = await runs(backend, 'l_out-0');
    const found = (await patched.tensor('l_out-0')).rows().map(({ data }) => data);
    const wanted = [...(await other.tensor('l_out-0')).rows(), (await own.tensor('l_out-0')).slice(4)];
    expect(found).toEqual(wanted.map(({ data }) => data));
  });

  test('what follows is what the other text gives, where everything was replaced', async () => {
    const model = await openRandom(backend);
    const other = await model.start([1, 50, 60, 70, 80]).toEnd();
    const run = await model.with(patch('l_out-1', other)).start(TOKENS).toEnd();
    const [found, wanted] = [await run.tensor('result_output'), await other.tensor('result_output')];
    expect(relativeRmsError(found.data, wanted.data)).toBeLessThan(1e-6);
  });

  test('one token’s row is put in place of another’s, and nothing before it changes', async () => {
    const [own, other, patched] = await runs(backend, 'l_out-0', { token: 3, from: 1 });
    expect((await patched.tensor('l_out-0')).slice(3).data).toEqual((await other.tensor('l_out-0')).slice(1).data);
    expect((await patched.tensor('l_out-0')).slice([0, 3]).data).toEqual(
      (await own.tensor('l_out-0')).slice([0, 3]).data,
    );
    const logits = [await patched.tensor('result_output'), await own.tensor('result_output')] as const;
    const apart = (row: number) => relativeRmsError(logits[0].slice(row).data, logits[1].slice(row).data);
    expect(apart(2)).toBeLessThan(1e-5);
    expect(apart(3)).toBeGreaterThan(0.01);
    expect(apart(4)).toBeGreaterThan(1e-4);
  });

  test('a head alone is replaced', async () => {
    const [own, other, patched] = await runs(backend, 'kqv_out-1', { head: 2, token: 2 });
    const [mine, theirs] = [await own.tensor('kqv_out-1'), await other.tensor('kqv_out-1')];
    const wanted = mine.map((x, token, head, dim) => (token === 2 && head === 2 ? theirs.at(2, 2, dim) : x));
    expect((await patched.tensor('kqv_out-1')).data).toEqual(wanted.data);
  });

  test('rows of a token that was generated are found in its pass, and patched in theirs', async () => {
    const model = await openRandom(backend);
    const other = await model.start(OTHER).generate(2, { stopAtEnd: false });
    await other.toEnd();
    const run = model.with(patch('embd', other, { token: 5, from: 5 })).start(TOKENS);
    await (await run.generate(1, { stopAtEnd: false })).toEnd();
    expect((await run.tensor('embd')).data).toEqual((await other.tensor('embd')).data);
  });
});

test('the manifest tells where the values come from', async () => {
  const model = await openRandom('reference');
  const other = await model.start(OTHER, { prompt: 'another text' }).toEnd();
  expect(model.with(patch('l_out-1', other, { token: 2 })).manifest(TOKENS).transforms).toEqual([
    { name: 'patch', params: { tensors: 'l_out-1', token: 2, prompt: 'another text', tokens: OTHER } },
  ]);
});

test('refuses what has no such row, and says what it found', async () => {
  const model = await openRandom('reference');
  const other = await model.start(OTHER).toEnd();
  const refused = (name: string, options?: PatchOptions) =>
    expect(
      model
        .with(patch(name, other, options))
        .start(TOKENS)
        .toEnd(),
    ).rejects;
  await refused('l_out-0', { token: 4 }).toThrow('the other run has nothing at position 4; wanted 64 numbers');
  await refused('kqv_out-0', { head: 4 }).toThrow('Cannot patch head 4 of kqv_out-0: its heads are 0 to 3');
  await refused('l_out-0', { head: 0 }).toThrow('its axes are token, embd; leave head out');
  await refused('kq_soft_max-0').toThrow('Cannot patch kq_soft_max-0: its axes are head, token, key');
  const wide = await (await openRandom('reference', { nEmbd: 128 })).start(OTHER).toEnd();
  await expect(model.with(patch('l_out-0', wide)).start(TOKENS).toEnd()).rejects.toThrow('a row of 128 numbers');
  expect(() => patch('l_out-0', other, { from: 1 })).toThrow(UsageError);
  expect(() => patch('l_out-0', other, { token: -1 })).toThrow('Cannot patch token -1');
  expect(() => model.with(patch('l_in-0', other))).toThrow(/nearest are/);
});
