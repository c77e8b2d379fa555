/** Chooses the two sides of the comparison: by a button each, a path, or a file that is dropped. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Side } from '../../../inspector/sides.ts';
import { useAnswer, useSetting } from '../answer.tsx';
import type { Inspector } from '../state.ts';
import { isChanged, SETTINGS, sideFrom, sideText } from './comparison_sides.ts';

interface Offer {
  readonly side: Side;
  readonly label: string;
  readonly says: string;
  /** Why it cannot be chosen now. */
  readonly without: string | null;
}

export function ChooseSides({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const [reference, setReference] = useSetting(inspector, SETTINGS.reference, '');
  const [ours, setOurs] = useSetting(inspector, SETTINGS.ours, 'run');
  const [, setAllow] = useSetting(inspector, SETTINGS.allow, '');
  const [passes, setPasses] = useSetting(inspector, SETTINGS.passes, '');
  const { value: against } = useAnswer(inspector, 'against', {});
  const experiment = inspector.experiment.value;
  const isTrace = inspector.opened.value?.kind === 'trace';
  const model = isTrace ? 'A trace is open: it has no model to run' : null;
  const llamaCpp = model ?? (against?.llamaCpp === false ? 'There is no llama.cpp here: start the lab on Node' : null);
  const offers: Offer[] = [
    {
      ...{ side: { kind: 'llama.cpp' }, label: 'llama.cpp', says: 'The real llama.cpp runs the same tokens' },
      without: llamaCpp,
    },
    {
      ...{
        side: { kind: 'llama.cpp-f32' },
        label: 'llama.cpp, F32 twin',
        says: 'The real llama.cpp on a copy of the model with its weights in F32, so that it rounds no activations; made once, 4 bytes a weight',
      },
      without: llamaCpp,
    },
    {
      ...{
        side: { kind: 'f64' },
        label: 'f64 reference',
        says: 'The same model in plain TypeScript, in double precision',
      },
      without: model,
    },
    {
      ...{ side: { kind: 'healthy' }, label: 'unchanged model', says: 'The same model without its faults and edits' },
      without:
        model ??
        (experiment && !isChanged(experiment) ? 'Nothing is changed: switch a fault on, or edit a tensor' : null),
    },
  ];
  const choose = (text: string) => {
    setAllow('');
    setReference(text);
  };
  return (
    <div class="choose-sides">
      <fieldset class="controls" aria-label="Compare with">
        <span>Compare {ours === 'run' ? (isTrace ? 'this trace' : 'this run') : fileOf(ours)} with</span>
        {offers.map(({ side, label, says, without }) => (
          <button
            key={label}
            type="button"
            title={without ?? says}
            disabled={without !== null}
            aria-pressed={reference === sideText(side)}
            onClick={() => choose(sideText(side))}
          >
            {label}
          </button>
        ))}
      </fieldset>
      <details class="files" open={reference.startsWith('file:') || ours !== 'run'}>
        <summary>… or with a trace or dump; or put one in place of this {isTrace ? 'trace' : 'run'}</summary>
        <div class="controls">
          <ChooseFile
            inspector={inspector}
            label={against?.dumps === false ? 'with a trace (.arrow)' : 'with a trace or dump'}
            chosen={fileOf(reference)}
            choose={(file) => choose(sideText({ kind: 'file', file }))}
          />
          <ChooseFile
            inspector={inspector}
            label={`in place of this ${isTrace ? 'trace' : 'run'}`}
            chosen={fileOf(ours)}
            choose={(file) => setOurs(sideText({ kind: 'file', file }))}
          />
          {ours !== 'run' && (
            <button type="button" onClick={() => setOurs('run')}>
              Back to this {isTrace ? 'trace' : 'run'}
            </button>
          )}
        </div>
      </details>
      {passes !== '' && (
        <p class="note">
          A probe is run in place of the text: tokens <span class="mono">{passes.replaceAll(';', ' · ')}</span>{' '}
          <button type="button" class="link" onClick={() => setPasses('')}>
            Back to the text
          </button>
        </p>
      )}
    </div>
  );
}

function fileOf(text: string): string | null {
  const side = sideFrom(text);
  return side?.kind === 'file' ? side.file : null;
}

/** A path below the lab's folder, or a file of this computer. */
function ChooseFile({
  inspector,
  label,
  chosen,
  choose,
}: {
  readonly inspector: Inspector;
  readonly label: string;
  readonly chosen: string | null;
  choose(file: string): void;
}): JSX.Element {
  const [failure, setFailure] = useState<string | null>(null);
  const [isOver, setIsOver] = useState(false);
  const take = (file: File | undefined) => {
    if (!file) return;
    setFailure(null);
    inspector.connection.drop(file, { isDump: true }).then(choose, (error: Error) => setFailure(error.message));
  };
  return (
    <fieldset
      class="choose-file"
      data-over={isOver}
      onDragOver={(event) => {
        event.preventDefault();
        event.stopPropagation();
        setIsOver(true);
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        event.stopPropagation();
        setIsOver(false);
        const isFolder = event.dataTransfer?.items[0]?.webkitGetAsEntry()?.isDirectory;
        if (isFolder)
          setFailure('Cannot take a folder from the page: put it below the lab’s folder and write its path');
        else take(event.dataTransfer?.files[0]);
      }}
    >
      <label>
        {label}
        <input
          type="text"
          class="path"
          placeholder="path, then Enter"
          title="Of a trace, a dump, a folder of .npy and the like, or a table in a file: sums.md#2"
          value={chosen ?? ''}
          onChange={({ currentTarget: { value } }) => value.trim() !== '' && choose(value.trim())}
        />
      </label>
      <label class="button" title="Or drop a file here">
        Browse …
        <input
          type="file"
          class="unseen"
          onChange={({ currentTarget }) => {
            take(currentTarget.files?.[0]);
            currentTarget.value = '';
          }}
        />
      </label>
      {failure !== null && <span class="failure">{failure}</span>}
    </fieldset>
  );
}
