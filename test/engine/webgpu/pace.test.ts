import { expect, test } from 'vitest';
import { Pace } from '../../../src/engine/webgpu/pace.ts';

test('a layer goes whole once one of as many tokens was quick, and no longer once one was slow', () => {
  const pace = new Pace();
  expect(pace.isWhole(1)).toBe(false);
  pace.took(18, 20);
  expect(pace.isWhole(1)).toBe(true);
  expect(pace.isWhole(512)).toBe(false);
  pace.took(18, 900);
  expect(pace.isWhole(512)).toBe(false);
  pace.took(18, 20);
  expect(pace.isWhole(512)).toBe(true);
  pace.took(18, 900);
  expect(pace.isWhole(512)).toBe(false);
});

test('a kernel alone says nothing of a layer', () => {
  const pace = new Pace();
  pace.isWhole(8);
  pace.took(1, 1);
  expect(pace.isWhole(8)).toBe(false);
});
