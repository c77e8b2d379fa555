/** Program text to read and copy, one of several at a time. */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useId } from 'preact/hooks';

export interface Listing {
  readonly title: string;
  /** Of the text, a line: where it is from. */
  readonly says: string;
  readonly text: string;
}

export function Code({
  listings,
  label,
}: {
  readonly listings: readonly Listing[];
  readonly label: string;
}): JSX.Element | null {
  const chosen = useSignal(0);
  const said = useSignal('');
  const panel = useId();
  const at = Math.min(chosen.value, listings.length - 1);
  const listing = listings[at];
  if (!listing) return null;
  const onKeyDown = (event: KeyboardEvent & { readonly currentTarget: HTMLElement }) => {
    const there = { ArrowLeft: at - 1, ArrowRight: at + 1 }[event.key];
    if (there === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    chosen.value = (there + listings.length) % listings.length;
    event.currentTarget.querySelectorAll<HTMLElement>('[role="tab"]')[chosen.value]?.focus();
  };
  return (
    <div class="code">
      <div class="code-bar">
        <div role="tablist" aria-label={label} class="tabs" onKeyDown={onKeyDown}>
          {listings.map(({ title }, i) => (
            <button
              type="button"
              role="tab"
              key={title}
              aria-selected={i === at}
              aria-controls={i === at ? panel : undefined}
              tabIndex={i === at ? 0 : -1}
              onClick={() => {
                chosen.value = i;
                said.value = '';
              }}
            >
              {title}
            </button>
          ))}
        </div>
        <button
          type="button"
          onClick={async () => {
            try {
              await navigator.clipboard.writeText(listing.text);
              said.value = 'Copied';
            } catch {
              said.value = 'Cannot copy: this browser does not let the page; select the text instead';
            }
          }}
        >
          Copy
        </button>
        <span class="quiet" role="status">
          {said.value}
        </span>
      </div>
      <div role="tabpanel" id={panel} aria-label={listing.title}>
        <p class="quiet">{listing.says}</p>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a text that scrolls must be reachable by keys. */}
        <pre tabIndex={0}>{listing.text}</pre>
      </div>
    </div>
  );
}
