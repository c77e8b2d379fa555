/**
 * Changes made on purpose: a tensor, a head of it or a token's row is zeroed, scaled, made noisy, set, or replaced by what it is over
 * another text; the rest is computed again beside the run without it, and the difference is drawn. Only what is kept becomes part
 * of the experiment.
 */
import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Tensor } from '../../../../trace/tensor.ts';
import { shown } from '../../../../trace/token_label.ts';
import type { ChangeSpec, Experiment } from '../../../inspector/experiment.ts';
import { BESIDE } from '../../../inspector/logits_beside.ts';
import type { TrialSpec } from '../../../inspector/requests/difference.ts';
import type { StepCard } from '../../../inspector/requests/open.ts';
import { Answered, useAnswer, useSetting } from '../answer.tsx';
import { called, literal, subjectOf } from '../cells.ts';
import { Chart } from '../chart.tsx';
import type { Inspector } from '../state.ts';
import type { View } from '../view.ts';
import { StackedChart } from './asked_chart.tsx';
import { focusOf } from './focus.ts';
import { Buttons } from './pickers.tsx';
import { readTrials, writeTrials } from './trials.ts';

const KEY = 'edit.changes';
/** A head alone is what a newcomer can best follow: a part of the model, and not all of a layer. */
const FIRST_CHOICE = 'kqv_out-0';

export const edit: View = {
  id: 'edit',
  title: 'Edit',
  says: 'Change a tensor, a head or a token’s row, and see what becomes of everything after it.',
  Body,
  cell(inspector) {
    const sides = sidesOf(inspector);
    const state = inspector.run.value;
    if (!sides || !state) return null;
    const { base, changes } = sides;
    const subject = subjectOf({ ...inspector, experiment: signal(base), run: signal({ ...state, next: null }) });
    if (subject?.name !== 'run') return null;
    const made = changes.map((trial) => trialCode(trial, base)).join(', ');
    return [
      subject.code,
      `const changed = await model.with(${made}).start(run.tokens).toEnd();`,
      `display(await charts.logitsBeside(changed, run, ${literal(BESIDE)}));`,
      'display(await charts.differenceMap(changed, run));',
      'display(await charts.differenceGrowth(changed, run));',
    ].join('\n');
  },
  tensors(inspector) {
    const sides = sidesOf(inspector);
    if (!sides) return null;
    const { base, changes } = sides;
    return inspector.connection.ask('difference', { experiment: base, changes }).then(({ distances }) =>
      distances.map(({ name, pass, relativeRmsError }) => {
        const data = Float32Array.of(relativeRmsError);
        const of = pass === 0 ? name : `${name} of pass ${pass}`;
        return new Tensor({ name: `relative RMS difference of ${of}`, shape: [1], dims: ['one'], data });
      }),
    );
  },
};

/** As a transform of `model`. */
function trialCode(trial: TrialSpec, { bos, chat }: Experiment): string {
  if (trial.how !== 'replace') {
    const { tensor, ...how } = trial;
    return called('change', tensor, how);
  }
  const { tensor, how: _, text, ...place } = trial;
  const other = `await ${called('model.start', text, { bos, chat })}.toEnd()`;
  return `patch(${[literal(tensor), other, ...(Object.keys(place).length > 0 ? [literal(place)] : [])].join(', ')})`;
}

/** What is compared: the experiment and what was changed since; or, of one that was kept, what it is without its changes. */
function sidesOf({
  experiment,
  settings,
}: Inspector): { readonly base: Experiment; readonly changes: readonly TrialSpec[] } | null {
  const { value } = experiment;
  const changes = readTrials(settings.value[KEY]);
  if (!value) return null;
  if (changes.length > 0) return { base: value, changes };
  return value.changes.length > 0 ? { base: { ...value, changes: [] }, changes: value.changes } : null;
}

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const [written, write] = useSetting(inspector, KEY, '');
  const { opened, experiment } = inspector;
  if (!experiment.value || !opened.value) return <p class="quiet">Open a model first: choose one above.</p>;
  if (opened.value.kind === 'trace') {
    return (
      <p class="quiet">
        This is a trace, which holds what was computed. Open its model: then there is something to compute.
      </p>
    );
  }
  const pending = readTrials(written);
  const set = (trials: readonly TrialSpec[]) => write(writeTrials(trials));
  return (
    <>
      <ChangeForm inspector={inspector} onChange={(change) => set([...pending, change])} />
      <Pending pending={pending} set={set} inspector={inspector} />
      <Kept inspector={inspector} />
      <Effect inspector={inspector} />
    </>
  );
}

