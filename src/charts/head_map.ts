/** One number per attention head as a map: layers downwards, in the order they run, heads across. */
import { DIVERGING, FOUR_DIGITS, type Layers, SEQUENTIAL } from './chart.ts';

export interface HeadValue {
  readonly layer: number;
  readonly head: number;
  readonly value: number;
}

export interface HeadMap {
  /** Above the map where it is beside others. */
  readonly title: string;
  /** Over its colours. */
  readonly unit: string;
  readonly domain: readonly [number, number];
  /** Values have a sign, and the domain is as wide on either side of 0. */
  readonly isSigned?: boolean;
  readonly values: readonly HeadValue[];
}

/** Pixels of a head; with more heads than `MOST_NUMBERED` in a layer there is no room for the number in it. */
const [WIDE, NARROW] = [38, 12];
const MOST_NUMBERED = 16;

export function headMap({ title, unit, domain, isSigned = false, values }: HeadMap): Layers {
  const heads = 1 + values.reduce((most, { head }) => Math.max(most, head), 0);
  const isNumbered = heads <= MOST_NUMBERED;
  const axis = { labelAngle: 0, labelOverlap: 'parity', ticks: false, domain: false } as const;
  const x = { field: 'head', type: 'ordinal', title: 'head', axis } as const;
  const y = { field: 'layer', type: 'ordinal', title: 'layer', axis } as const;
  const tooltip = [
    { field: 'layer', type: 'ordinal', title: 'layer' },
    { field: 'head', type: 'ordinal', title: 'head' },
    { field: 'value', type: 'quantitative', title: unit, format: FOUR_DIGITS },
  ] as const;
  const [least, most] = domain;
  // viridis is light at its upper end, a diverging scheme in its middle.
  const isLight = isSigned ? `abs(datum.value) < ${most / 2}` : `datum.value > ${(least + most) / 2}`;
  return {
    title: { text: title, fontSize: 12, anchor: 'middle', offset: 6 },
    width: { step: isNumbered ? WIDE : NARROW },
    height: { step: isNumbered ? 24 : NARROW },
    data: { values: [...values] },
    layer: [
      {
        mark: { type: 'rect', aria: false },
        encoding: {
          ...{ x, y, tooltip: [...tooltip] },
          color: {
            field: 'value',
            type: 'quantitative',
            title: unit,
            scale: { scheme: isSigned ? DIVERGING : SEQUENTIAL, domain: [...domain] },
            legend: { gradientLength: 120, format: FOUR_DIGITS },
          },
        },
      },
      ...(isNumbered
        ? [
            {
              mark: { type: 'text', fontSize: 10, aria: false },
              encoding: {
                ...{ x, y, tooltip: [...tooltip] },
                text: { field: 'value', type: 'quantitative', format: '.2f' },
                color: { condition: { test: isLight, value: 'black' }, value: 'white' },
              },
            } as const,
          ]
        : []),
    ],
  };
}

/** `2.5`: layer and head, as papers name a head. */
export function headName({ layer, head }: { readonly layer: number; readonly head: number }): string {
  return `${layer}.${head}`;
}
