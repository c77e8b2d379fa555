/** Comparison: this run beside another engine's, tensor by tensor, with the verdict and where the two part. */
import './comparison.css';
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Difference, Verdict } from '../../../../compare/comparison.ts';
import { VERDICT_SIGNS } from '../../../../compare/report/standing.ts';
import { Tensor } from '../../../../trace/tensor.ts';
import type { ComparisonView } from '../../../inspector/requests/compare.ts';
import type { Sides } from '../../../inspector/sides.ts';
import { useSetting } from '../answer.tsx';
import { Chart } from '../chart.tsx';
import { useLongAnswer, Waiting } from '../long_answer.tsx';
import { type Inspector, lockOf } from '../state.ts';
import type { View } from '../view.ts';
import { ChooseSides } from './comparison_choose.tsx';
import { PairDetail } from './comparison_pair.tsx';
import { comparisonCode, SETTINGS, sidesOf } from './comparison_sides.ts';
import { TensorList } from './comparison_tensors.tsx';
import { Eliminator } from './eliminator.tsx';

export const comparison: View = {
  id: 'comparison',
  title: 'Comparison',
  says: 'Lays this run beside another engine’s and says where the two part, whether that is rounding or a bug, and why.',
  Body,
  cell: comparisonCode,
  tensors(inspector) {
    const sides = sidesOf(inspector);
    return sides && tensorsOf(inspector, sides);
  },
};

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const sides = sidesOf(inspector);
  const answer = useLongAnswer(inspector, 'compare', sides);
  if (!inspector.experiment.value) return <p class="quiet">Open a model or a trace first: then it can be compared.</p>;
  return (
    <div class="comparison">
      <ChooseSides inspector={inspector} />
      {!sides && (
        <p class="what-for">
          Choose above what this run is held against. <b>llama.cpp</b> tells whether our engine is right; the{' '}
          <b>f64 reference</b> tells rounding from mistakes; the <b>unchanged model</b> shows what a fault or an edit
          does; a <b>trace or dump</b> brings another engine’s numbers.
        </p>
      )}
      <Waiting answer={answer} says="Comparing" />
      {sides && answer.value && <Compared inspector={inspector} sides={sides} view={answer.value} />}
    </div>
  );
}

interface Shown {
  readonly inspector: Inspector;
  readonly sides: Sides;
  readonly view: ComparisonView;
}

function Compared({ inspector, sides, view }: Shown): JSX.Element {
  const { verdict, refused } = view;
  return (
    <>
      <Banner verdict={verdict} headline={view.headline} />
      {verdict === 'refused' ? (
        <Refused inspector={inspector} refused={refused} view={view} />
      ) : (
        <>
          <FirstDivergence inspector={inspector} view={view} />
          <div class="beside">
            <TensorList inspector={inspector} view={view} />
            <PairDetail inspector={inspector} sides={sides} view={view} />
          </div>
          <Reasons view={view} />
          <Eliminator inspector={inspector} sides={sides} view={view} />
          <Charts inspector={inspector} sides={sides} />
        </>
      )}
    </>
  );
}

function Banner({ verdict, headline }: { readonly verdict: Verdict; readonly headline: string }): JSX.Element {
  return (
    <p class="verdict" data-verdict={verdict.replace(' ', '-')} role="status">
      <span aria-hidden="true">{VERDICT_SIGNS[verdict]}</span> {headline}
    </p>
  );
}

