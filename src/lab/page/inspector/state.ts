/**
 * What the inspector's views share: the experiment, where its run is, and what the user has chosen. A link holds the
 * experiment and the choice; everything else follows from them.
 */
import { batch, computed, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Experiment } from '../../inspector/experiment.ts';
import type { Move, RunState } from '../../inspector/requests/move.ts';
import type { Connection, LastingConnection } from './connection.ts';
import { choiceIn } from './fitting.ts';
import { type Opened, openedBy, openedModel } from './opened.ts';

export type Theme = 'light' | 'dark';

/** What is looked at. A view shows what it can of it and changes what the user clicks; null is nothing in particular. */
export interface Choice {
  readonly step: string | null;
  readonly pass: number | null;
  /** Position in the text. */
  readonly token: number | null;
  /** Position of the token that is looked at, in views of attention. */
  readonly key: number | null;
  readonly layer: number | null;
  readonly head: number | null;
}

export const NOTHING: Choice = { step: null, pass: null, token: null, key: null, layer: null, head: null };

export interface Inspector {
  readonly connection: Connection;
  /** Of the page; charts follow. */
  readonly theme: ReadonlySignal<Theme>;
  readonly experiment: Signal<Experiment | null>;
  readonly opened: Signal<Opened | null>;
  readonly run: Signal<RunState | null>;
  /** What a click has locked. */
  readonly locked: Signal<Choice>;
  /** What the pointer or the keyboard is on; wins over `locked` while it is there. */
  readonly hovered: Signal<Partial<Choice> | null>;
  /** The two together: what is lit. */
  readonly choice: ReadonlySignal<Choice>;
  /** The same once the pointer rests; what is locked counts at once. Views ask the session for what this says. */
  readonly rested: ReadonlySignal<Choice>;
  /** The view that is open. */
  readonly view: Signal<string>;
  /** What views keep of their own, as text, by `<view>.<name>`; links hold it. See `useSetting`. */
  readonly settings: Signal<Readonly<Record<string, string>>>;
  /** Long work under way: what is said of it, and how it is stopped. */
  readonly working: Signal<{ readonly says: string; readonly share: number; stop(): void } | null>;
  /** The last failure, until the user puts it away. */
  readonly failure: Signal<string | null>;
  /** Names of the files that the user has given from this computer. */
  readonly dropped: Signal<readonly string[]>;
  /** Where the notebook in front lies, below the lab's folder: its cells run there. */
  notebookFolder(): string;
  /** Begins another experiment, which runs to its end unless told otherwise. */
  begin(experiment: Experiment, moves?: readonly Move[]): Promise<void>;
  move(move: Move): Promise<void>;
}

/** Milliseconds: on its way across the page the pointer asks for nothing. */
const REST = 120;

export function inspectorOver(
  connection: LastingConnection,
  theme: ReadonlySignal<Theme>,
  notebookFolder: () => string = () => '',
): Inspector {
  const experiment = signal<Experiment | null>(null);
  const opened = signal<Opened | null>(null);
  const run = signal<RunState | null>(null);
  const locked = signal<Choice>(NOTHING);
  const hovered = signal<Partial<Choice> | null>(null);
  const choice = computed(() => ({ ...locked.value, ...hovered.value }));
  const rested = restedOver(locked, hovered);
  const working = signal<Inspector['working']['value']>(null);
  const failure = signal<string | null>(null);

  /** How many experiments were begun: only what belongs to the newest is shown. */
  let begun = 0;

  /**
   * Does it with a bar and a way to stop. What goes wrong is shown and leaves everything as it was; null then, and where
   * another experiment was begun meanwhile.
   */
  async function work<T>(
    says: string,
    task: (watch: Parameters<Connection['ask']>[2]) => Promise<T>,
  ): Promise<T | null> {
    const own = begun;
    const controller = new AbortController();
    const stop = () => controller.abort();
    working.value = { says, share: 0, stop };
    const isInBar = () => working.peek()?.stop === stop;
    try {
      const done = await task({
        signal: controller.signal,
        onProgress: ({ task, item, done, total }) => {
          if (isInBar()) working.value = { says: `${task}: ${item}`, share: total > 0 ? done / total : 0, stop };
        },
      });
      return own === begun ? done : null;
    } catch (error) {
      if (own === begun) failure.value = error instanceof Error ? error.message : String(error);
      return null;
    } finally {
      if (isInBar()) working.value = null;
    }
  }

  connection.onRenewed(async () => {
    const [wanted, before] = [experiment.peek(), opened.peek()];
    if (!wanted || before?.kind !== 'model') return;
    try {
      const now = await openedModel(connection, wanted);
      if (opened.peek() === before) opened.value = now;
    } catch (error) {
      failure.value = error instanceof Error ? error.message : String(error);
    }
  });

  return {
    connection,
    theme,
    experiment,
    opened,
    run,
    locked,
    hovered,
    choice,
    rested,
    view: signal('step'),
    settings: signal({}),
    working,
    failure,
    dropped: signal([]),
    notebookFolder,
    async begin(wanted, moves = [{ to: 'end' }]) {
      begun++;
      working.peek()?.stop();
      const found = await work(`opening ${wanted.file}`, (watch) => openedBy(connection, wanted, moves, watch));
      if (!found) return;
      batch(() => {
        experiment.value = wanted;
        opened.value = found.opened;
        run.value = found.run;
        hovered.value = null;
        failure.value = null;
        locked.value = choiceIn(locked.peek(), found.opened, found.run);
      });
    },
    async move(move) {
      const { value } = experiment;
      if (!value) return;
      const state = await work('running', (watch) => connection.ask('move', { experiment: value, move }, watch));
      if (state) run.value = state;
    },
  };
}

function restedOver(
  locked: ReadonlySignal<Choice>,
  hovered: ReadonlySignal<Partial<Choice> | null>,
): ReadonlySignal<Choice> {
  const resting = signal(hovered.peek());
  let lockedBefore = locked.peek();
  let timer: ReturnType<typeof setTimeout> | undefined;
  effect(() => {
    const hover = hovered.value;
    const isLockedAnew = locked.value !== lockedBefore;
    lockedBefore = locked.value;
    clearTimeout(timer);
    if (isLockedAnew) resting.value = hover;
    else if (hover !== resting.peek()) timer = setTimeout(() => (resting.value = hover), REST);
  });
  return computed(() => ({ ...locked.value, ...resting.value }));
}

/** Locks what a click chose, beside what was locked before. */
export function lockOf({ locked, hovered }: Inspector, chosen: Partial<Choice> | null): void {
  if (!chosen) return;
  batch(() => {
    locked.value = { ...locked.peek(), ...chosen };
    hovered.value = null;
  });
}
