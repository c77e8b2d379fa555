/** A view with its name, what it says, and what can be done with it: its code as a cell, a link, its pictures, its numbers. */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import type { LabActions } from '../shell/panes.ts';
import { linkOf } from './address.ts';
import { arrowFile, runFile } from './arrow_file.ts';
import { type Picture, Pictures, pngOf, stacked } from './pictures.ts';
import type { Inspector } from './state.ts';
import type { View } from './view.ts';

export function Frame({
  view,
  inspector,
  lab,
}: {
  readonly view: View;
  readonly inspector: Inspector;
  readonly lab: LabActions;
}): JSX.Element {
  const section = useRef<HTMLElement>(null);
  const pictures = useMemo(() => new Map<Element, Picture>(), [view]);
  const said = useSignal('');
  const does = (action: () => Promise<string>) => async () => {
    said.value = await action().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  };
  const experiment = inspector.experiment.value;
  const cell = view.cell(inspector);
  const name = `${fileStem(inspector)}.${view.id}`;

  async function picture() {
    const shown = [...pictures].sort(([a], [b]) =>
      a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1,
    );
    const svgs = await Promise.all(shown.map(([, svg]) => svg()));
    const drawn = svgs.filter((svg) => svg !== '');
    if (drawn.length === 0 || !section.current) throw new Error('Cannot export a picture: this view shows none now');
    return stacked(drawn, getComputedStyle(section.current).getPropertyValue('--panel').trim());
  }

  return (
    <section class="view" data-view={view.id} aria-labelledby={`view-${view.id}`} ref={section}>
      <header>
        <div>
          <h2 class="unseen" id={`view-${view.id}`}>
            {view.title}
          </h2>
          <p class="quiet">{view.says}</p>
        </div>
        <div class="toolbar" role="toolbar" aria-label={`${view.title}: take it along`}>
          <button
            type="button"
            disabled={cell === null}
            title="Put the code that makes this into the notebook"
            onClick={does(() => lab.insertCell(cell ?? ''))}
          >
            Copy as cell
          </button>
          <button
            type="button"
            title="Copy a link that opens just this"
            onClick={does(async () => {
              await navigator.clipboard.writeText(linkOf(inspector));
              return 'The link is on the clipboard';
            })}
          >
            Link
          </button>
          <button
            type="button"
            title="Save as a picture for screens and slides"
            onClick={does(async () => saved(await pngOf(await picture()), `${name}.png`))}
          >
            PNG
          </button>
          <button
            type="button"
            title="Save as a drawing that stays sharp at any size"
            onClick={does(async () =>
              saved(new Blob([(await picture()).svg], { type: 'image/svg+xml' }), `${name}.svg`),
            )}
          >
            SVG
          </button>
          <button
            type="button"
            title="Save the numbers as an Arrow file, for TypeScript, Python and others"
            onClick={does(async () => {
              const tensors = await view.tensors(inspector);
              if (!tensors || tensors.length === 0) throw new Error('Cannot export numbers: this view shows none now');
              return saved(await arrowFile(tensors, inspector), `${name}.arrow`);
            })}
          >
            Arrow
          </button>
          <button
            type="button"
            disabled={experiment === null}
            title="Save every tensor of the run as one Arrow file: a trace that this page and “compare” open"
            onClick={
              experiment
                ? does(async () => {
                    said.value = 'Writing every tensor of the run …';
                    const { blob, says } = await runFile(inspector, experiment);
                    return `${saved(blob, `${fileStem(inspector)}.run.arrow`)}: ${says}`;
                  })
                : undefined
            }
          >
            Whole run
          </button>
        </div>
      </header>
      <p class="said" role="status">
        {said.value}
      </p>
      <Pictures.Provider value={pictures}>
        <view.Body inspector={inspector} />
      </Pictures.Provider>
    </section>
  );
}

function fileStem({ experiment }: Inspector): string {
  return experiment.value?.file.replace(/^.*\//, '').replace(/\.\w+$/, '') ?? 'layerscope';
}

function saved(blob: Blob, name: string): string {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return `Saved ${name}`;
}
