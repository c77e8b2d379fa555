/** What of a choice there is in a model and a run: another model has other layers, another text other tokens. */
import type { RunState } from '../../inspector/requests/move.ts';
import type { Opened } from './opened.ts';
import type { Choice } from './state.ts';

/** The choice, with null for what is not there. */
export function choiceIn(choice: Choice, { config, steps }: Opened, { tokens, passes }: RunState): Choice {
  const below = (value: number | null, end: number) => (value !== null && value < end ? value : null);
  return {
    step: steps.some(({ name }) => name === choice.step) ? choice.step : null,
    pass: below(choice.pass, passes),
    token: below(choice.token, tokens.length),
    key: below(choice.key, tokens.length),
    layer: below(choice.layer, config.nLayer),
    head: below(choice.head, config.nHead),
  };
}
