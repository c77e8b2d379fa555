/** The inspector as it stands in its pane: what is run above, the tokens, the map, and the views beside or below it. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LabActions } from '../shell/panes.ts';
import type { FileList } from './files.ts';
import { Frame } from './frame.tsx';
import { Help } from './help.tsx';
import type { Alone } from './index.tsx';
import { StepMap } from './map.tsx';
import { firstExperiment, give, Opening } from './opening.tsx';
import { type Inspector, NOTHING } from './state.ts';
import { Tokens } from './tokens.tsx';
import type { View } from './view.ts';
import { views } from './views/index.ts';
import { layerForth, moveOn, stepBack, stepForth } from './walk.ts';

export function Shell({
  inspector,
  lab,
  listFiles,
}: {
  readonly inspector: Inspector;
  readonly lab: LabActions;
  readonly listFiles: Alone['listFiles'];
}): JSX.Element {
  const files = useFiles(listFiles);
  const pane = useRef<HTMLElement>(null);
  const help = useRef<HTMLDialogElement>(null);
  useKeys(pane, (event) => onKey(event, inspector, help.current));
  const view = views.find(({ id }) => id === inspector.view.value) ?? (views[0] as View);
  return (
    <section
      aria-label="Inspector"
      class="inspector"
      data-theme={inspector.theme.value}
      ref={pane}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void give(inspector, event.dataTransfer?.files[0]);
      }}
    >
      <div class="top">
        <Opening inspector={inspector} lab={lab} files={files} />
        <Help dialog={help} />
      </div>
      <Working inspector={inspector} />
      <Failure inspector={inspector} />
      <Tokens inspector={inspector} />
      {inspector.opened.value ? (
        <div class="panes">
          <StepMap inspector={inspector} />
          <div class="views">
            <Tabs inspector={inspector} shown={view} />
            <div role="tabpanel" id="inspector-view" aria-labelledby={`tab-${view.id}`}>
              <Frame view={view} inspector={inspector} lab={lab} key={view.id} />
            </div>
          </div>
        </div>
      ) : (
        <Welcome inspector={inspector} files={files} />
      )}
    </section>
  );
}

/** Lists the files once, for all who offer them. */
function useFiles(listFiles: Alone['listFiles']): FileList {
  const [files, setFiles] = useState<FileList>({ listed: [], failure: null });
  useEffect(() => {
    listFiles().then(
      (listed) => setFiles({ listed, failure: null }),
      (error: Error) => setFiles({ listed: [], failure: error.message }),
    );
  }, [listFiles]);
  return files;
}

function Tabs({ inspector, shown }: { readonly inspector: Inspector; readonly shown: View }) {
  const list = useRef<HTMLDivElement>(null);
  const open = (index: number) => {
    const view = views[(index + views.length) % views.length];
    if (!view) return;
    inspector.view.value = view.id;
    list.current?.querySelector<HTMLElement>(`#tab-${view.id}`)?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const at = views.indexOf(shown);
    const there = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: views.length - 1 }[event.key];
    if (there === undefined) return;
    event.preventDefault();
    open(there);
  };
  return (
    <div class="tabs" role="tablist" aria-label="Views" ref={list} onKeyDown={onKeyDown}>
      {views.map(({ id, title, says }) => (
        <button
          type="button"
          role="tab"
          id={`tab-${id}`}
          key={id}
          title={says}
          aria-selected={id === shown.id}
          aria-controls={id === shown.id ? 'inspector-view' : undefined}
          tabIndex={id === shown.id ? 0 : -1}
          onClick={() => {
            inspector.view.value = id;
          }}
        >
          {title}
        </button>
      ))}
    </div>
  );
}

/** Long work under way. What takes a moment is not announced. The button stays where it is while the words change. */
function Working({ inspector }: { readonly inspector: Inspector }) {
  const { value } = inspector.working;
  return (
    <div class="working" role="status" aria-live="polite">
      {value && (
        <>
          <progress value={value.share > 0 ? value.share : undefined} aria-label={value.says} />
          <button type="button" onClick={() => value.stop()}>
            Stop
          </button>
          <span>{value.says}</span>
        </>
      )}
    </div>
  );
}

function Failure({ inspector: { failure } }: { readonly inspector: Inspector }) {
  return (
    <div role="alert">
      {failure.value !== null && (
        <div class="banner">
          <p>{failure.value}</p>
          <button
            type="button"
            aria-label="Put this message away"
            onClick={() => {
              failure.value = null;
            }}
          >
            ✕
          </button>
        </div>
      )}
    </div>
  );
}

/** Files that are offered as buttons before one is open; the list above has all. */
const MOST_OFFERED = 6;

function Welcome({ inspector, files }: { readonly inspector: Inspector; readonly files: FileList }) {
  const models = files.listed.filter(({ path }) => path.endsWith('.gguf')).slice(0, MOST_OFFERED);
  return (
    <div class="first-words">
      <h2>Look into a model</h2>
      <p>
        Choose a model. Its steps appear as a map, layers down and ops across; click one to see what it computed: its
        formula, its numbers, its kernel. The tokens of the text stand on top, and what you choose there every view
        shows.
      </p>
      <p class="offered">
        {models.map(({ path }) => (
          <button type="button" key={path} onClick={() => void inspector.begin(firstExperiment(path))}>
            {path.replace(/^.*\//, '')}
          </button>
        ))}
      </p>
    </div>
  );
}

/**
 * Hears the keys that are pressed in the pane, and those that are pressed nowhere when it was the last to be clicked or focused: what
 * had the focus may have gone, as a button does that has done its work.
 */
function useKeys(pane: { readonly current: HTMLElement | null }, onKeyDown: (event: KeyboardEvent) => void): void {
  const latest = useRef(onKeyDown);
  latest.current = onKeyDown;
  useEffect(() => {
    let isOurs = true;
    const isInside = ({ target }: Event) => target instanceof Node && (pane.current?.contains(target) ?? false);
    const note = (event: Event) => {
      isOurs = isInside(event);
    };
    const hear = (event: KeyboardEvent) => {
      if (isInside(event) || (isOurs && event.target === document.body)) latest.current(event);
    };
    document.addEventListener('pointerdown', note);
    document.addEventListener('focusin', note);
    document.addEventListener('keydown', hear);
    return () => {
      document.removeEventListener('pointerdown', note);
      document.removeEventListener('focusin', note);
      document.removeEventListener('keydown', hear);
    };
  }, [pane]);
}

/** Keys that work wherever the focus is, but in fields. */
function onKey(event: KeyboardEvent, inspector: Inspector, help: HTMLDialogElement | null): void {
  const { target, altKey, ctrlKey, metaKey } = event;
  const isField = target instanceof HTMLElement && target.closest('input, select, textarea, dialog') !== null;
  if (isField || altKey || ctrlKey || metaKey || event.defaultPrevented) return;
  const isIdle = inspector.working.value === null;
  const canGoOn = isIdle && (inspector.run.value?.next ?? null) !== null;
  const keys: Readonly<Record<string, () => unknown>> = {
    n: () => canGoOn && stepForth(inspector),
    l: () => canGoOn && layerForth(inspector),
    e: () => canGoOn && moveOn(inspector, { to: 'end' }),
    b: () => isIdle && stepBack(inspector)?.(),
    Escape: () => {
      inspector.locked.value = NOTHING;
      inspector.hovered.value = null;
    },
    '?': () => help?.showModal(),
  };
  const action = Object.hasOwn(keys, event.key) ? keys[event.key] : undefined;
  if (!action) return;
  event.preventDefault();
  action();
}
