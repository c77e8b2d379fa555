/** One step: what it computes, of what, what came of it, and what computed it. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Tensor } from '../../../../trace/tensor.ts';
import type { InputDetail, OutputDetail, StepDetail } from '../../../inspector/requests/step.ts';
import { Answered, useAnswer } from '../answer.tsx';
import { literal, subjectOf } from '../cells.ts';
import { Code, type Listing } from '../code.tsx';
import { Histogram } from '../histogram.tsx';
import { shapeText, shortNumber } from '../numbers.ts';
import type { Inspector } from '../state.ts';
import type { View } from '../view.ts';
import { backTo, goTo } from '../walk.ts';

export const step: View = {
  id: 'step',
  title: 'Step',
  says: 'What one step computes, from what, and what came of it.',
  Body,
  cell(inspector) {
    const subject = subjectOf(inspector);
    const name = chosenStep(inspector, 'locked');
    if (!subject || !name || !isComputed(inspector, name)) return null;
    const { pass } = inspector.locked.value;
    const options = pass === null ? '' : `, { pass: ${pass} }`;
    return `${subject.code}\ndisplay(await ${subject.name}.tensor(${literal(name)}${options}));`;
  },
  tensors(inspector) {
    const experiment = inspector.experiment.value;
    const name = chosenStep(inspector, 'locked');
    if (!experiment || !name || !isComputed(inspector, name)) return null;
    const { pass } = inspector.locked.value;
    const params = { experiment, name, ...(pass === null ? {} : { pass }) };
    return inspector.connection.ask('tensor', params).then((values) => [new Tensor(values)]);
  },
};

/** The step that is looked at; where nobody has chosen one, the last that was run. */
function chosenStep({ run, ...choices }: Inspector, by: 'locked' | 'rested'): string | null {
  return choices[by].value.step ?? run.value?.at ?? run.value?.next ?? null;
}

function isComputed({ run }: Inspector, name: string): boolean {
  return run.value?.rows.some((row) => row.name === name) ?? false;
}

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const name = chosenStep(inspector, 'rested');
  const experiment = inspector.experiment.value;
  const { pass } = inspector.locked.value;
  const isThere = inspector.opened.value?.steps.some((known) => known.name === name) ?? false;
  const params = experiment && name && isThere ? { experiment, step: name, ...(pass === null ? {} : { pass }) } : null;
  const answer = useAnswer(inspector, 'step', params);
  return <Answered answer={answer}>{(detail) => <Detail detail={detail} inspector={inspector} />}</Answered>;
}

function Detail({ detail, inspector }: { readonly detail: StepDetail; readonly inspector: Inspector }) {
  const { card, inputs, output, computing, pass } = detail;
  const { name, op, formula, layer, hook, hf, params } = card;
  const isLast = inspector.run.value?.at === name && inspector.run.value.next !== null;
  const canGoBack = output !== null && !isLast && inspector.opened.value?.kind === 'model';
  return (
    <article class="step">
      <header class="step-name">
        <h3 class="mono">{name}</h3>
        <span class="quiet">
          op {op}
          {layer === null ? '' : `, layer ${layer}`}
          {(inspector.run.value?.passes ?? 1) > 1 ? `, pass ${pass}` : ''}
        </span>
        {canGoBack && (
          <button
            type="button"
            title="Have the run stand just behind this step; what came later is computed again"
            onClick={() => void backTo(inspector, name)}
          >
            Go back to here
          </button>
        )}
        {output === null && (
          <button type="button" class="primary" onClick={() => void goTo(inspector, name)}>
            Run to here
          </button>
        )}
      </header>
      <p class="formula mono">{formula}</p>
      <p class="aliases quiet">
        TransformerLens: <span class="mono">{hook ?? 'has no name for it'}</span> · Hugging Face:{' '}
        <span class="mono">{hf ?? 'has no name for it'}</span>
      </p>
      {Object.keys(params).length > 0 && (
        <p class="params quiet">
          With{' '}
          {Object.entries(params).map(([key, value], i) => (
            <span key={key}>
              {i > 0 && ', '}
              {key} <span class="mono">{typeof value === 'number' ? shortNumber(value) : `${value}`}</span>
            </span>
          ))}
        </p>
      )}
      {inputs.length > 0 && <Inputs inputs={inputs} inspector={inspector} />}
      {output && <Output output={output} />}
      <Computing detail={detail} key={name} />
      {computing.kernels.length === 0 && <p class="quiet">{computing.says}</p>}
    </article>
  );
}

