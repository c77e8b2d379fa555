/** Colours as they look to those who lack a kind of cone, and the numbers of sentences. */
import { scheme } from 'vega';
import { describe, expect, test } from 'vitest';
import { CATEGORIES, DIVERGING, percent, SEQUENTIAL, short } from '../../src/charts/chart.ts';

type Triple = readonly [number, number, number];

/** Machado, Oliveira and Fernandes 2009: what is left of linear RGB where one kind of cone is missing altogether. */
const VISIONS: Readonly<Record<string, readonly [Triple, Triple, Triple]>> = {
  'all cones': [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

describe.each(Object.keys(VISIONS))('with %s', (vision) => {
  const seen = (colour: string) => labOf(apply(VISIONS[vision] as (typeof VISIONS)[string], linearOf(colour)));
  const lightness = (name: string) => samples(name).map((colour) => seen(colour)[0]);

  test('no two categories look alike', () => {
    for (const [i, a] of CATEGORIES.entries()) {
      for (const b of CATEGORIES.slice(i + 1)) expect(distance(seen(a), seen(b)), `${a} ${b}`).toBeGreaterThan(10);
    }
  });

  test('more of a quantity is lighter', () => {
    const rising = lightness(SEQUENTIAL);
    expect(rising.filter((value, i) => i > 0 && value <= (rising[i - 1] as number))).toEqual([]);
    expect((rising.at(-1) as number) - (rising[0] as number)).toBeGreaterThan(60);
  });

  test('what has a sign is lightest at 0, and its ends do not look alike', () => {
    const values = lightness(DIVERGING);
    const middle = values.length >> 1;
    expect(Math.max(...values)).toBeCloseTo(values[middle] as number, 0);
    const [below, above] = [samples(DIVERGING)[4], samples(DIVERGING).at(-5)] as [string, string];
    expect(distance(seen(below), seen(above))).toBeGreaterThan(20);
  });
});

describe('numbers in a sentence', () => {
  test.each([
    [0, '0'],
    [1234.5, '1230'],
    [1e-5, '1.0e-5'],
    [2.5e6, '2.5e+6'],
  ])('%d is %s', (x, text) => expect(short(x)).toBe(text));

  test.each([
    [0, '0 %'],
    [1, '100 %'],
    [0.99999, '> 99.9 %'],
    [1e-7, '< 0.001 %'],
    [0.125, '12.5 %'],
  ])('the probability %d is %s', (p, text) => expect(percent(p)).toBe(text));
});

/** 33 colours from one end of a scheme to the other, as #rrggbb. */
function samples(name: string): string[] {
  const interpolate = scheme(name) as (at: number) => string;
  return Array.from({ length: 33 }, (_, i) => interpolate(i / 32));
}

/** sRGB, `#rrggbb` or `rgb(r, g, b)`, without its gamma (IEC 61966-2-1). */
function linearOf(colour: string): Triple {
  const parts = colour.startsWith('#')
    ? [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
    : (colour.match(/\d+/g) ?? []).map(Number);
  return parts.map((part) => (part <= 10 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4)) as never;
}

function apply(matrix: readonly [Triple, Triple, Triple], [r, g, b]: Triple): Triple {
  return matrix.map(([x, y, z]) => Math.min(1, Math.max(0, x * r + y * g + z * b))) as never;
}

/** CIE L*a*b* under D65: a step of 2.3 in it can just be seen. */
function labOf([r, g, b]: Triple): Triple {
  const x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505;
  const y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089;
  const [fx, fy, fz] = [x, y, z].map((t) => (t > 216 / 24389 ? Math.cbrt(t) : (24389 / 27) * (t / 116) + 16 / 116));
  return [116 * (fy as number) - 16, 500 * ((fx as number) - (fy as number)), 200 * ((fy as number) - (fz as number))];
}

function distance(a: Triple, b: Triple): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
