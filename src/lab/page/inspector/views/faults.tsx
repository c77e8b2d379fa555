/** Faults: read what each is, switch one on, and watch where it goes; off again, the model is what it was. */
import './faults.css';
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { Tensor } from '../../../../trace/tensor.ts';
import type { Experiment, FaultSpec } from '../../../inspector/experiment.ts';
import type { Spread } from '../../../inspector/requests/spread.ts';
import { Answered, useAnswer, useSetting } from '../answer.tsx';
import { called, modelCode, runCode } from '../cells.ts';
import { useLongAnswer, Waiting } from '../long_answer.tsx';
import type { Inspector } from '../state.ts';
import type { View } from '../view.ts';
import { FaultPage } from './faults_page.tsx';
import { FaultSpread } from './faults_spread.tsx';

export const faults: View = {
  id: 'faults',
  title: 'Faults',
  says: 'Mistakes that engines make, one page each. Switch one on and watch where it goes; switched off, the model is what it was.',
  Body,
  cell(inspector) {
    const experiment = inspector.experiment.value;
    const run = inspector.run.value;
    const fault = experiment && watchedFault(experiment);
    if (!experiment || !run || !fault) return null;
    const beside = without(experiment, fault);
    return [
      modelCode(beside, inspector.notebookFolder()),
      runCode(beside, run),
      `const faulty = model.with(${called('fault', fault.fault, fault.params)});`,
      'const broken = await faulty.start(run.tokens).toEnd();',
      'display(await compare(broken, run));',
    ].join('\n');
  },
  tensors(inspector) {
    const experiment = inspector.experiment.value;
    const fault = experiment && watchedFault(experiment);
    return experiment && fault ? tensorsOf(inspector, experiment, fault) : null;
  },
};

/** The fault whose way is drawn: the one that was switched on last. */
function watchedFault({ faults }: Experiment): FaultSpec | null {
  return faults.at(-1) ?? null;
}

function without(experiment: Experiment, fault: FaultSpec): Experiment {
  return { ...experiment, faults: experiment.faults.filter((each) => each !== fault) };
}

/** The errors that the drawing shows, `[step, token]`; a step without tokens has its error at each. */
async function tensorsOf({ connection }: Inspector, experiment: Experiment, fault: FaultSpec): Promise<Tensor[]> {
  const { steps, pieces } = await connection.ask('spread', { experiment, beside: without(experiment, fault) });
  if (steps.length === 0) return [];
  const rows = steps.map(({ byToken, error, pos0 }) => pieces.map((_, i) => byToken?.[i - pos0] ?? error));
  return [
    new Tensor({
      name: `relative_rms_error ${fault.fault}`,
      shape: [steps.length, pieces.length],
      dims: ['step', 'token'],
      data: Float32Array.from(rows.flat()),
    }),
  ];
}

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const experiment = inspector.experiment.value;
  const isModel = experiment !== null && inspector.opened.value?.kind === 'model';
  const cards = useAnswer(inspector, 'faults', isModel ? { file: experiment.file, backend: experiment.backend } : null);
  const [name, setName] = useSetting(inspector, 'faults.name', 'rope-pairing');
  const [search, setSearch] = useSetting(inspector, 'faults.search', '');
  const [language, setLanguage] = useSetting(inspector, 'faults.language', 'en');
  if (!isModel) return <p class="quiet">Open a model first: faults are put into one, for as long as you look.</p>;
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return (
    <div class="faults">
      <Switched inspector={inspector} experiment={experiment} />
      <Answered answer={cards}>
        {(all) => {
          const found = all.filter(({ name, title, what, ja }) => {
            const text = `${name} ${title} ${what} ${ja.title} ${ja.what}`.toLowerCase();
            return words.every((word) => text.includes(word));
          });
          const card = all.find((each) => each.name === name) ?? found[0];
          return (
            <div class="beside">
              <section class="fault-list" aria-label="All faults">
                <div class="controls">
                  <input
                    type="search"
                    aria-label="Search the faults"
                    placeholder="Search: rope, mask, キャッシュ …"
                    value={search}
                    onInput={({ currentTarget }) => setSearch(currentTarget.value)}
                  />
                  <select
                    aria-label="Language of the pages"
                    value={language}
                    onChange={({ currentTarget }) => setLanguage(currentTarget.value)}
                  >
                    <option value="en">English</option>
                    <option value="ja">日本語</option>
                  </select>
                </div>
                <p class="quiet">
                  {found.length} of {all.length}
                  {found.length === 0 && ': none has these words; clear the search to see all'}
                </p>
                <ul lang={language}>
                  {found.map(({ name: each, title, ja, cannot }) => (
                    <li key={each}>
                      <button
                        type="button"
                        data-fault={each}
                        aria-current={each === card?.name}
                        data-cannot={cannot !== null}
                        onClick={() => setName(each)}
                      >
                        <span>{language === 'ja' ? ja.title : title}</span>
                        <span class="mono quiet">
                          {each}
                          {cannot !== null && ' – not in this model'}
                          {experiment.faults.some(({ fault }) => fault === each) && ' – on'}
                        </span>
                      </button>
                    </li>
                  ))}
                </ul>
              </section>
              {card && <FaultPage key={card.name} inspector={inspector} card={card} language={language} />}
            </div>
          );
        }}
      </Answered>
    </div>
  );
}

