/** Attention as a shade over the running text, for texts too long for lines: the darker a token, the more is looked at it. */
import type { JSX } from 'preact';
import { shown } from '../../../../trace/token_label.ts';
import type { LayerPattern } from '../../../inspector/requests/pattern.ts';
import { type Inspector, lockOf } from '../state.ts';
import { focusOf } from './focus.ts';

export function AttentionText({
  pattern: { start, end, weights },
  head,
  inspector,
}: {
  readonly pattern: LayerPattern;
  readonly head: number;
  readonly inspector: Inspector;
}): JSX.Element {
  const query = Math.max(start, Math.min(end - 1, focusOf(inspector, 'choice').token));
  const row = (head * (end - start) + query - start) * end;
  const shares = weights.subarray(row, row + query + 1);
  const most = shares.reduce((a, b) => Math.max(a, b), 1e-9);
  const tokens = inspector.run.value?.tokens.slice(0, end) ?? [];
  return (
    <p class="attention-text">
      {tokens.map(({ piece }, position) => (
        <button
          type="button"
          tabIndex={-1}
          key={position}
          class={position === query ? 'query' : position > query ? 'faint' : ''}
          style={{ '--share': `${Math.sqrt((shares[position] ?? 0) / most)}` }}
          title={
            position > query
              ? `position ${position}`
              : `position ${position}: ${(100 * (shares[position] ?? 0)).toFixed(2)} %`
          }
          onMouseEnter={() => {
            inspector.hovered.value = { token: position };
          }}
          onMouseLeave={() => {
            inspector.hovered.value = null;
          }}
          onClick={() => lockOf(inspector, { token: position })}
        >
          {shown(piece)}
        </button>
      ))}
    </p>
  );
}
