/** scale: y = factor · x, element by element. A factor of 1 hands a tensor on under another name; one of 0 silences it. */
import { elementwise } from './elementwise.ts';
import type { Op } from './op.ts';
import { numberParam } from './shape.ts';

const name = 'scale';

export const scale: Op = elementwise({
  name,
  formula: 'y = factor · x',
  of: (x, params) => numberParam(name, params, 'factor') * x,
  uniforms: (params) => [{ f32: numberParam(name, params, 'factor') }],
});
