import { expect, test } from 'vitest';
import { determinism } from '../../src/compare/determinism.ts';
import { stabilityText, staleText } from '../../src/compare/stability_text.ts';
import { edit } from '../../src/engine/transforms/edit.ts';
import { openRandom } from '../engine/models.ts';

test('runs that are the same take a line, with how many tensors that is said of', async () => {
  const model = await openRandom('reference');
  expect(stabilityText(await determinism(model, [1, 2]))).toBe(
    `3 runs: the same, in all ${model.steps.length} tensors that were compared\n`,
  );
});

test('of those that are not, the first tensor, how far it is apart, where, and what usually causes it', async () => {
  let run = 0;
  const counted = edit('ffn_silu-1', (tensor) => {
    run++;
    return tensor.map((x, token, i) => (token === 1 && i === 4 ? run / 8 : x));
  });
  const lines = stabilityText(await determinism((await openRandom('reference')).with(counted), [1, 2])).split('\n');
  expect(lines[0]).toMatch(/^3 runs: not the same; \d+ of 57 tensors differ$/);
  expect(lines[1]).toBe('First that differs: ffn_silu-1 (silu, layer 1)');
  expect(lines[2]).toMatch(
    /^ {2}1 of 192 elements differ, up to 0.25 apart \(token 1, at \[1, 4\]: 0.5, 0.625, 0.75\); relative RMS /,
  );
  expect(lines[3]).toBe('  usual causes, the first the likeliest:');
  expect(lines[4]).toMatch(/^ {4}Memory that is used again without being cleared/);
});

test('without values the sums are shown, and tensors that were not compared are listed, not all of them', () => {
  const first = {
    name: 'embd',
    op: 'get_rows',
    layer: null,
    pass: 1,
    hashes: [null, null],
    spread: null,
    sums: [0, 22893],
    usualCauses: ['x', 'y'],
  };
  const notCompared = Array.from({ length: 10 }, (_, i) => ({
    name: `kq-${i}`,
    why: 'the first run does not hold it',
  }));
  const text = stabilityText({ isStable: false, runs: 2, tensors: 3, unstable: 1, first, notCompared });
  expect(text.split('\n').slice(1, 5)).toEqual([
    'First that differs: embd (get_rows, pass 1)',
    '  its sums: 0, 22893',
    '  usual causes, the first the likeliest:',
    '    x',
  ]);
  expect(text).toContain('Not compared: kq-7: the first run does not hold it\nNot compared: 2 more\n');
});

test('stale memory: what was not written, who read it, in which plan, and what cannot be told', () => {
  const spot = {
    name: 'ffn_silu-0',
    op: 'silu',
    layer: 0,
    pass: 0,
    count: 3,
    n: 480,
    at: { index: [4, 93], token: 4, head: null },
  };
  expect(staleText({ unwritten: null, reader: null, plan: null, tensors: 9 })).toBe(
    'Every step writes all of its output, in 9 tensors\nNo step reads memory that nobody wrote\n',
  );
  expect(staleText({ unwritten: spot, reader: null, plan: null, tensors: 9 })).toContain(
    'Not written: ffn_silu-0 (silu), 3 of 480 elements, the first at token 4, at [4, 93]',
  );
  expect(staleText({ unwritten: null, reader: { ...spot, values: [1.5, -2] }, plan: 'fused', tensors: 9 })).toContain(
    ': 1.5 or -2, as memory held other numbers before, where nobody looks',
  );
});
