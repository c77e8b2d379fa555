/** The lesson: every stop is a step of the shipped model, and what is said of numbers is so. */
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import type { Run } from '../../../src/engine/run.ts';
import { FOUND, HEAD, LAYER, LESSON_TEXT, stops, TOKEN } from '../../../src/lab/page/alone/stops.ts';
import { openModel } from '../../../src/node/index.ts';

let run: Run;
beforeAll(async () => {
  const file = fileURLToPath(new URL('../../../fixtures/lily-4m-q8_0.gguf', import.meta.url));
  run = await (await openModel(file, { backend: 'reference' })).start(LESSON_TEXT).toEnd();
});

test('every stop is a step that was run, says something in both languages, and its token is the last', () => {
  const names = run.steps.map(({ name }) => name);
  for (const { choice, title, says } of stops) {
    expect(names).toContain(choice.step);
    for (const said of [title, says]) expect([said.en, said.ja].every((text) => text.length > 3)).toBe(true);
    expect(choice.token).toBe(TOKEN);
  }
  expect(run.pieces).toHaveLength(TOKEN + 1);
  expect([run.pieces[TOKEN], run.pieces[FOUND]]).toEqual([' thanked', ' Lily']);
});

test('sizes are as told: ten tokens, rows of 256, eight heads of 32 with a key for four, 512 gates, 1,024 words', () => {
  const { nEmbd, nHead, headDim, nHeadKv, nFf, nVocab } = run.model.config;
  expect([run.tokens.length, nEmbd, nHead, headDim, nHead / nHeadKv, nFf, nVocab]).toEqual([
    10, 256, 8, 32, 4, 512, 1024,
  ]);
});

test('the head that is watched scores Lily highest and gives it more than 99 %', async () => {
  const scores = (await run.trace.tensor(`kq-${LAYER}`)).slice(HEAD, TOKEN);
  expect(scores.topK(1)[0]?.index).toBe(FOUND);
  expect((await run.trace.tensor(`kq_soft_max-${LAYER}`)).at(HEAD, TOKEN, FOUND)).toBeGreaterThan(0.99);
});

test('Lily is the likeliest token after the text', async () => {
  const [best] = (await run.trace.tensor('result_output')).slice(-1).topK(1);
  expect(run.model.tokenizer.piece(best?.index ?? 0)).toBe(' Lily');
});
