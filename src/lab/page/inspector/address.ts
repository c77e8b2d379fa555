/** The page's address and the inspector say the same: a link that is opened is followed, and what is looked at is written there. */
import { batch, effect } from '@preact/signals';
import type { Move } from '../../inspector/requests/move.ts';
import { hashOf, type Linked, linkedOf, readHash } from './link.ts';
import type { Choice, Inspector } from './state.ts';
import { views } from './views/index.ts';

/** Begins with what the address says. */
export function keepAddress(inspector: Inspector): void {
  const read = async () => {
    try {
      const linked = readHash(location.hash);
      if (linked) await follow(inspector, linked);
    } catch (error) {
      inspector.failure.value = error instanceof Error ? error.message : String(error);
    }
  };
  addEventListener('hashchange', () => void read());
  void read();
  effect(() => {
    const linked = linkedOf(inspector);
    // Not a new entry of the history for each token that is clicked.
    if (linked) history.replaceState(history.state, '', hashOf(linked));
  });
}

/** Brings the inspector to what a link holds, and says what of it is not there any more. */
export async function follow(
  inspector: Inspector,
  { experiment, choice, view, settings, drawn, at }: Linked,
): Promise<void> {
  batch(() => {
    inspector.locked.value = choice;
    inspector.view.value = view;
    inspector.settings.value = settings;
  });
  const move: Move = at === null ? { to: 'end' } : { after: at, pass: drawn };
  await inspector.begin(experiment, [{ drawn }, move]);
  if (inspector.failure.value !== null) return;
  const found = inspector.locked.value;
  const lost = (Object.keys(choice) as (keyof Choice)[])
    .filter((part) => choice[part] !== null && found[part] === null)
    .map((part) => `${part} ${choice[part]}`);
  const missing = drawn - (inspector.run.value?.drawn ?? 0);
  if (missing > 0) lost.push(`${missing} of ${drawn} drawn tokens`);
  if (!views.some(({ id }) => id === view)) lost.push(`the view ${view}`);
  if (lost.length > 0) {
    inspector.failure.value = `Cannot show all of this link: ${lost.join(', ')} ${lost.length > 1 ? 'are' : 'is'} not in this model, text or page; the rest is open`;
  }
}

/** The whole address. */
export function linkOf(inspector: Inspector): string {
  const linked = linkedOf(inspector);
  return `${location.href.replace(/#.*$/, '')}${linked ? hashOf(linked) : ''}`;
}

/** Where the notebook in front lies below the lab's folder, which is where its cells run; the shell has it in the address. */
export function notebookFolder(): string {
  const notebook = new URLSearchParams(location.search).get('notebook') ?? '';
  return notebook.replace(/[^/]*$/, '').replace(/\/$/, '');
}