/** What differs, and what can be done about it here. */
function Refused({
  inspector,
  refused,
  view,
}: {
  readonly inspector: Inspector;
  readonly refused: readonly Difference[];
  readonly view: ComparisonView;
}): JSX.Element {
  const [allowed, setAllow] = useSetting(inspector, SETTINGS.allow, '');
  const experiment = inspector.experiment.value;
  const kinds = refused.map(({ kind }) => kind);
  const theirs = view.reference.manifest.tokens;
  const isOfTokens = kinds.some((kind) => kind === 'tokens' || kind === 'bos');
  return (
    <div class="refused">
      <table>
        <thead>
          <tr>
            <th>differs in</th>
            <th>ours</th>
            <th>reference</th>
            <th>what that means, and the cure</th>
          </tr>
        </thead>
        <tbody>
          {refused.map(({ kind, ours, reference, says }) => (
            <tr key={kind}>
              <th scope="row">{kind}</th>
              <td class="mono">{ours}</td>
              <td class="mono">{reference}</td>
              <td>{says}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="controls">
        {isOfTokens && theirs && experiment && inspector.opened.value?.kind === 'model' && (
          <button type="button" class="primary" onClick={() => inspector.begin({ ...experiment, tokens: [...theirs] })}>
            Run the reference’s {theirs.length} tokens here
          </button>
        )}
        <button
          type="button"
          onClick={() => setAllow([...new Set([...allowed.split(',').filter(Boolean), ...kinds])].join())}
        >
          Compare all the same, though they differ in {kinds.join(', ')}
        </button>
      </div>
    </div>
  );
}

/** The flag on the way in: where the two part, and a button that brings every view there. */
function FirstDivergence({ inspector, view }: Omit<Shown, 'sides'>): JSX.Element | null {
  const { firstDivergence: first, cause } = view;
  if (!first) return null;
  const jump = () => {
    const { name, pass, token, head, layer } = first;
    lockOf(inspector, { step: name, pass, token, head, layer });
  };
  return (
    <div class="first-divergence">
      <p>
        <span aria-hidden="true">⚑</span> First divergence: <span class="mono">{first.name}</span>
        {first.layer !== null && `, layer ${first.layer}`}
        {first.token !== null && `, token ${first.token}`}
        {first.head !== null && `, head ${first.head}`}{' '}
        <button type="button" onClick={jump}>
          Jump there
        </button>{' '}
        <button
          type="button"
          onClick={() => {
            jump();
            inspector.view.value = 'step';
          }}
        >
          Look at this step
        </button>
      </p>
      {cause && <p class="cause">{cause.sentence}</p>}
    </div>
  );
}

function Reasons({ view: { sections } }: { readonly view: ComparisonView }): JSX.Element {
  return (
    <details class="reasons">
      <summary>The reasons, and what this proves</summary>
      <dl>
        {sections.map(({ label, lines, code }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              {lines.map((line) => (
                <p key={line}>{line}</p>
              ))}
              {code && <pre>{code}</pre>}
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

/** Vega is large and charts take a while: they come when they are asked for. */
function Charts({ inspector, sides }: Omit<Shown, 'view'>): JSX.Element {
  const [isOpen, setIsOpen] = useState(false);
  const answer = useLongAnswer(inspector, 'comparisonCharts', isOpen ? sides : null);
  return (
    <details class="charts" onToggle={({ currentTarget }) => setIsOpen(currentTarget.open)}>
      <summary>Charts: how the error grows, RMS and logits of both, where attention differs</summary>
      <Waiting answer={answer} says="Drawing" />
      {isOpen && answer.value?.map((spec, i) => <Chart key={i} spec={spec} inspector={inspector} />)}
    </details>
  );
}

/** Every tensor's error, and both sides of the chosen one. */
async function tensorsOf(inspector: Inspector, sides: Sides): Promise<Tensor[]> {
  const { connection, choice } = inspector;
  const { tensors } = await connection.ask('compare', sides);
  const { step, pass } = choice.peek();
  const errors = new Tensor({
    name: 'relative_rms_error',
    shape: [tensors.length],
    dims: ['tensor'],
    data: Float32Array.from(tensors, ({ measure }) => measure?.relativeRmsError ?? Number.NaN),
  });
  const chosen = tensors.find((each) => each.name === step && (pass === null || each.pass === pass) && each.measure);
  if (!chosen) return [errors];
  const { name } = chosen;
  const { shape, dims, ours, reference } = await connection.ask('pair', { sides, name, pass: chosen.pass });
  return [
    errors,
    new Tensor({ name, shape, dims, data: ours }),
    new Tensor({ name: `${name} (reference)`, shape, dims, data: reference }),
  ];
}
