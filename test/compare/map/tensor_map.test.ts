import { describe, expect, test } from 'vitest';
import { readMap, type TensorMap, writeMap } from '../../../src/compare/map/tensor_map.ts';

const map: TensorMap = {
  matches: [
    { theirs: 'a', ours: 'Qcur-0', layout: 'head-major', score: 0.75, evidence: ['it is so'], certain: true },
    { theirs: 'b', ours: 'embd', layout: 'as ours', score: Number.NaN, evidence: [], certain: false },
  ],
  questions: [
    {
      theirs: 'c',
      tellsApart: 'its name',
      candidates: [{ ours: 'Kcur-0', layout: 'as ours', score: 1, evidence: [] }],
    },
  ],
  repeats: [{ theirs: 'd', of: 'b', ours: 'embd' }],
  unmatched: [{ theirs: 'e', why: 'it is a mask' }],
};

test('a map is read as it was written', () => {
  expect(readMap(writeMap(map))).toEqual(map);
});

test('of a match two names are enough, so that a person can write one', () => {
  const text = '{ "format": "layerscope map 1", "matches": [{ "theirs": "q", "ours": "Qcur-0" }] }';
  expect(readMap(text).matches).toEqual([
    {
      theirs: 'q',
      ours: 'Qcur-0',
      layout: 'as ours',
      score: Number.NaN,
      evidence: ['written by hand'],
      certain: false,
    },
  ]);
});

describe('what is no map is refused by what is wrong in it', () => {
  const edited = (change: (json: Record<string, unknown>) => unknown) =>
    JSON.stringify(change(JSON.parse(writeMap(map))));
  test.for<[message: RegExp, text: string]>([
    [/^Cannot read m\.json: it is no JSON \(.+\); wanted what "layerscope map --save" writes$/, '{'],
    [/it is no object/, '[]'],
    [/its format is "other"; wanted \{ "format": "layerscope map 1"/, '{"format": "other"}'],
    [/its matches are missing; wanted a list/, '{"format": "layerscope map 1"}'],
    [/matches\[0\] is 3; wanted an object/, edited((json) => ({ ...json, matches: [3] }))],
    [/matches\[0\] has no ours/, edited((json) => ({ ...json, matches: [{ theirs: 'a' }] }))],
    [/matches\[0\]\.layout is 7/, edited((json) => ({ ...json, matches: [{ theirs: 'a', ours: 'b', layout: 7 }] }))],
    [
      /two matches have ours "embd"/,
      edited((json) => ({ ...json, matches: ['a', 'b'].map((theirs) => ({ theirs, ours: 'embd' })) })),
    ],
    [
      /questions\[0\]\.candidates\[0\] has no layout/,
      edited((json) => ({ ...json, questions: [{ theirs: 'a', tellsApart: '', candidates: [{ ours: 'x' }] }] })),
    ],
  ])('%s', ([message, text]) => {
    expect(() => readMap(text, 'm.json')).toThrow(message);
  });
});
