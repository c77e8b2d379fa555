/** The bar at the top: which model or trace, which text, and how far it runs. */
import { untracked, useSignal, useSignalEffect } from '@preact/signals';
import type { JSX } from 'preact';
import { useId } from 'preact/hooks';
import type { ChangeSpec, Experiment } from '../../inspector/experiment.ts';
import type { LabActions } from '../shell/panes.ts';
import type { FileList } from './files.ts';
import type { Inspector } from './state.ts';
import { layerForth, moveOn, stepBack, stepForth } from './walk.ts';

/** What is run of a text that nobody has chosen yet: two people, so that heads have something to point at. */
const FIRST_TEXT = 'Lily gave the ball to Tom. Tom thanked';

/** What a new experiment is made of, before it is begun. */
interface Draft {
  readonly file: string;
  readonly backend: Experiment['backend'];
  readonly text: string;
  readonly bos: Flag;
  readonly chat: boolean;
}

/** `model`: as the model's metadata says. */
type Flag = 'model' | 'yes' | 'no';

const FIRST_DRAFT: Draft = { file: '', backend: 'webgpu', text: FIRST_TEXT, bos: 'model', chat: false };

export function Opening({
  inspector,
  lab,
  files,
}: {
  readonly inspector: Inspector;
  readonly lab: LabActions;
  readonly files: FileList;
}): JSX.Element {
  const draft = useSignal(FIRST_DRAFT);
  const note = useId();
  const set = (part: Partial<Draft>) => {
    draft.value = { ...draft.peek(), ...part };
  };
  // What a link or another view has begun is what the bar shows.
  useSignalEffect(() => {
    const { value } = inspector.experiment;
    if (value) draft.value = draftOf(value);
  });
  useSignalEffect(() => {
    const chosen = lab.chosenFile.value;
    if (chosen) untracked(() => void begin({ file: chosen }));
  });
  useSignalEffect(() => {
    const [given] = inspector.dropped.value;
    if (given) untracked(() => void begin({ file: given }));
  });

  const { file, backend, text, bos, chat } = draft.value;
  const offered = [...new Set([...inspector.dropped.value, ...files.listed.map(({ path }) => path)])];
  const { value: opened } = inspector.opened;
  const isModel = opened?.file === file ? opened.kind === 'model' : !file.endsWith('.arrow');
  const begin = async (part: Partial<Draft> = {}) => {
    set(part);
    const wanted = draft.peek();
    if (wanted.file === '') return;
    await inspector.begin(experimentOf(wanted, inspector.experiment.peek()));
    // A file that could not be opened is not the one that is open.
    const open = inspector.experiment.peek()?.file ?? '';
    if (draft.peek().file === wanted.file && open !== wanted.file) set({ file: open });
  };
  return (
    <form
      class="opening"
      aria-label="What is run"
      onSubmit={(event) => {
        event.preventDefault();
        void begin();
      }}
    >
      <div class="row">
        <label class="file">
          <span>Model</span>
          <select value={file} onChange={({ currentTarget }) => void begin({ file: currentTarget.value })}>
            <option value="" disabled>
              Choose a model or a trace
            </option>
            {file !== '' && !offered.includes(file) && <option value={file}>{file}</option>}
            {offered.map((path) => (
              <option value={path} key={path}>
                {inspector.dropped.value.includes(path) ? `${path} (from this computer)` : path}
              </option>
            ))}
          </select>
        </label>
        <label class="button" title="A .gguf or .arrow file; it stays on this computer. Dropping it here does the same">
          Open file …
          <input
            type="file"
            class="file-input"
            accept=".gguf,.arrow"
            onChange={({ currentTarget }) => {
              void give(inspector, currentTarget.files?.[0]);
              currentTarget.value = '';
            }}
          />
        </label>
        {isModel && (
          <>
            <label title="Where it is computed: on the GPU, or by plain TypeScript in f64">
              <span>Backend</span>
              <select
                value={backend}
                onChange={({ currentTarget }) => set({ backend: currentTarget.value as Draft['backend'] })}
              >
                <option value="webgpu">WebGPU</option>
                <option value="reference">reference</option>
              </select>
            </label>
            <label title="Whether the text begins with the token for a beginning; auto: as the model’s file says">
              <span>BOS</span>
              <select value={bos} onChange={({ currentTarget }) => set({ bos: currentTarget.value as Flag })}>
                <option value="model">auto</option>
                <option value="yes">yes</option>
                <option value="no">no</option>
              </select>
            </label>
            <label title="Put the text into the model’s chat template, as a question">
              <input
                type="checkbox"
                checked={chat}
                onChange={({ currentTarget }) => set({ chat: currentTarget.checked })}
              />
              <span>chat template</span>
            </label>
          </>
        )}
      </div>
      {isModel && (
        <div class="row">
          <label class="text">
            <span>Text</span>
            <input
              type="text"
              value={text}
              aria-describedby={note}
              onInput={({ currentTarget }) => set({ text: currentTarget.value })}
            />
          </label>
          <button type="submit" class="primary" disabled={file === '' || inspector.working.value !== null}>
            Run
          </button>
          {inspector.experiment.value && <Movers inspector={inspector} />}
        </div>
      )}
      <p class="quiet opened-as" id={note} title={inspector.opened.value ? saidOf(inspector) : undefined}>
        {inspector.opened.value
          ? saidOf(inspector)
          : (files.failure ??
            'Choose a model above, or drop a .gguf or .arrow file here. Nothing leaves this computer.')}
      </p>
    </form>
  );
}

