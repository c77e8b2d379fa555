import { describe, expect, test } from 'vitest';
import { detectionMatrix } from '../../src/charts/index.ts';
import { DetectionMatrix } from '../../src/compare/detection_matrix.ts';
import { row, shippedMatrix } from './detection.ts';
import { captionOf, rowsIn } from './specs.ts';

const NOTHING = '– – – – – – 0 0';

describe('detectionMatrix', () => {
  test('has a square for each fault, probe and evidence, which is noticed, missed, or cannot be seen', () => {
    const matrix = new DetectionMatrix({
      ...shippedMatrix,
      probes: ['one token', 'BOS + token'],
      rows: [
        row('rope-pairing', 'Pairs', [
          ['no effect', null, NOTHING],
          ['seen', 'Qcur_rope-0', '15000* 89* 1e-10 0.042* 0.29* 0.048* 0.11* 0'],
        ]),
        row('softmax-without-max', 'No max', [
          ['no effect', null, NOTHING],
          ['rounding', 'kq_soft_max-0', '0.01 2e-5 1e-8 0 5e-8 5e-8 0 0'],
        ]),
      ],
    });
    const states = rowsIn(detectionMatrix(matrix)).map(({ fault, probe, evidence, state }) => [
      `${fault}, ${probe}, ${evidence}`,
      `${state}`.split(/[,:]/)[0],
    ]);
    expect(states).toHaveLength(2 * 2 * 8);
    const of = new Map(states as [string, string][]);
    expect(of.get('rope-pairing, one token, sum')).toBe('no bit differs');
    expect(of.get('rope-pairing, BOS + token, sum')).toBe('noticed');
    expect(of.get('rope-pairing, BOS + token, RMS')).toBe('missed');
    expect(of.get('softmax-without-max, BOS + token, relative RMS error')).toBe('bits differ');
  });

  test('says how much each of the cheap numbers alone would have missed, and what was not tried', () => {
    const { noticed, missed } = shippedMatrix;
    const rms = missed.find(({ evidence }) => evidence === 'RMS');
    const caption = captionOf(detectionMatrix(shippedMatrix));
    expect(caption).toContain(
      `Something notices ${noticed} of the 35 combinations, and the relative RMS error all but 3 of them`,
    );
    expect(caption).toContain(
      `RMS alone misses ${rms?.missed} (${rms?.missedLarge} of them with the tensor off by 10 % or more)`,
    );
    expect(caption).toContain('Not tried: bos-missing');
    expect(caption).not.toContain('Of these');
    const [first, ...others] = shippedMatrix.rows;
    const elsewhere = new DetectionMatrix({ ...shippedMatrix, rows: [{ ...first!, model: 'a/q4.gguf' }, ...others] });
    expect(captionOf(detectionMatrix(elsewhere))).toContain('Of these k-rows-permuted in q4.gguf');
  });
});
