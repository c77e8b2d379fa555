/** Every request by its name. To add one: a file here, a line in the table. */
import { against } from './against.ts';
import { arrow } from './arrow.ts';
import { bits } from './bits.ts';
import { chart } from './chart.ts';
import { compare } from './compare.ts';
import { comparisonCharts } from './comparison_charts.ts';
import { difference } from './difference.ts';
import { drop } from './drop.ts';
import { eliminate } from './eliminate.ts';
import { faults } from './faults.ts';
import { heatmap } from './heatmap.ts';
import { hunt } from './hunt.ts';
import { kind } from './kind.ts';
import { move } from './move.ts';
import { open } from './open.ts';
import { openTrace } from './open_trace.ts';
import { pair } from './pair.ts';
import { pattern } from './pattern.ts';
import { qk } from './qk.ts';
import { spread } from './spread.ts';
import { step } from './step.ts';
import { suspect } from './suspect.ts';
import { tensor } from './tensor.ts';

export const requests = {
  against,
  arrow,
  bits,
  chart,
  difference,
  compare,
  comparisonCharts,
  drop,
  eliminate,
  faults,
  heatmap,
  hunt,
  kind,
  move,
  open,
  openTrace,
  pattern,
  qk,
  pair,
  spread,
  step,
  suspect,
  tensor,
} as const;

export type Requests = typeof requests;
export type RequestName = keyof Requests;
export type ParamsOf<Name extends RequestName> = Parameters<Requests[Name]>[1];
export type ResultOf<Name extends RequestName> = Awaited<ReturnType<Requests[Name]>>;
