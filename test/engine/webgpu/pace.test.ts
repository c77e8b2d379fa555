import { expect, test } from 'vitest';
import { Pace } from '../../../src/engine/webgpu/pace.ts';

test('layers go whole once one of as many tokens was quick, and no longer once one was slow', () => {
  const pace = new Pace();
  expect(pace.layersAtOnce(1)).toBe(0);
  pace.took(1, 18, 60);
  expect(pace.layersAtOnce(1)).toBe(1);
  expect(pace.layersAtOnce(512)).toBe(0);
  pace.took(1, 18, 900);
  expect(pace.layersAtOnce(512)).toBe(0);
  pace.took(1, 18, 60);
  expect(pace.layersAtOnce(512)).toBe(1);
  pace.took(1, 18, 900);
  expect(pace.layersAtOnce(512)).toBe(0);
});

test('as many quick layers go as one as take 50 ms', () => {
  const pace = new Pace();
  pace.layersAtOnce(1);
  pace.took(1, 18, 5);
  expect(pace.layersAtOnce(1)).toBe(10);
  pace.took(10, 180, 100);
  expect(pace.layersAtOnce(1)).toBe(5);
  pace.took(5, 90, 1000);
  expect(pace.layersAtOnce(1)).toBe(0);
});

test('a kernel alone says nothing of a layer', () => {
  const pace = new Pace();
  pace.layersAtOnce(8);
  pace.took(1, 1, 1);
  expect(pace.layersAtOnce(8)).toBe(0);
});
