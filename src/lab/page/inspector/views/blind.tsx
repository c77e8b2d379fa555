/** Blind mode: a fault is hidden by seed, every view shows the broken engine, and whoever hunts names a suspect. */
import './blind.css';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Experiment, HuntSpec } from '../../../inspector/experiment.ts';
import type { HuntView } from '../../../inspector/requests/hunt.ts';
import type { HuntResultView } from '../../../inspector/requests/suspect.ts';
import { literal, pathFrom } from '../cells.ts';
import { useLongAnswer, Waiting } from '../long_answer.tsx';
import type { Inspector } from '../state.ts';
import type { View } from '../view.ts';
import { AskedChart, Needs } from './asked_chart.tsx';
import { focusOf, tensorsOf } from './focus.ts';

export const blind: View = {
  id: 'blind',
  title: 'Blind mode',
  says: 'A fault is hidden in the model. Find it by what the engine computes, and name it: fault, layer and head.',
  Body,
  cell(inspector) {
    const experiment = inspector.experiment.value;
    if (!experiment?.hunt) return null;
    const { file, text, tokens, hunt } = experiment;
    return [
      `const healthy = await openModel(${literal(pathFrom(inspector.notebookFolder(), file))});`,
      `const hunt = await bugHunt({ model: healthy, seed: ${hunt.seed}, level: ${literal(hunt.level)} });`,
      `const trace = await hunt.trace(${literal(tokens ?? text)});`,
      'display(trace);',
      `display(await charts.topK(trace, ${literal(symptomOptions(focusOf(inspector, 'locked').token))}));`,
      "// when you know: await hunt.submit('…', { layer: 0 })",
    ].join('\n');
  },
  tensors: (inspector) => (inspector.experiment.value?.hunt ? tensorsOf(inspector, [OUTPUT]) : null),
};

const OUTPUT = 'result_output';

/** Of the chart that shows where a hunt begins. */
const symptomOptions = (position: number) => ({ position, k: 5 });

/** Seeds that are offered; any whole number will do. */
const SEEDS = 1000;

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const experiment = inspector.experiment.value;
  if (!experiment || inspector.opened.value?.kind !== 'model') {
    return <p class="quiet">Open a model first: a fault is hidden in one.</p>;
  }
  return (
    <div class="blind">
      {experiment.hunt ? (
        <Hunt
          key={JSON.stringify(experiment.hunt)}
          inspector={inspector}
          experiment={experiment}
          hunt={experiment.hunt}
        />
      ) : (
        <Begin inspector={inspector} experiment={experiment} />
      )}
    </div>
  );
}

function Begin({
  inspector,
  experiment,
}: {
  readonly inspector: Inspector;
  readonly experiment: Experiment;
}): JSX.Element {
  const [seed, setSeed] = useState(`${Math.floor(SEEDS * Math.random())}`);
  const [level, setLevel] = useState<HuntSpec['level']>('easy');
  const [wanted, setWanted] = useState<HuntSpec | null>(null);
  const { file, backend } = experiment;
  const answer = useLongAnswer(inspector, 'hunt', wanted && { file, backend, hunt: wanted });
  const isSeed = /^\d{1,9}$/.test(seed);
  if (wanted && answer.value) {
    const { faults: _, ...plain } = experiment;
    setWanted(null);
    void inspector.begin({ ...plain, faults: [], changes: [], hunt: wanted });
  }
  return (
    <>
      <p>
        One of the faults is drawn and put into the model, somewhere; every view then shows what the broken engine
        computes, and none says what is wrong with it. Look at attention, norms, single steps; hold it against llama.cpp
        or the unchanged model; try other texts. Then name it. A fault gives 60 points, its layer 20, its head 10, and
        few texts 10.
      </p>
      <form
        class="controls"
        onSubmit={(event) => {
          event.preventDefault();
          if (isSeed) setWanted({ seed: Number(seed), level });
        }}
      >
        <label title="The same seed hides the same fault on every machine: a class can hunt together">
          Seed
          <input
            type="number"
            class="short"
            min={0}
            step={1}
            value={seed}
            aria-invalid={!isSeed}
            onInput={({ currentTarget }) => setSeed(currentTarget.value)}
          />
        </label>
        <label>
          Level
          <select
            value={level}
            onChange={({ currentTarget }) => setLevel(currentTarget.value === 'hard' ? 'hard' : 'easy')}
          >
            <option value="easy">easy: a single token shows it</option>
            <option value="hard">hard: only a longer text shows it</option>
          </select>
        </label>
        <button type="submit" class="primary" disabled={!isSeed || answer.isAsking}>
          Hide a fault
        </button>
      </form>
      {!isSeed && <p class="failure">A seed is a whole number of at most nine digits.</p>}
      <Waiting answer={answer} says="Hiding a fault" />
      {(experiment.faults.length > 0 || experiment.changes.length > 0) && (
        <p class="note">What is switched on or edited now is taken back when the hunt begins.</p>
      )}
    </>
  );
}

