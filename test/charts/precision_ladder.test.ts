import { describe, expect, test } from 'vitest';
import { precisionLadder } from '../../src/charts/index.ts';
import { PrecisionLadder } from '../../src/compare/ladder.ts';
import { FLIP, rung, shippedLadder } from './ladder.ts';
import { captionOf, rowsIn, warningsOf } from './specs.ts';

const withRungs = (...rungs: PrecisionLadder['rungs']) => new PrecisionLadder({ ...shippedLadder, rungs });

describe('precisionLadder', () => {
  test('has the error of each layer, of the norm and of the logits for each rung', () => {
    const rows = rowsIn(
      precisionLadder(withRungs(rung('f32', [2e-7, 3e-7, 4e-7]), rung('f16 storage', [1e-4, 2e-4, 3e-4]))),
    );
    expect(rows.map(({ rung, after, name, error }) => [rung, after, name, error])).toEqual([
      ['f32', '0', 'l_out-0', 2e-7],
      ['f32', 'norm', 'result_norm', 3e-7],
      ['f32', 'logits', 'result_output', 4e-7],
      ['f16 storage', '0', 'l_out-0', 1e-4],
      ['f16 storage', 'norm', 'result_norm', 2e-4],
      ['f16 storage', 'logits', 'result_output', 3e-4],
    ]);
  });

  test('names two flips of a rung and counts the others', () => {
    const flips = [FLIP, { ...FLIP, position: 1 }, { ...FLIP, position: 2 }, { ...FLIP, position: 3 }];
    const caption = captionOf(precisionLadder(withRungs(rung('f16 storage', [1e-4, 1e-4, 1e-4], flips))));
    expect(caption).toContain(
      'f16 storage: after 5 ␣to the likeliest token is ␣Rose, not ␣Sara; in f64 their logits are 0.0183 apart',
    );
    expect(caption).toContain('after 1 ␣Lily');
    expect(caption).not.toContain('after 2 ');
    expect(caption).toContain('f16 storage: another likeliest token at 2 more positions');
    expect(captionOf(precisionLadder(withRungs(rung('f32', [0, 0, 0]))))).toContain(
      'Nowhere does a rung change the likeliest next token',
    );
  });

  test('says what overflowed, what was too small to draw and what was not run', () => {
    const broken = rung('f16 storage', [1e-4, Infinity, Infinity], [{ ...FLIP, rung: null, margin: null }]);
    const skipped = [{ name: 'f32' as const, why: 'Cannot open a GPU: there is none' }];
    const chart = precisionLadder(
      new PrecisionLadder({ ...withRungs(broken, rung("ggml's rounding", [0, 0, 0])), skipped }),
    );
    const caption = captionOf(chart);
    expect(caption).toContain('f16 storage overflows at result_norm; what is not finite is not drawn');
    expect(caption).toContain('f16 storage: after 5 ␣to no logit is a number; in f64 the likeliest is ␣Sara');
    expect(caption).toContain('An error below 1e-8 is drawn at 1e-8');
    expect(caption).toContain('Not run: f32, which needs a GPU adapter');
    expect(rowsIn(chart).map(({ drawn }) => drawn)).toEqual([1e-4, 1e-8, 1e-8, 1e-8]);
    expect(warningsOf(chart)).toEqual([]);
  });

  test('says each rung’s error at the logits in its alternative text', () => {
    expect(precisionLadder(shippedLadder).description).toContain(
      'f32 1.8e-7; f16 storage 6.3e-4; f16 accumulation 0.00261, with another likeliest token at 1 of its positions;',
    );
  });
});
