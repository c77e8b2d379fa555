/** The text's tokens across the top: what is looked at, chosen by pointer or keys, and shared by every view. */
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { shown } from '../../../trace/token_label.ts';
import type { RunState } from '../../inspector/requests/move.ts';
import { type Inspector, lockOf } from './state.ts';

export function Tokens({ inspector }: { readonly inspector: Inspector }): JSX.Element | null {
  const list = useRef<HTMLDivElement>(null);
  const { run, locked, hovered, choice } = inspector;
  if (!run.value) return null;
  const { tokens, drawn } = run.value;
  const evaluated = evaluatedTokens(run.value);
  const { token: query, key } = choice.value;
  const current = locked.value.token ?? 0;

  const focus = (position: number) => {
    if (position < 0 || position >= tokens.length) return;
    lockOf(inspector, { token: position });
    list.current?.querySelectorAll<HTMLElement>('[role="option"]')[position]?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const there = {
      ArrowLeft: current - 1,
      ArrowRight: current + 1,
      Home: 0,
      End: tokens.length - 1,
    }[event.key];
    if (there === undefined) return;
    event.preventDefault();
    focus(there);
  };
  const click = (position: number, asKey: boolean) => {
    const part = asKey ? 'key' : 'token';
    const isLocked = locked.value[part] === position;
    lockOf(inspector, { [part]: isLocked ? null : position });
  };

  return (
    <div class="tokens">
      <div class="strip" role="listbox" aria-label="Tokens of the text" ref={list} onKeyDown={onKeyDown}>
        {tokens.map(({ id, piece }, position) => (
          <div
            role="option"
            class={[
              'token',
              /^<.*>$/.test(piece) ? 'special' : '',
              position >= tokens.length - drawn ? 'drawn' : '',
              position >= evaluated ? 'not-yet' : '',
              position === query ? 'query' : '',
              position === key ? 'key' : '',
            ].join(' ')}
            key={position}
            tabIndex={position === current ? 0 : -1}
            aria-selected={position === locked.value.token}
            aria-label={`token ${position}: ${shown(piece)}${position === key ? ', the key' : ''}`}
            title={`${shown(piece)}, position ${position}, id ${id}${position >= evaluated ? ', not run yet' : ''}`}
            onMouseEnter={() => {
              hovered.value = { token: position };
            }}
            onMouseLeave={() => {
              hovered.value = null;
            }}
            onClick={(event) => click(position, event.shiftKey)}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' && event.key !== ' ') return;
              event.preventDefault();
              click(position, event.shiftKey);
            }}
          >
            <span class="position">{position}</span>
            <span class="piece">{shown(piece)}</span>
          </div>
        ))}
      </div>
    </div>
  );
}

/** How many tokens a pass has been over, be it in part. */
function evaluatedTokens({ rows }: RunState): number {
  // Only steps whose first axis is the token tell; the first of each pass is one.
  const first = rows.filter(({ name }) => name === rows[0]?.name);
  return first.reduce((most, { pos0, shape }) => Math.max(most, pos0 + (shape[0] ?? 0)), 0);
}