/** A file from this computer: the session reads it by range from the page. It is opened as the one that was given last. */
export async function give({ connection, dropped, failure }: Inspector, file: File | undefined): Promise<void> {
  if (!file) return;
  try {
    const name = await connection.drop(file);
    dropped.value = [name, ...dropped.peek().filter((other) => other !== name)];
  } catch (error) {
    failure.value = error instanceof Error ? error.message : String(error);
  }
}

/** What runs the text on and back, and what it is run with. */
function Movers({ inspector }: { readonly inspector: Inspector }) {
  const count = useSignal(1);
  const { run, working, experiment } = inspector;
  const isBusy = working.value !== null;
  const isDone = run.value?.next === null;
  const back = stepBack(inspector);
  return (
    <fieldset class="row movers" aria-label="Run on or back">
      <button type="button" disabled={isBusy || !back} title="Back by one step (B)" onClick={() => void back?.()}>
        ← Back
      </button>
      <button
        type="button"
        disabled={isBusy || isDone}
        title="On by one step (N)"
        onClick={() => void stepForth(inspector)}
      >
        Step →
      </button>
      <button
        type="button"
        disabled={isBusy || isDone}
        title="To the end of the layer (L)"
        onClick={() => void layerForth(inspector)}
      >
        Layer ⇥
      </button>
      <button
        type="button"
        disabled={isBusy || isDone}
        title="Until every token has been through the model (E)"
        onClick={() => void moveOn(inspector, { to: 'end' })}
      >
        End ⇥
      </button>
      <span class="draw">
        <button
          type="button"
          disabled={isBusy}
          title="Continue the text by its likeliest tokens, and run them"
          onClick={async () => {
            await inspector.move({ draw: count.value });
            if (inspector.failure.value === null) await inspector.move({ to: 'end' });
          }}
        >
          Draw
        </button>
        <input
          type="number"
          min={1}
          max={200}
          aria-label="How many tokens to draw"
          value={count.value}
          onInput={({ currentTarget }) => {
            count.value = Math.max(1, Math.min(200, Math.floor(currentTarget.valueAsNumber) || 1));
          }}
        />
        <span class="quiet">tokens</span>
      </span>
      {experiment.value && <Changed inspector={inspector} experiment={experiment.value} />}
    </fieldset>
  );
}

/** What was changed on purpose, each with a way to take it out. */
function Changed({ inspector, experiment }: { readonly inspector: Inspector; readonly experiment: Experiment }) {
  const { faults, changes, hunt } = experiment;
  const without = (part: Partial<Experiment>) => void inspector.begin({ ...experiment, ...part });
  return (
    <>
      {faults.map((each) => (
        <Chip
          text={each.fault}
          title={`The fault ${each.fault} is in the model; click to take it out`}
          take={() => without({ faults: faults.filter((other) => other !== each) })}
          key={each.fault}
        />
      ))}
      {changes.map((each, i) => (
        <Chip
          text={changeText(each)}
          title="This change is made while it runs; click to take it out"
          take={() => without({ changes: changes.filter((other) => other !== each) })}
          key={i}
        />
      ))}
      {hunt && (
        <button
          type="button"
          class="chip"
          title="A fault is hidden in the model: go to Blind mode, to name it or to give up"
          onClick={() => {
            inspector.view.value = 'blind';
          }}
        >
          hunt {hunt.seed}
        </button>
      )}
    </>
  );
}

function changeText({ tensor, how, by, token, head }: ChangeSpec): string {
  const where = [head === undefined ? '' : ` head ${head}`, token === undefined ? '' : ` token ${token}`].join('');
  return `${tensor}${where}: ${how}${by === undefined ? '' : ` ${by}`}`;
}

function Chip({ text, title, take }: { readonly text: string; readonly title: string; take(): void }) {
  return (
    <button type="button" class="chip" title={title} onClick={take}>
      {text} ✕
    </button>
  );
}

function saidOf({ opened, run }: Inspector): string {
  const { kind, backend, config, notice } = opened.value ?? {};
  const sizes = config
    ? `${config.nLayer} layers, ${config.nHead} heads${config.nHeadKv < config.nHead ? ` over ${config.nHeadKv} of keys` : ''}, ${config.nEmbd} dimensions`
    : '';
  const where = [backend?.name, backend?.adapter].filter(Boolean).join(', ');
  const what =
    kind === 'trace' ? `A trace, computed on ${where || 'an unknown backend'}: ${sizes}` : `${sizes}; on ${where}`;
  return [what, notice, run.value?.stopped].filter(Boolean).join('. ');
}

function draftOf({ file, backend, text, bos, chat = false }: Experiment): Draft {
  return { file, backend, text, bos: bos === undefined ? 'model' : bos ? 'yes' : 'no', chat };
}

/** A file that is chosen before anything is: with the text that a newcomer sees first. */
export const firstExperiment = (file: string): Experiment => experimentOf({ ...FIRST_DRAFT, file }, null);

/** What is changed on purpose stays while the model is the same. */
function experimentOf({ file, backend, text, bos, chat }: Draft, before: Experiment | null): Experiment {
  const { faults, changes, hunt } = before?.file === file ? before : { faults: [], changes: [] };
  return {
    ...{ file, backend, text, faults, changes },
    ...(hunt ? { hunt } : {}),
    ...(bos === 'model' ? {} : { bos: bos === 'yes' }),
    ...(chat ? { chat } : {}),
  };
}
