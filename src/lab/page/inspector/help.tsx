/** The keys, on request. */
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';

const KEYS: readonly (readonly [string, string])[] = [
  ['N · B', 'on or back by one step'],
  ['L', 'on to the end of the layer'],
  ['E', 'on to the end of the text'],
  ['← →', 'in the map: the step before or behind; among tokens: the token before or behind'],
  ['↑ ↓', 'in the map: the same op of the layer above or below'],
  ['Enter', 'look at the step; lock or unlock the token (with Shift: as the key of attention)'],
  ['Backspace', 'in the map: go back to just after the step; what came later is computed again'],
  ['Escape', 'let go of what is locked'],
  ['?', 'this list'],
];

/** A button, and what it opens; `open` is called by the key. */
export function Help({ dialog }: { readonly dialog: { current: HTMLDialogElement | null } }): JSX.Element {
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button
        type="button"
        ref={button}
        title="The keys (?)"
        aria-label="The keys"
        onClick={() => dialog.current?.showModal()}
      >
        ?
      </button>
      <dialog ref={dialog} aria-labelledby="inspector-keys">
        <h2 id="inspector-keys">Keys</h2>
        <dl>
          {KEYS.map(([keys, does]) => (
            <div key={keys}>
              <dt>
                <kbd>{keys}</kbd>
              </dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
        <p class="quiet">
          Hovering shows; a click locks. In the map a click looks at a step, and runs to it where it was not computed
          yet; a double click goes back to it.
        </p>
        <form method="dialog">
          <button type="submit" class="primary">
            Close
          </button>
        </form>
      </dialog>
    </>
  );
}