function Inputs({ inputs, inspector }: { readonly inputs: readonly InputDetail[]; readonly inspector: Inspector }) {
  return (
    <section>
      <h3>Reads</h3>
      <table class="inputs">
        <thead>
          <tr>
            <th scope="col">as</th>
            <th scope="col">what</th>
            <th scope="col">shape</th>
            <th scope="col">begins with</th>
          </tr>
        </thead>
        <tbody>
          {inputs.map((input) => (
            <tr key={input.role}>
              <td class="mono">{input.role}</td>
              <td>
                <InputName input={input} inspector={inspector} />
              </td>
              <td class="shape">{input.shape ? shapeText(input.shape, input.dims) : '–'}</td>
              <td class="mono first">
                {input.first ? [...input.first.slice(0, 4)].map(shortNumber).join('  ') : (input.missing ?? '')}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const KINDS = {
  tensor: '',
  weight: 'weight',
  tokens: 'the ids of the text’s tokens',
  cache: 'cache',
  table: 'computed on the host',
} as const;

/** A tensor, and a cache's writer, can be gone to. */
function InputName({
  input: { name, kind, type },
  inspector,
}: {
  readonly input: InputDetail;
  readonly inspector: Inspector;
}) {
  const target = kind === 'cache' ? writerOf(inspector, name) : kind === 'tensor' ? name : null;
  return (
    <>
      {target ? (
        <button
          type="button"
          class="link mono"
          title={`Look at ${target}`}
          onClick={() => void goTo(inspector, target)}
        >
          {name}
        </button>
      ) : (
        <span class="mono">{name}</span>
      )}
      {KINDS[kind] !== '' && <span class="quiet"> {[KINDS[kind], type].filter(Boolean).join(', ')}</span>}
    </>
  );
}

/** `cache_k-3` is written by the last that layer 3 makes of its keys: a fault may make more of them. */
function writerOf({ opened }: Inspector, slot: string): string | null {
  const [, which = '', layer] = /^cache_([kv])-(\d+)$/.exec(slot) ?? [];
  const stem = `${which.toUpperCase()}cur`;
  const writers = opened.value?.steps.filter((made) => made.layer === Number(layer) && made.name.startsWith(stem));
  return writers?.at(-1)?.name ?? null;
}

function Output({ output }: { readonly output: OutputDetail }) {
  const { shape, dims, statistics, histogram, first, missing } = output;
  const { n, rms, mean, min, max, zeroCount, nanCount, infCount } = statistics;
  const broken = nanCount + infCount;
  const rows: readonly (readonly [string, string])[] = [
    ['values', n.toLocaleString('en')],
    ['RMS', shortNumber(rms)],
    ['mean', shortNumber(mean)],
    ['least', shortNumber(min)],
    ['greatest', shortNumber(max)],
    ['zeros', zeroCount.toLocaleString('en')],
    ['NaN', nanCount.toLocaleString('en')],
    ['Inf', infCount.toLocaleString('en')],
  ];
  return (
    <section>
      <h3>
        Gives <span class="shape">{shape ? shapeText(shape, dims) : ''}</span>
      </h3>
      {broken > 0 && <p class="failure">! {broken} elements are NaN or infinite; the numbers below leave them out</p>}
      <div class="output">
        <dl class="statistics">
          {rows.map(([what, value]) => (
            <div key={what} class={(what === 'NaN' || what === 'Inf') && value !== '0' ? 'failure' : ''}>
              <dt>{what}</dt>
              <dd class="mono">{value}</dd>
            </div>
          ))}
        </dl>
        {histogram && (
          <figure>
            <Histogram counts={histogram} />
            <figcaption class="quiet">how many values lie where; heights on a log scale</figcaption>
          </figure>
        )}
      </div>
      {first ? (
        <div class="values">
          <span class="quiet">first values</span>
          <span class="mono numbers">
            {[...first].map((value, i) => (
              <span key={i}>{shortNumber(value)}</span>
            ))}
          </span>
        </div>
      ) : (
        <p class="quiet">{missing}</p>
      )}
    </section>
  );
}

function Computing({ detail: { card, computing } }: { readonly detail: StepDetail }) {
  const reference = useReference(card.op);
  const { kernels, backend, adapter, says } = computing;
  const listings: Listing[] = [
    ...kernels.map(({ name, code, overrides, workgroups }, i) => ({
      title: kernels.length > 1 ? `WGSL ${i + 1}: ${name}` : `WGSL: ${name}`,
      says: [
        `As run on ${[backend, adapter].filter(Boolean).join(', ')}: ${workgroups.join(' × ')} workgroups`,
        ...Object.entries(overrides).map(([key, value]) => `${key} = ${value}`),
      ].join(', '),
      text: code,
    })),
    ...(reference === null
      ? []
      : [
          {
            title: 'Reference',
            says: `src/ops/${card.op}.ts: the formula, and the f64 that kernels are checked against`,
            text: reference,
          },
        ]),
  ];
  if (listings.length === 0) return null;
  return (
    <section>
      <h3>Computed by</h3>
      {kernels.length > 0 && <p class="quiet">{says}</p>}
      <Code listings={listings} label="What computes it" />
    </section>
  );
}

/** The op's source, which the bundler has put into the page. */
function useReference(op: string): string | null {
  const [found, setFound] = useState<string | null>(null);
  useEffect(() => {
    let isGone = false;
    import('layerscope:sources').then(({ ops }) => {
      if (!isGone) setFound(ops[op] ?? null);
    });
    return () => {
      isGone = true;
    };
  }, [op]);
  return found;
}