function Hunt({
  inspector,
  experiment,
  hunt,
}: {
  readonly inspector: Inspector;
  readonly experiment: Experiment;
  readonly hunt: HuntSpec;
}): JSX.Element {
  const { file, backend } = experiment;
  // With the text: another one counts.
  const answer = useLongAnswer(inspector, 'hunt', { file, backend, hunt });
  const [result, setResult] = useState<HuntResultView | null>(null);
  const end = () => {
    const { hunt: _, ...plain } = experiment;
    void inspector.begin(plain);
  };
  return (
    <>
      <p class="hunting" role="status">
        <span aria-hidden="true">◉</span> Hunt {hunt.seed}, {hunt.level}: somewhere in this model is a fault.{' '}
        <button type="button" onClick={end}>
          {result ? 'End the hunt' : 'Give up'}
        </button>
      </p>
      {!result && (
        <p>
          All views now show the broken engine; open any of them. In <b>Comparison</b> it can be held against the
          unchanged model and llama.cpp; the cause is not told there. The pages of all faults are in <b>Faults</b>.
        </p>
      )}
      <Symptom inspector={inspector} />
      <Waiting answer={answer} says="Hiding a fault" />
      {answer.value &&
        (result ? (
          <Result inspector={inspector} experiment={experiment} result={result} />
        ) : (
          <Suspect inspector={inspector} experiment={experiment} hunt={answer.value} submitted={setResult} />
        ))}
    </>
  );
}

/** What the broken engine would say next: the first that a hunter sees of the fault. */
function Symptom({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const { token: position } = focusOf(inspector, 'rested');
  return (
    <Needs inspector={inspector} name={OUTPUT}>
      <AskedChart inspector={inspector} call={{ chart: 'topK', options: symptomOptions(position) }} />
    </Needs>
  );
}

function Suspect({
  inspector,
  experiment: { file, backend },
  hunt: { seed, level, suspects },
  submitted,
}: {
  readonly inspector: Inspector;
  readonly experiment: Experiment;
  readonly hunt: HuntView;
  submitted(result: HuntResultView): void;
}): JSX.Element {
  const [search, setSearch] = useState('');
  const [fault, setFault] = useState('');
  const [layer, setLayer] = useState('');
  const [head, setHead] = useState('');
  const [failure, setFailure] = useState<string | null>(null);
  const { opened } = inspector;
  const config = opened.value && 'config' in opened.value ? opened.value.config : null;
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = suspects.filter(({ name, title }) =>
    words.every((word) => `${name} ${title}`.toLowerCase().includes(word)),
  );
  const submit = () => {
    setFailure(null);
    const place = { ...(layer === '' ? {} : { layer: Number(layer) }), ...(head === '' ? {} : { head: Number(head) }) };
    inspector.connection
      .ask('suspect', { file, backend, hunt: { seed, level }, fault, ...place })
      .then(submitted, (error: Error) => setFailure(error.message));
  };
  return (
    <form
      class="suspect"
      onSubmit={(event) => {
        event.preventDefault();
        if (fault !== '') submit();
      }}
    >
      <h3>Who is it?</h3>
      <div class="controls">
        <input
          type="search"
          aria-label="Search the suspects"
          placeholder="Search the suspects"
          value={search}
          onInput={({ currentTarget }) => setSearch(currentTarget.value)}
        />
        <span class="quiet">
          {found.length} of {suspects.length} suspects
        </span>
      </div>
      <fieldset class="suspects">
        <legend class="unseen">The fault</legend>
        {found.map(({ name, title }) => (
          <label key={name} data-chosen={fault === name}>
            <input type="radio" name="suspect" value={name} checked={fault === name} onChange={() => setFault(name)} />
            <span>{title}</span>
            <span class="mono quiet">{name}</span>
          </label>
        ))}
      </fieldset>
      <div class="controls">
        <Place what="layer" count={config?.nLayer ?? 0} value={layer} set={setLayer} />
        <Place what="head" count={config?.nHead ?? 0} value={head} set={setHead} />
        <button type="submit" class="primary" disabled={fault === ''}>
          Submit
        </button>
        {fault === '' && <span class="quiet">Choose a suspect first</span>}
      </div>
      {failure !== null && (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
    </form>
  );
}

function Place({
  what,
  count,
  value,
  set,
}: {
  readonly what: string;
  readonly count: number;
  readonly value: string;
  set(value: string): void;
}): JSX.Element {
  return (
    <label>
      {what}
      <select value={value} onChange={({ currentTarget }) => set(currentTarget.value)}>
        <option value="">all of them</option>
        {Array.from({ length: count }, (_, i) => (
          <option key={i} value={i}>
            {i}
          </option>
        ))}
      </select>
    </label>
  );
}

function Result({
  inspector,
  experiment,
  result: { lines, drawn },
}: {
  readonly inspector: Inspector;
  readonly experiment: Experiment;
  readonly result: HuntResultView;
}): JSX.Element {
  const watch = () => {
    const { hunt: _, ...plain } = experiment;
    inspector.settings.value = { ...inspector.settings.peek(), 'faults.name': drawn.fault };
    void inspector.begin({ ...plain, faults: [drawn] }).then(() => {
      inspector.view.value = 'faults';
    });
  };
  return (
    <section class="result" aria-label="What it was">
      {lines.map((line) => (
        <p key={line}>{line}</p>
      ))}
      <button type="button" class="primary" onClick={watch}>
        Watch where it goes
      </button>
    </section>
  );
}
