/** Code of cells that look with observers: a run over the same tokens, with the lens or an attribution. */
import { literal, type Subject } from '../cells.ts';

/** A trace was recorded with its observers, or without. */
interface Observed {
  readonly code: string;
  readonly name: string;
}

export function lensCode(subject: Subject, norm: boolean): Observed {
  return observedCode(subject, `lens(${norm ? '' : literal({ norm })})`);
}

/** `options` as code, for a token may be a variable. */
export function attributionCode(subject: Subject, options: string): Observed {
  return observedCode(subject, `attribution(${options})`);
}

function observedCode({ code, name }: Subject, observer: string): Observed {
  if (name === 'trace') return { code, name };
  return { code: `${code}\nconst seen = await model.with(${observer}).start(run.tokens).toEnd();`, name: 'seen' };
}
