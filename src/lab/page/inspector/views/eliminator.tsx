/** The eliminator: what a comparison could not have shown, which faults it leaves and why, and the run to make next. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Judgement } from '../../../../compare/eliminator.ts';
import type { ComparisonView } from '../../../inspector/requests/compare.ts';
import type { Sides } from '../../../inspector/sides.ts';
import { useSetting } from '../answer.tsx';
import { useLongAnswer, Waiting } from '../long_answer.tsx';
import type { Inspector } from '../state.ts';
import { passesText, SETTINGS } from './comparison_sides.ts';

export function Eliminator({
  inspector,
  sides,
  view,
}: {
  readonly inspector: Inspector;
  readonly sides: Sides;
  readonly view: ComparisonView;
}): JSX.Element {
  const [isOpen, setIsOpen] = useState(true);
  const answer = useLongAnswer(inspector, 'eliminate', isOpen ? sides : null);
  const { blindSpots } = view;
  return (
    <details class="eliminator" open onToggle={({ currentTarget }) => setIsOpen(currentTarget.open)}>
      <summary>What can still be wrong, and what to run next</summary>
      {blindSpots.length > 0 && (
        <div class="blind-spots">
          <h3>What this prompt could not have revealed</h3>
          <ul>
            {blindSpots.map(({ suspect, why, shortest }) => (
              <li key={suspect}>
                <b>{suspect}</b>: {why.replace(/\.$/, '')}. The shortest that shows it: {shortest}.
              </li>
            ))}
          </ul>
        </div>
      )}
      <Waiting answer={answer} says="Eliminating" />
      {answer.value && (
        <>
          {answer.value.next && <Next inspector={inspector} sides={sides} next={answer.value.next} />}
          <Judgements
            title="Left, the likeliest first"
            judgements={answer.value.remaining}
            isOpen
            inspector={inspector}
          />
          <Judgements title="Ruled out" judgements={answer.value.ruledOut} inspector={inspector} />
        </>
      )}
    </details>
  );
}

function Next({
  inspector,
  sides,
  next: { sentence, passes, probe },
}: {
  readonly inspector: Inspector;
  readonly sides: Sides;
  readonly next: {
    readonly sentence: string;
    readonly probe: string;
    readonly passes: readonly (readonly number[])[] | null;
  };
}): JSX.Element {
  const [, setPasses] = useSetting(inspector, SETTINGS.passes, '');
  const isOfFiles = sides.ours.kind === 'file' || sides.reference.kind === 'file';
  return (
    <div class="next-probe">
      <p>
        <b>Cheapest next:</b> {sentence}.
      </p>
      {passes && !isOfFiles && (
        <button type="button" class="primary" onClick={() => setPasses(passesText(passes))}>
          Run {probe} on both sides
        </button>
      )}
      {passes && isOfFiles && (
        <p>
          A file cannot be run again: have the other engine run the tokens{' '}
          <span class="mono">{passes.map((tokens) => `[${tokens.join(', ')}]`).join(' then ')}</span>, and open its new
          dump.
        </p>
      )}
    </div>
  );
}

function Judgements({
  title,
  judgements,
  inspector,
  isOpen = false,
}: {
  readonly title: string;
  readonly judgements: readonly Judgement[];
  readonly inspector: Inspector;
  readonly isOpen?: boolean;
}): JSX.Element {
  const page = (fault: string) => {
    inspector.settings.value = { ...inspector.settings.peek(), 'faults.name': fault };
    inspector.view.value = 'faults';
  };
  return (
    <details open={isOpen} class="judgements">
      <summary>
        {title}: {judgements.length} {judgements.length === 1 ? 'fault' : 'faults'}
      </summary>
      <ul>
        {judgements.map(({ fault, reason }) => (
          <li key={fault}>
            <button type="button" class="link mono" title="Read its page" onClick={() => page(fault)}>
              {fault}
            </button>{' '}
            {reason}
          </li>
        ))}
      </ul>
    </details>
  );
}
