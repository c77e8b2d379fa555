import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/errors.ts';
import { hashOf, type Linked, readHash } from '../../../src/lab/page/inspector/link.ts';
import { NOTHING } from '../../../src/lab/page/inspector/state.ts';

const plain: Linked = {
  experiment: { file: 'fixtures/lily.gguf', backend: 'webgpu', text: 'Lily gave', faults: [], changes: [] },
  choice: NOTHING,
  view: 'step',
  settings: {},
  drawn: 0,
  at: null,
};

const everything: Linked = {
  experiment: {
    file: 'models/größe & 100 %.gguf',
    backend: 'reference',
    text: 'a=b&c #1 + 2\n„ja“ 🙂',
    tokens: [1, 300, 17],
    bos: false,
    chat: true,
    faults: [
      { fault: 'rope-pairing', params: {} },
      { fault: 'rope-base', params: { base: 1e6, layer: 3, why: 'a "b" {c}', on: true, list: [1, 2] } },
    ],
    changes: [
      { tensor: 'kqv_out-{0,1}', how: 'zero' },
      { tensor: 'l_out-*', how: 'noise', by: 0.5, token: 3, head: 2, seed: 7 },
    ],
  },
  choice: { step: 'kq_soft_max-2', pass: 1, token: 4, key: 0, layer: 2, head: 3 },
  view: 'attention',
  settings: { 'attention.of': 'layer', 'step.code': 'a=b&c' },
  drawn: 3,
  at: 'Qcur-2',
};

test('a link of a plain experiment can be read by people', () => {
  expect(hashOf(plain)).toBe('#inspect=1&model=fixtures/lily.gguf&text=Lily+gave&view=step');
});

test('whatever a link holds comes out of it as it went in', () => {
  for (const linked of [plain, everything]) {
    const hash = hashOf(linked);
    expect(hash).toMatch(/^#[\x21-\x7e]*$/);
    expect(readHash(hash)).toEqual(linked);
    expect(readHash(new URL(`http://lab/${hash}`).hash)).toEqual(linked);
  }
});

test('a hunt is in a link by its level and seed alone', () => {
  const hunting: Linked = { ...plain, experiment: { ...plain.experiment, hunt: { seed: 7, level: 'hard' } } };
  expect(hashOf(hunting)).toBe('#inspect=1&model=fixtures/lily.gguf&text=Lily+gave&hunt=hard:7&view=step');
  expect(readHash(hashOf(hunting))).toEqual(hunting);
});

test('a hash that is none of ours is left alone', () => {
  expect(readHash('')).toBeNull();
  expect(readHash('#section-2')).toBeNull();
});

describe('a link that was cut off, changed or made to harm is refused with what is wrong', () => {
  test.for([
    ['inspect=2&model=m.gguf', 'it is of version "2"; this page reads version 1'],
    ['inspect=1', 'it names no model'],
    ['inspect=1&model=m.gguf&backend=cuda', 'backend is "cuda"; wanted webgpu or reference'],
    ['inspect=1&model=m.gguf&token=-1', 'token is "-1"; wanted a whole number'],
    ['inspect=1&model=m.gguf&layer=1e9', 'layer is "1e9"; wanted a whole number'],
    ['inspect=1&model=m.gguf&tokens=1,,2', 'tokens is ""; wanted a whole number'],
    ['inspect=1&model=m.gguf&drawn=-1', 'drawn is "-1"; wanted a whole number'],
    ['inspect=1&model=m.gguf&drawn=many', 'drawn is "many"; wanted a whole number'],
    ['inspect=1&model=m.gguf&hunt=medium:7', 'hunt is "medium"; wanted easy or hard'],
    ['inspect=1&model=m.gguf&hunt=easy', 'hunt is ""; wanted a whole number'],
    ['inspect=1&model=m.gguf&bos=maybe', 'bos is "maybe"; wanted true or false'],
    ['inspect=1&model=m.gguf&fault=rope-base:{"base":', 'what stands behind fault "rope-base" is cut off or changed'],
    ['inspect=1&model=m.gguf&fault=rope-base:{"base":{"a":1}}', 'has the parameter {"a":1}, which is none'],
    [
      'inspect=1&model=m.gguf&change=l_out-0:{"how":"explode"}',
      'how is "explode"; wanted zero or scale or noise or set',
    ],
    ['inspect=1&model=m.gguf&change=l_out-0:{"how":"zero","head":"0"}', 'head "0"; wanted a number'],
    ['inspect=1&model=m.gguf&change=l_out-0:{"how":"zero","run":"x"}', 'has "run", which is unknown'],
  ])('%s', ([hash, said]) => {
    expect(() => readHash(`#${hash}`)).toThrow(UsageError);
    expect(() => readHash(`#${hash}`)).toThrow(/^Cannot open this link: /);
    expect(() => readHash(`#${hash}`)).toThrow(said);
  });

  test('one of a megabyte', () => {
    const long = `#inspect=1&model=m.gguf&text=${'a'.repeat(1e6)}`;
    expect(() => readHash(long)).toThrow('at most 100000 are read');
  });

  test('names that objects have by birth change nothing', () => {
    const { settings } = readHash('#inspect=1&model=m.gguf&with.__proto__=x&with.constructor=y') as Linked;
    expect(Object.keys(settings)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(settings)).toBe(Object.prototype);
  });
});
