/** The frame around the panes: which of them are seen and how wide, how large text is, which theme. */
import { effect, type Signal, signal } from '@preact/signals';
import { type Choice, choice } from '../theme/theme.ts';
import { makeEdge } from './edge.ts';

/** `wide`: the inspector fills the page. */
export type InspectorState = 'open' | 'closed' | 'wide';

export interface Frame {
  readonly files: HTMLElement;
  readonly notebooks: HTMLElement;
  readonly welcome: HTMLElement;
  readonly inspector: HTMLElement;
  readonly notices: HTMLElement;
  readonly inspectorState: Signal<InspectorState>;
}

/** An element of index.html. */
function part<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.querySelector<T>(`#${id}`);
  if (!found) throw new Error(`Cannot build the page: index.html has no #${id}`);
  return found;
}

/** Sizes of text that can be chosen; 1 is JupyterLab's, 2 is for the last row of a lecture hall. */
const TEXT_SIZES = [0.85, 1, 1.15, 1.3, 1.5, 1.75, 2] as const;

export function makeFrame(): Frame {
  const panes = part('panes');
  const files = remembered<'open' | 'closed'>('files', 'open');
  const inspectorState = remembered<InspectorState>('inspector', 'open');
  effect(() => {
    panes.dataset.files = files.value;
    part('files-switch').ariaExpanded = `${files.value === 'open'}`;
  });
  effect(() => {
    panes.dataset.inspector = inspectorState.value;
    part('inspector-switch').ariaExpanded = `${inspectorState.value !== 'closed'}`;
    part('wide-switch').ariaPressed = `${inspectorState.value === 'wide'}`;
  });
  const isAt = (state: InspectorState) => inspectorState.value === state;
  part('files-switch').addEventListener('click', () => {
    files.value = files.value === 'open' ? 'closed' : 'open';
  });
  part('inspector-switch').addEventListener('click', () => {
    inspectorState.value = isAt('closed') ? 'open' : 'closed';
  });
  part('wide-switch').addEventListener('click', () => {
    inspectorState.value = isAt('wide') ? 'open' : 'wide';
  });
  makeEdge({
    edge: part('files-edge'),
    side: 'left',
    property: '--files-width',
    narrowest: 140,
    width: () => 200,
    widest: () => innerWidth * 0.4,
  });
  makeEdge({
    edge: part('inspector-edge'),
    side: 'right',
    property: '--inspector-width',
    narrowest: 280,
    width: () => innerWidth * 0.44,
    widest: () => innerWidth * 0.75,
  });
  makeTextSize();
  makeThemeChoice();
  return {
    files: part('files'),
    notebooks: part('notebooks'),
    welcome: part('welcome'),
    inspector: part('inspector'),
    notices: part('page-notices'),
    inspectorState,
  };
}

function makeTextSize(): void {
  const size = remembered<string>('text-size', '1');
  effect(() => document.documentElement.style.setProperty('--text-scale', size.value));
  const change = (by: number) => () => {
    const at = TEXT_SIZES.findIndex((each) => `${each}` === size.value);
    size.value = `${TEXT_SIZES[at + by] ?? size.value}`;
  };
  part('smaller').addEventListener('click', change(-1));
  part('larger').addEventListener('click', change(1));
}

function makeThemeChoice(): void {
  const select = part<HTMLSelectElement>('theme');
  effect(() => {
    select.value = choice.value;
  });
  select.addEventListener('change', () => {
    choice.value = select.value as Choice;
  });
}

/** A choice that the browser remembers. */
function remembered<T extends string>(name: string, first: T): Signal<T> {
  const key = `layerscope.${name}`;
  const value = signal((localStorage.getItem(key) as T | null) ?? first);
  effect(() => localStorage.setItem(key, value.value));
  return value;
}
