/** Controls that views share: buttons of which one is on, and lists of layers, heads and tokens that set the choice. */
import type { ComponentChildren, JSX } from 'preact';
import { shown } from '../../../../trace/token_label.ts';
import { type Inspector, lockOf } from '../state.ts';
import { type Focus, focusOf } from './focus.ts';

/** One of a few. */
export function Buttons<Value extends string>({
  label,
  options,
  value,
  onChange,
}: {
  readonly label: string;
  readonly options: Readonly<Record<Value, string>>;
  readonly value: Value;
  readonly onChange: (value: Value) => void;
}): JSX.Element {
  return (
    <fieldset class="buttons">
      <legend class="unseen">{label}</legend>
      {(Object.keys(options) as Value[]).map((each) => (
        <button type="button" key={each} aria-pressed={each === value} onClick={() => onChange(each)}>
          {options[each]}
        </button>
      ))}
    </fieldset>
  );
}

/** One of many numbers. */
export function NumberList({
  label,
  count,
  value,
  onChange,
}: {
  readonly label: string;
  readonly count: number;
  readonly value: number;
  readonly onChange: (value: number) => void;
}): JSX.Element {
  return (
    <label>
      {label}
      <select value={value} onChange={({ currentTarget }) => onChange(Number(currentTarget.value))}>
        {Array.from({ length: count }, (_, i) => (
          <option value={i} key={i}>
            {i}
          </option>
        ))}
      </select>
    </label>
  );
}

export function LayerList({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const { nLayer = 0 } = inspector.opened.value?.config ?? {};
  const choose = (layer: number) => lockOf(inspector, { layer });
  return <NumberList label="Layer" count={nLayer} value={focusOf(inspector, 'locked').layer} onChange={choose} />;
}

export function HeadList({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const { nHead = 0 } = inspector.opened.value?.config ?? {};
  const choose = (head: number) => lockOf(inspector, { head });
  return <NumberList label="Head" count={nHead} value={focusOf(inspector, 'locked').head} onChange={choose} />;
}

/** The tokens 0 … end-1. */
export function TokenList({
  inspector,
  label,
  value,
  end,
  onChange,
}: {
  readonly inspector: Inspector;
  readonly label: string;
  readonly value: number;
  readonly end: number;
  readonly onChange: (position: number) => void;
}): JSX.Element {
  const tokens = inspector.run.value?.tokens.slice(0, end) ?? [];
  return (
    <label>
      {label}
      <select value={value} onChange={({ currentTarget }) => onChange(Number(currentTarget.value))}>
        {tokens.map(({ piece }, position) => (
          <option value={position} key={position}>
            {position} {shown(piece)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** In it, arrow keys go through the heads of a layer, left and right, and through the layers, up and down. */
export function HeadKeys({
  inspector,
  children,
}: {
  readonly inspector: Inspector;
  readonly children: ComponentChildren;
}): JSX.Element {
  const onKeyDown = (event: KeyboardEvent) => {
    const isList = event.target instanceof HTMLElement && event.target.closest('select, input, button') !== null;
    const moved = isList ? null : movedBy(event.key, focusOf(inspector, 'locked'));
    const { nLayer = 1, nHead = 1 } = inspector.opened.value?.config ?? {};
    if (!moved || moved.layer < 0 || moved.layer >= nLayer) return;
    event.preventDefault();
    event.stopPropagation();
    lockOf(inspector, { layer: moved.layer, head: (moved.head + nHead) % nHead });
  };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys need a place to be pressed in.
    <fieldset class="keys" tabIndex={0} aria-label="Heads: arrow keys go to others" onKeyDown={onKeyDown}>
      {children}
    </fieldset>
  );
}

function movedBy(key: string, { layer, head }: Focus): Pick<Focus, 'layer' | 'head'> | null {
  switch (key) {
    case 'ArrowLeft':
      return { layer, head: head - 1 };
    case 'ArrowRight':
      return { layer, head: head + 1 };
    case 'ArrowUp':
      return { layer: layer - 1, head };
    case 'ArrowDown':
      return { layer: layer + 1, head };
    default:
      return null;
  }
}
