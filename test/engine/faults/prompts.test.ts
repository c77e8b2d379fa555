/** Faults of the prompt: they act on text and leave token ids alone. */
import { describe, expect, test } from 'vitest';
import { fault } from '../../../src/engine/faults/index.ts';
import { UsageError } from '../../../src/errors.ts';
import { openModel } from '../../../src/node/index.ts';

const file = new URL('../../../fixtures/lily-4m-f16.gguf', import.meta.url).pathname;
const model = await openModel(file, { backend: 'reference' });
const TEXT = 'Lily gave the ball to Tom.';
const BOS = 1;

describe('bos-missing', () => {
  test('a text runs without BOS: its first tensor that differs is embd, of another length', async () => {
    const faulty = model.with(fault('bos-missing'));
    expect(faulty.tokenize(TEXT)).toEqual(model.tokenize(TEXT).slice(1));
    const run = await faulty.start(TEXT).to('embd');
    expect(run.tokens).toEqual(model.tokenize(TEXT, { bos: false }));
    expect((await run.tensor('embd')).shape[0]).toBe(model.tokenize(TEXT).length - 1);
    expect(run.trace.manifest).toMatchObject({ bos: false, transforms: [{ name: 'bos-missing', params: {} }] });
  });

  test('token ids are taken as they are', async () => {
    const run = model.with(fault('bos-missing')).start([BOS, 400, 401]);
    expect(run.tokens).toEqual([BOS, 400, 401]);
  });

  test('a prompt that has no BOS to lose is refused', () => {
    const tokenize = () => model.with(fault('bos-missing')).tokenize(TEXT, { bos: false });
    expect(tokenize).toThrow(UsageError);
    expect(tokenize).toThrow('Cannot leave out BOS (fault bos-missing): the prompt does not begin with it');
  });
});

describe('bos-doubled', () => {
  test('a text begins with BOS twice, a chat too', () => {
    const faulty = model.with(fault('bos-doubled'));
    expect(faulty.tokenize(TEXT)).toEqual([BOS, ...model.tokenize(TEXT)]);
    expect(faulty.tokenize(TEXT, { chat: true }).slice(0, 3)).toEqual([
      BOS,
      ...model.tokenize(TEXT, { chat: true }).slice(0, 2),
    ]);
  });

  test('a prompt without BOS is refused', () => {
    expect(() => model.with(fault('bos-doubled')).tokenize(TEXT, { bos: false })).toThrow('Cannot double BOS');
  });

  test('two faults of the prompt follow each other', () => {
    const both = model.with(fault('wrong-chat-template', { template: 'none' }), fault('bos-doubled'));
    expect(both.tokenize('Who?', { chat: true })).toEqual([BOS, ...model.tokenize('Who?')]);
  });
});

describe('wrong-chat-template', () => {
  test.each([
    ['chatml', '<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n'],
    ['llama2', '[INST] Who? [/INST]'],
    ['roles', 'user: Who?\nassistant:'],
    ['none', 'Who?'],
  ])('%s writes the message as another model wants it', (template, text) => {
    const faulty = model.with(fault('wrong-chat-template', { template }));
    expect(faulty.tokenize('Who?', { chat: true })).toEqual(model.tokenize(text));
  });

  test('a prompt that is no chat is refused, for it would show nothing', () => {
    expect(() => model.with(fault('wrong-chat-template')).start(TEXT)).toThrow('the prompt is no chat');
  });
});
