import { expect, test } from 'vitest';
import { detectionText } from '../../src/compare/detection_text.ts';
import { shippedMatrix } from '../charts/detection.ts';

const lines = detectionText(shippedMatrix).split('\n');
const lineOf = (start: string) =>
  lines
    .find((line) => line.trim().startsWith(start))
    ?.trim()
    .split(/ {2,}/);

test('a fault has a letter for each evidence that notices it in a probe, and its first tensors', () => {
  expect(lineOf('rope-pairing')).toEqual([
    ...['rope-pairing', '–', 'SF·CELK·', 'SF·CE·K·', 'SF·CELK·', 'SF·CE·KA', 'Qcur_rope-0'],
  ]);
  expect(lineOf('softmax-without-max')?.slice(1, 3)).toEqual(['SFMCELKA', '=']);
});

test('each evidence is told with what it missed alone and when it notices', () => {
  const rms = shippedMatrix.missed.find(({ evidence }) => evidence === 'RMS');
  expect(lineOf('M  RMS')?.slice(0, 4)).toEqual(['M', 'RMS', `${rms?.missed}`, `${rms?.missedLarge}`]);
  expect(lineOf('M  RMS')?.at(-1)).toMatch(/^above 0\.01: /);
  expect(lines.join('\n')).toContain('Left out:\n  bos-missing: it changes the ids of a text');
});
