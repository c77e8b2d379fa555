/** Every request by its name. To add one: a file here, a line in the table. */
import { arrow } from './arrow.ts';
import { chart } from './chart.ts';
import { drop } from './drop.ts';
import { kind } from './kind.ts';
import { move } from './move.ts';
import { open } from './open.ts';
import { openTrace } from './open_trace.ts';
import { step } from './step.ts';
import { tensor } from './tensor.ts';

export const requests = {
  arrow,
  chart,
  drop,
  kind,
  move,
  open,
  openTrace,
  step,
  tensor,
} as const;

export type Requests = typeof requests;
export type RequestName = keyof Requests;
export type ParamsOf<Name extends RequestName> = Parameters<Requests[Name]>[1];
export type ResultOf<Name extends RequestName> = Awaited<ReturnType<Requests[Name]>>;