/** What is switched on, where it goes, and the proof that it is gone afterwards. */
function Switched({
  inspector,
  experiment,
}: {
  readonly inspector: Inspector;
  readonly experiment: Experiment;
}): JSX.Element | null {
  const fault = watchedFault(experiment);
  const beside = fault && without(experiment, fault);
  const spread = useLongAnswer(inspector, 'spread', beside && { experiment, beside });
  // What the run beside had in bits while the fault was on, and of which experiment that was.
  const before = useRef<{ readonly of: string; readonly fault: string; readonly bits: Spread['besideBits'] } | null>(
    null,
  );
  if (fault && beside && spread.value) {
    before.current = { of: JSON.stringify(beside), fault: fault.fault, bits: spread.value.besideBits };
  }
  const isOffAgain = before.current !== null && before.current.of === JSON.stringify(experiment);
  const now = useLongAnswer(inspector, 'bits', isOffAgain ? { experiment } : null);
  if (experiment.hunt) {
    return (
      <p class="note">
        A hunt is on: the pages can be read, and nothing can be switched on. End the hunt in <b>Blind mode</b> first.
      </p>
    );
  }
  if (isOffAgain && before.current) {
    return (
      <div class="off-again">
        <Waiting answer={now} says="Running without it" />
        {now.value && <SameBits fault={before.current.fault} before={before.current.bits} now={now.value} />}
      </div>
    );
  }
  if (!fault) return null;
  return (
    <section class="switched" aria-label="What the fault does">
      <div class="controls">
        {experiment.faults.map((each) => (
          <span class="switched-on" key={JSON.stringify(each)}>
            <b class="mono">{each.fault}</b> {paramsSaid(each)} is on{' '}
            <button type="button" class="primary" onClick={() => inspector.begin(without(experiment, each))}>
              Switch off
            </button>
          </span>
        ))}
      </div>
      <Waiting answer={spread} says="Running beside the healthy model" />
      {spread.value && <FaultSpread inspector={inspector} spread={spread.value} fault={fault.fault} />}
    </section>
  );
}

function paramsSaid({ params }: FaultSpec): string {
  const said = Object.entries(params).map(([name, value]) => `${name} ${value}`);
  return said.length > 0 ? `(${said.join(', ')})` : '';
}

function SameBits({
  fault,
  before,
  now,
}: {
  readonly fault: string;
  readonly before: Spread['besideBits'];
  readonly now: Spread['besideBits'];
}): JSX.Element {
  const all = Object.keys(before);
  const same = all.filter((key) => now[key] === before[key]).length;
  const last = all.at(-1) ?? '';
  const isSame = same === all.length && Object.keys(now).length === all.length;
  return (
    <p class="verdict" data-verdict={isSame ? 'agree' : 'bug'} role="status">
      {isSame ? '✓' : '✗'} <span class="mono">{fault}</span> is off. Run anew, {same} of {all.length} tensors have every
      bit that they had before ({last.replace(/^\d+ /, '')}: <span class="mono">{before[last]}</span>
      {isSame ? '' : ` then, ${now[last]} now`}).
    </p>
  );
}
