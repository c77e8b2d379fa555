import { expect, test } from 'vitest';
import type { CheckResult } from '../../../src/compare/checks/check.ts';
import { checkText } from '../../../src/compare/checks/check_text.ts';
import { checkTrace } from '../../../src/compare/checks/check_trace.ts';
import { RowTrace } from '../../../src/trace/trace.ts';
import { openRandom } from '../../engine/models.ts';
import { changed, TOKENS } from './bugs.ts';

const result = (over: Partial<CheckResult>): CheckResult => ({
  ...{
    name: 'gate',
    title: 'The gate holds',
    proves: 'It is silu.',
    cannot: 'Weights.',
    outcome: 'passed',
    says: '3 tensors',
  },
  ...{ tolerance: { limit: 1e-6, source: 'f32' }, looked: 3, failing: 0, worst: null, leftOut: [], dump: null },
  ...over,
});

test('what failed comes first, with what it proves; what passed is a line and its numbers', () => {
  const results = [
    result({}),
    result({ name: 'norms', title: 'Norms hold', outcome: 'failed', says: 'attn_norm-1 is off' }),
  ];
  const text = checkText({
    subject: 'x.gguf on webgpu',
    outcome: 'failed',
    tokens: [1, 2],
    sampled: 'Looked at layers 0, 3 of 4',
    results,
  });
  expect(text.split('\n')).toEqual([
    'x.gguf on webgpu: failed (1 failed, 1 passed)',
    'Tokens 1 2',
    'Looked at layers 0, 3 of 4',
    '',
    'FAILED       Norms hold (norms)',
    '             attn_norm-1 is off',
    '             allowed: 0.0000010: f32',
    '             proves: It is silu.',
    '             cannot: Weights.',
    '',
    'passed       The gate holds (gate)',
    '             3 tensors',
    '',
    expect.stringContaining('Compare with llama.cpp'),
    '',
  ]);
});

test('of what was left out it says what, why and what to dump', async () => {
  const model = await openRandom('reference');
  const { trace } = await model.start(TOKENS).toEnd();
  const report = await checkTrace(changed(trace, {}, /^(Qcur-1|ffn_silu-.|ffn_gate-.)$/), {
    model,
    label: 'dump.arrow',
  });
  const text = checkText(report);
  expect(text).toContain('dump.arrow: passed (11 passed, 5 not checked)');
  expect(text).toMatch(
    /not checked {2}The feed-forward .*\n +ffn_gate-i of layers 0 to 2: the trace does not hold it\n +to check it, dump values of ffn_gate-i/,
  );
  expect(text).toMatch(
    /passed .*neighbouring dimensions.*\n.*\n +left out: Qcur-i of layer 1: the trace does not hold it\n +to check the rest, dump values of Qcur-i, for every token/,
  );
});

test('a trace of statistics alone: what it allows is checked, all else is asked for', async () => {
  const { trace } = await (await openRandom('reference')).start(TOKENS).toEnd();
  const entries = trace.entries.map((row) => ({ ...row, hasValues: false }));
  const bare = new RowTrace({
    manifest: trace.manifest,
    entries,
    values: async () => new Float32Array(),
    source: 'a test',
  });
  const report = await checkTrace(bare);
  expect(report.results.filter(({ outcome }) => outcome === 'passed').map(({ name }) => name)).toEqual(['finite']);
  expect(checkText(report)).toContain('only statistics of it are there');
});