const HOWS = { zero: 'Zero', scale: 'Scale', noise: 'Noise', set: 'Set', replace: 'Replace' } as const;
type How = keyof typeof HOWS;

/** What `by` is, and where it begins. */
const BY = {
  zero: null,
  scale: { label: 'by', initial: 2 },
  noise: { label: 'of the RMS', initial: 1 },
  set: { label: 'to', initial: 0 },
  replace: null,
} as const;

const ALL = 'all';

/** A place along an axis, by its number, or `ALL`; not to be chosen where the tensor has no such axis. */
function OneOrAll({
  label,
  value,
  isThere,
  names,
  onChange,
}: {
  readonly label: string;
  readonly value: string;
  readonly isThere: boolean;
  readonly names: readonly string[];
  readonly onChange: (value: string) => void;
}) {
  return (
    <label>
      {label}
      <select value={value} disabled={!isThere} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        <option value={ALL}>every one</option>
        {names.map((name, i) => (
          <option value={`${i}`} key={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function ChangeForm({
  inspector,
  onChange,
}: {
  readonly inspector: Inspector;
  readonly onChange: (trial: TrialSpec) => void;
}) {
  const { steps = [], config } = inspector.opened.value ?? {};
  const focus = focusOf(inspector, 'locked');
  const { step, head: lockedHead, token: lockedToken } = inspector.locked.value;
  const [chosen, setChosen] = useState<string | null>(null);
  const [how, setHow] = useState<How>('zero');
  const [by, setBy] = useState<Readonly<Record<string, number>>>({});
  const [head, setHead] = useState<string | null>(null);
  const [token, setToken] = useState<string | null>(null);
  const [text, setText] = useState('');
  const [from, setFrom] = useState('');
  const name =
    chosen ?? step ?? (steps.some((each) => each.name === FIRST_CHOICE) ? FIRST_CHOICE : (steps[0]?.name ?? ''));
  const dims = steps.find((each) => each.name === name)?.dims ?? [];
  const nHead = /^[KV]cur/.test(name) ? config?.nHeadKv : config?.nHead;
  const ofHead = dims.includes('head') ? (head ?? `${lockedHead ?? ALL}`) : ALL;
  const ofToken = dims.includes('token') ? (token ?? (lockedToken === null ? ALL : `${focus.token}`)) : ALL;
  const amount = BY[how] && (by[how] ?? BY[how].initial);
  return (
    <form
      class="controls"
      onSubmit={(event) => {
        event.preventDefault();
        const where = {
          ...(ofHead === ALL ? {} : { head: Number(ofHead) }),
          ...(ofToken === ALL ? {} : { token: Number(ofToken) }),
        };
        if (how === 'replace') {
          const isFrom = ofToken !== ALL && from !== '';
          onChange({ tensor: name, how, text, ...where, ...(isFrom ? { from: Number(from) } : {}) });
        } else onChange({ tensor: name, how, ...(amount === null ? {} : { by: amount }), ...where });
      }}
    >
      <label>
        Tensor
        <select value={name} onChange={({ currentTarget }) => setChosen(currentTarget.value)}>
          {groupsOf(steps).map(({ label, names }) => (
            <optgroup label={label} key={label}>
              {names.map((each) => (
                <option key={each}>{each}</option>
              ))}
            </optgroup>
          ))}
        </select>
      </label>
      <OneOrAll
        label="Head"
        value={ofHead}
        isThere={dims.includes('head')}
        names={Array.from({ length: nHead ?? 0 }, (_, i) => `${i}`)}
        onChange={setHead}
      />
      <OneOrAll
        label="Token"
        value={ofToken}
        isThere={dims.includes('token')}
        names={(inspector.run.value?.tokens ?? []).map(({ piece }, position) => `${position} ${shown(piece)}`)}
        onChange={setToken}
      />
      <Buttons label="How it is changed" options={HOWS} value={how} onChange={setHow} />
      {BY[how] && (
        <label>
          {BY[how].label}
          <input
            type="number"
            step="any"
            required
            value={amount ?? 0}
            onInput={({ currentTarget }) => setBy({ ...by, [how]: currentTarget.valueAsNumber })}
          />
        </label>
      )}
      {how === 'replace' && (
        <>
          <label>
            by what it is over
            <input
              type="text"
              size={30}
              required
              value={text}
              placeholder="another text, such as: Tom gave the ball to Lily."
              onInput={({ currentTarget }) => setText(currentTarget.value)}
            />
          </label>
          {ofToken !== ALL && (
            <label title="Position in that text; the same where none is given">
              at its token
              <input
                type="number"
                min={0}
                step={1}
                value={from}
                placeholder={ofToken}
                onInput={({ currentTarget }) => setFrom(currentTarget.value)}
              />
            </label>
          )}
        </>
      )}
      <button type="submit" class="primary">
        Change it
      </button>
    </form>
  );
}

/** The steps by layer, as a list is read. */
function groupsOf(steps: readonly StepCard[]): { label: string; names: string[] }[] {
  const groups: { label: string; names: string[] }[] = [];
  for (const { name, layer } of steps) {
    const label = layer === null ? (groups.length === 0 ? 'before the layers' : 'behind the layers') : `layer ${layer}`;
    const last = groups.at(-1);
    if (last?.label === label) last.names.push(name);
    else groups.push({ label, names: [name] });
  }
  return groups;
}

function Pending({
  pending,
  set,
  inspector,
}: {
  readonly pending: readonly TrialSpec[];
  readonly set: (trials: readonly TrialSpec[]) => void;
  readonly inspector: Inspector;
}) {
  const experiment = inspector.experiment.value;
  if (pending.length === 0 || !experiment) return null;
  const kept = pending.filter((trial): trial is ChangeSpec => trial.how !== 'replace');
  return (
    <section class="changes" aria-label="Changes on trial">
      <ol>
        {pending.map((change, i) => (
          <li key={i}>
            {said(change, inspector)}{' '}
            <button
              type="button"
              class="link"
              aria-label={`Take back: ${said(change, inspector)}`}
              onClick={() => set(pending.filter((_, other) => other !== i))}
            >
              take back
            </button>
          </li>
        ))}
      </ol>
      <div class="toolbar">
        <button type="button" onClick={() => set(pending.slice(0, -1))}>
          Undo
        </button>
        {pending.length > 1 && (
          <button type="button" onClick={() => set([])}>
            Undo all
          </button>
        )}
        <button
          type="button"
          class="primary"
          disabled={kept.length < pending.length}
          title={
            kept.length < pending.length
              ? 'A replacement takes a second text and stays on trial; copy the cell to go on with it in a notebook'
              : 'Make it part of the experiment: every view then shows the changed run'
          }
          onClick={async () => {
            await inspector.begin({ ...experiment, changes: [...experiment.changes, ...kept] });
            set([]);
          }}
        >
          Keep
        </button>
      </div>
    </section>
  );
}

/** What is part of the experiment already. */
function Kept({ inspector }: { readonly inspector: Inspector }) {
  const experiment = inspector.experiment.value;
  if (!experiment || experiment.changes.length === 0) return null;
  return (
    <section class="changes" aria-label="Changes of the experiment">
      <h3>Kept: every view shows the run with these</h3>
      <ol>
        {experiment.changes.map((change, i) => (
          <li key={i}>
            {said(change, inspector)}{' '}
            <button
              type="button"
              class="link"
              aria-label={`Take back: ${said(change, inspector)}`}
              onClick={() =>
                void inspector.begin({ ...experiment, changes: experiment.changes.filter((_, other) => other !== i) })
              }
            >
              take back
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** `kqv_out-1, head 4, at 7 .: zero` */
function said(trial: TrialSpec, { run }: Inspector): string {
  const { tensor, head, token } = trial;
  const where = [
    tensor,
    ...(head === undefined ? [] : [`head ${head}`]),
    ...(token === undefined ? [] : [`at ${token} ${shown(run.value?.tokens[token]?.piece ?? '')}`]),
  ].join(', ');
  return `${where}: ${what(trial)}`;
}

function what(trial: TrialSpec): string {
  switch (trial.how) {
    case 'zero':
      return 'zero';
    case 'scale':
      return `times ${trial.by}`;
    case 'noise':
      return `plus noise of ${trial.by} of its RMS`;
    case 'set':
      return `set to ${trial.by}`;
    case 'replace':
      return `as over “${trial.text}”${trial.from === undefined ? '' : ` at its token ${trial.from}`}`;
    default:
      return trial satisfies never;
  }
}

function Effect({ inspector }: { readonly inspector: Inspector }) {
  const sides = sidesOf(inspector);
  const params = sides && { experiment: sides.base, changes: sides.changes };
  const answer = useAnswer(inspector, 'difference', params);
  if (!sides) {
    return (
      <p class="quiet">
        Nothing is changed yet. Choose a tensor, say what becomes of it, and press “Change it”: the run goes once more
        beside this one, and below you see what may come next now, which tokens feel it, and how far it goes.
      </p>
    );
  }
  return (
    <Answered answer={answer}>
      {({ next, map, growth }) => (
        <>
          <StackedChart spec={next} inspector={inspector} />
          <Chart spec={map} inspector={inspector} />
          <Chart spec={growth} inspector={inspector} />
        </>
      )}
    </Answered>
  );
}
