import { describe, expect, test } from 'vitest';
import { reportText } from '../../../src/compare/report/text.ts';
import { shownWidth } from '../../../src/trace/plain_text.ts';
import {
  agree,
  bug,
  bugOf,
  comparisonWith,
  everyComparison,
  flippedBit,
  oneToken,
  precision,
  refusedForBos,
  sums,
  tensorsOf,
  withNaN,
} from '../comparisons.ts';

/** The lines of a section, its label taken away. */
function section(text: string, label: string): string[] {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.startsWith(`${label} `));
  const after = lines.findIndex((line, i) => i > first && !line.startsWith(' '.repeat(12)));
  return first < 0 ? [] : lines.slice(first, after < 0 ? undefined : after).map((line) => line.slice(12));
}

describe('the report for a terminal', () => {
  test.each(everyComparison)(
    '%s: the verdict comes first, in at most 43 lines, with nothing unsaid',
    (_, comparison) => {
      const text = reportText(comparison);
      expect(
        text.toLowerCase().startsWith(`${comparison.verdict}: ${comparison.summary.toLowerCase().slice(0, 40)}`),
      ).toBe(true);
      expect(text.split('\n').length).toBeLessThanOrEqual(43);
      expect(text).not.toMatch(/undefined|null|\[object| +$/m);
      expect(text).toMatch(/^Next {8}\S/m);
    },
  );

  test.each([
    ['named', 'Cause: '],
    ['tied', 'Cause, one of several: '],
    ['suspected', 'Suspicion: '],
  ] as const)('a cause that is %s is the first that is said of the origin', (certainty, begins) => {
    const sentence = 'KV heads are tiled, not repeated: gqa-tiled reproduces kq-3 to 3e-8';
    const suspect = { fault: 'gqa-tiled', params: {}, also: null, at: { name: 'kq-3', pass: 0 } };
    const cause = { ...suspect, sentence, reproducedTo: 3e-8, nextBest: null, ties: [], certainty };
    const [first] = section(reportText(comparisonWith({ ...bug, cause })), 'Origin');
    expect(first).toContain(`${begins}KV heads are tiled`);
  });

  test('where no cause is named lists the suspects, each with its reason, and the run that tells them apart', () => {
    const [first, ...rest] = section(reportText(bug), 'Suspects');
    expect(first).toMatch(/^\d+ of \d+ known faults are ruled out, \d+ left; likeliest first$/);
    expect(rest[0]).toMatch(/^[a-z-]+: It begins at kq-3, which is the first to part$/);
    expect(rest.join(' ')).toContain('Next probe: Run ');
    const suspect = { fault: 'gqa-tiled', params: {}, also: null, at: { name: 'kq-3', pass: 0 } };
    const cause = { ...suspect, sentence: 'tiled', reproducedTo: 3e-8, nextBest: null, ties: [] };
    const withCause = (certainty: 'named' | 'suspected') =>
      reportText(comparisonWith({ ...bug, cause: { ...cause, certainty } }));
    expect(section(withCause('named'), 'Suspects')).toEqual([]);
    expect(section(withCause('suspected'), 'Suspects')).not.toEqual([]);
  });

  test('where all agrees counts the faults that would not have shown, and names the run that would show them', () => {
    const lines = section(reportText(oneToken), 'Faults').join(' ');
    expect(lines).toMatch(/^\d+ of \d+ known faults would not have shown here, or not for sure: [a-z0-9-]+, /);
    expect(lines).toContain('Next probe: Run a prefill and a decode');
    for (const other of [refusedForBos, flippedBit]) {
      expect([...section(reportText(other), 'Faults'), ...section(reportText(other), 'Suspects')]).toEqual([]);
    }
  });

  test('is no longer for a model of 80 layers', () => {
    const large = bugOf({ nLayer: 80 });
    expect(large.tensors).toHaveLength(80 * 18 + 3);
    expect(reportText(large).split('\n').length).toBe(reportText(bug).split('\n').length);
  });

  test('names op, layer, token with its piece, head, element and both numbers', () => {
    expect(section(reportText(bug), 'Where')).toEqual([
      'kq-3: op kq, layer 3, token 5 ␣to, head 2, [2, 5, 3]',
      'ours 0.8123411, reference 2.1310012',
    ]);
  });

  test('tells an error that was made from one that came in, and says where that is unknown', () => {
    expect(section(reportText(bug), 'Origin')).toEqual([
      "Made there by ours: llama.cpp's inputs to our kq (Qcur_rope-3, Kcur_rope-3)",
      "Our kq is on the reference's inputs 2.1e-1 from its output and on ours' inputs 0 from",
      '  that of ours; it may be off by 1.0e-6',
      'From f64 our op is off by 2.1e-1, the record by 3.0e-8',
    ]);
    expect(section(reportText(precision), 'Origin')).toContain('With activations rounded to Q8_0 2.1e-7 is left of it');
    expect(section(reportText(withNaN), 'Origin')[0]).toMatch(/^Made there or inherited, unknown: kq could not be run/);
  });

  test('two numbers that differ in one bit read differently', () => {
    expect(section(reportText(flippedBit), 'Where')[1]).toBe('ours 0.1234567, reference 0.12345671');
  });

  test('counts what was compared by how it stands, and names what was not and why', () => {
    const text = reportText(bug);
    expect(section(text, 'Compared')[1]).toBe(
      '111 of 112 tensors: 61 within tolerance, 49 inherited error, 1 error made here',
    );
    expect(section(text, 'Left out')).toEqual(['1, only ours has it: ffn_silu-0']);
  });

  test('without a divergence shows the residual stream up to the logits, and names the closest call', () => {
    const text = reportText(agree);
    const names = section(text, 'Tensors').map((line) => line.split(' ')[0]);
    expect(names.slice(2)).toEqual([
      'embd',
      'l_out-0',
      'l_out-1',
      'l_out-2',
      'l_out-4',
      'l_out-5',
      'result_norm',
      'result_output',
    ]);
    expect(section(text, 'Compared').join(' ')).toContain(
      'Nearest to its tolerance: result_output, 3.2e-7 of 1.0e-5 (f32 against',
    );
  });

  test('without a divergence, but with an op that parts, shows the tensors around that', () => {
    const names = section(reportText(comparisonWith({ tensors: precision.tensors })), 'Tensors').map(
      (line) => line.split(' ')[0],
    );
    expect(names.slice(2, 6)).toEqual(['embd', 'attn_norm-0', 'Qcur-0', 'Kcur-0']);
  });

  test('says how much of the elements a log had, and of which tensors only statistics are known', () => {
    const printed = comparisonWith({ tensors: tensorsOf(() => ({ coverage: 0.03 })) });
    expect(section(reportText(printed), 'Compared')).toContain('Of 111 tensors only some elements: 3 % of all');
    expect(section(reportText(sums), 'Compared')).toContain('Of 111 tensors only statistics; they prove little');
    expect(section(reportText(sums), 'Tensors').find((line) => line.startsWith('ffn_silu-0'))).toMatch(/ 0 +-41\.70/);
  });

  test('a list that is long is cut and its rest counted', () => {
    const notCompared = Array.from({ length: 30 }, (_, i) => ({ name: `h.${i}`, pass: 0, why: 'only ours has it' }));
    expect(section(reportText(comparisonWith({ notCompared })), 'Left out')).toEqual([
      '30, only ours has it: h.0, h.1, h.2, h.3, and 26 more',
    ]);
    const claims = Array.from({ length: 9 }, (_, i) => ({ number: `${i}`, supports: 'something' }));
    expect(section(reportText(comparisonWith({ claims })), 'Proves').at(-1)).toBe('and 5 more claims');
  });

  test('shows less of each list where all would not fit', () => {
    const claims = Array.from({ length: 4 }, (_, i) => ({ number: `${i}`, supports: 'a long sentence '.repeat(20) }));
    const text = reportText(comparisonWith({ claims, firstDivergence: bug.firstDivergence, tensors: bug.tensors }));
    expect(text.split('\n').length).toBeLessThanOrEqual(43);
    expect(text).toMatch(/and [123] more claims?/);
  });

  test('of a refused comparison lists both values of each difference and the word that allows it, and nothing else', () => {
    const text = reportText(refusedForBos);
    expect(section(text, 'Differs')).toContain('bos: ours yes; reference no (--allow bos)');
    expect(section(text, 'Next').join(' ').replace(/\s+/g, ' ')).toContain(
      "--allow tokens,bos, in a cell { allow: ['tokens', 'bos'] }",
    );
    expect(text).not.toMatch(/^(Where|Tensors|Compared)/m);
  });

  test('says which facts of the two experiments could not be checked', () => {
    const unknowns = ['weights: the reference does not tell the sha256 of its model'];
    expect(section(reportText(comparisonWith({ unknowns })), 'Unchecked')).toEqual(unknowns);
  });

  test('keeps what was allowed in sight', () => {
    const allowed = [{ kind: 'weights', ours: 'aa', reference: 'bb', says: '' }] as const;
    expect(section(reportText(comparisonWith({ allowed })), 'Compared')).toContain(
      'Allowed to differ, weights: ours aa; reference bb',
    );
  });

  test('fits the columns it is given, but for the cell', () => {
    for (const columns of [84, 100, 130]) {
      const lines = reportText(precision, { columns }).split('\n');
      const prose = lines.slice(
        0,
        lines.findIndex((line) => line.includes('In a cell')),
      );
      for (const line of prose) expect(shownWidth(line), line).toBeLessThanOrEqual(columns);
    }
  });

  test('shows control characters of a foreign name by their code', () => {
    const coloured = comparisonWith({ summary: 'a \u001b[31mred\u001b[0m name' });
    expect(reportText(coloured)).not.toContain('\u001b');
  });
});
