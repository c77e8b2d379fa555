/** One of our charts, asked for and drawn; before there is anything to draw, what has to run first. */
import type { ComponentChildren, JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { ChartCall } from '../../../inspector/requests/chart.ts';
import { Answered, useAnswer } from '../answer.tsx';
import { Chart } from '../chart.tsx';
import type { Inspector } from '../state.ts';
import { hasRow } from './focus.ts';

export function AskedChart({
  inspector,
  call,
}: {
  readonly inspector: Inspector;
  readonly call: ChartCall;
}): JSX.Element {
  const experiment = inspector.experiment.value;
  const answer = useAnswer(inspector, 'chart', experiment && { experiment, ...call });
  return <Answered answer={answer}>{(spec) => <StackedChart spec={spec} inspector={inspector} />}</Answered>;
}

/** A chart whose panels stand one below the other. */
export function StackedChart({
  spec,
  inspector,
}: {
  readonly spec: object;
  readonly inspector: Inspector;
}): JSX.Element {
  const narrow = useMemo(() => stacked(spec), [spec]);
  return <Chart spec={narrow} inspector={inspector} />;
}

/** Panels that stand side by side in a notebook: in the inspector's narrower pane they would shrink until nobody can read them. */
function stacked(spec: object): object {
  if (!('hconcat' in spec)) return spec;
  const { hconcat, title, ...rest } = spec as { readonly hconcat: unknown; readonly title: { subtitle: string[] } };
  const subtitle = title.subtitle.map((line) => line.replace(/^Left\b/, 'Above').replace(/^Right\b/, 'Below'));
  return { ...rest, title: { ...title, subtitle }, vconcat: hconcat };
}

/** Draws its children once the run has a tensor; until then offers to run to it. */
export function Needs({
  inspector,
  name,
  children,
}: {
  readonly inspector: Inspector;
  readonly name: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  const { opened, run } = inspector;
  if (hasRow(inspector, name)) return <>{children}</>;
  if (opened.value?.kind === 'trace') {
    return (
      <p class="quiet">
        This trace holds no <span class="mono">{name}</span>: whoever recorded it left it out. Open its model to compute
        it.
      </p>
    );
  }
  const isKnown = opened.value?.steps.some((step) => step.name === name) ?? false;
  if (!isKnown || !run.value) return <p class="quiet">Open a model first: choose one above.</p>;
  return (
    <div class="empty">
      <p>
        The run has not come to <span class="mono">{name}</span> yet.
      </p>
      <button type="button" class="primary" onClick={() => void inspector.move({ after: name })}>
        Run to it
      </button>
      <button type="button" onClick={() => void inspector.move({ to: 'end' })}>
        Run to the end
      </button>
    </div>
  );
}
