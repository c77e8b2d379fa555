/** Every request by its name. To add one: a file here, a line in the table. */
import { chart } from './chart.ts';
import { move } from './move.ts';
import { open } from './open.ts';

export const requests = { chart, move, open } as const;

export type Requests = typeof requests;
export type RequestName = keyof Requests;
export type ParamsOf<Name extends RequestName> = Parameters<Requests[Name]>[1];
export type ResultOf<Name extends RequestName> = Awaited<ReturnType<Requests[Name]>>;
