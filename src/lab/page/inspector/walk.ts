/** Walking through a run: what a click on the map and a key do. To look at what was computed never moves the run. */
import type { Move } from '../../inspector/requests/move.ts';
import { type Inspector, lockOf } from './state.ts';

/** The names that the pass under way has computed. */
export function computedNow({ run }: Inspector): ReadonlySet<string> {
  const { rows = [], passes = 0 } = run.value ?? {};
  return new Set(rows.flatMap(({ name, pass }) => (pass === passes - 1 ? name : [])));
}

/** Looks at a step; the run goes on to it where it was not computed yet. */
export async function goTo(inspector: Inspector, name: string): Promise<void> {
  lookAt(inspector, name);
  const { run } = inspector;
  const isThere = run.value?.rows.some((row) => row.name === name) ?? false;
  if (!isThere) await inspector.move({ after: name });
}

/** Has the run go back to just after a step that it has computed: what came later is computed again. */
export async function backTo(inspector: Inspector, name: string): Promise<void> {
  await inspector.move({ after: name });
  lookAt(inspector, name);
}

/** Moves the run, and looks at where it is then. */
export async function moveOn(inspector: Inspector, move: Move): Promise<void> {
  await inspector.move(move);
  const at = inspector.run.value?.at;
  if (at) lookAt(inspector, at);
}

export const stepForth = (inspector: Inspector): Promise<void> => moveOn(inspector, { to: 'step' });

/** To the end of the layer that the next step is of; a step that is in none goes alone. */
export function layerForth(inspector: Inspector): Promise<void> {
  const { next } = inspector.run.value ?? {};
  const layer = inspector.opened.value?.steps.find(({ name }) => name === next)?.layer ?? null;
  return moveOn(inspector, layer === null ? { to: 'step' } : { layer });
}

/** One step back; null where the run stands at the first step of its pass. */
export function stepBack(inspector: Inspector): (() => Promise<void>) | null {
  const { rows = [], passes = 0 } = inspector.run.value ?? {};
  const before = rows.at(-2);
  return before && before.pass === passes - 1 ? () => backTo(inspector, before.name) : null;
}

/** Looks at the step that lies so many further in the pass; the run goes there where it was not yet. */
export async function walkBy(inspector: Inspector, from: string, distance: number): Promise<string | null> {
  const { steps = [] } = inspector.opened.value ?? {};
  const there = steps[steps.findIndex(({ name }) => name === from) + distance]?.name ?? null;
  if (there !== null) await goTo(inspector, there);
  return there;
}

function lookAt(inspector: Inspector, name: string): void {
  const layer = inspector.opened.value?.steps.find((step) => step.name === name)?.layer ?? null;
  lockOf(inspector, layer === null ? { step: name } : { step: name, layer });
}
