/**
 * A Vega-Lite chart in the page. Vega is large, so it comes with the first chart; it runs with its interpreter, since the page's
 * content security policy allows no code from text. What a mark is of is what the inspector's views look at: see datum.ts.
 */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Item, View } from 'vega';
import type { VisualizationSpec } from 'vega-embed';
import { themed } from './chart_theme.ts';
import { choiceOfDatum } from './datum.ts';
import { usePicture } from './pictures.ts';
import { type Inspector, lockOf } from './state.ts';

export function Chart({ spec, inspector }: { readonly spec: object; readonly inspector: Inspector }): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<View | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const theme = inspector.theme.value;
  const drawn = useMemo(() => themed(spec, theme) as VisualizationSpec, [spec, theme]);
  useEffect(() => {
    const { current } = host;
    if (!current) return;
    let isGone = false;
    let finish = () => {};
    setFailure(null);
    drawInto(current, drawn, inspector).then(
      (made) => {
        if (isGone) {
          made.finish();
          return;
        }
        view.current = made.view;
        finish = made.finish;
      },
      (error: Error) => setFailure(`Cannot draw this chart: ${error.message}`),
    );
    return () => {
      isGone = true;
      view.current = null;
      finish();
    };
  }, [drawn, inspector]);
  usePicture(host, async () => (await view.current?.toSVG()) ?? '');
  const { description } = spec as { readonly description?: string };
  return (
    <figure class="chart">
      <div class="drawing" ref={host} role="img" aria-label={description ?? 'Chart'} />
      {failure !== null && <p class="failure">{failure}</p>}
    </figure>
  );
}

async function drawInto(
  host: HTMLElement,
  spec: VisualizationSpec,
  inspector: Inspector,
): Promise<{ view: View; finish(): void }> {
  const { default: embed } = await import('vega-embed');
  // Written for version 5, which version 6 draws alike, and would warn of.
  const { $schema: _, ...drawn } = spec as VisualizationSpec & { readonly $schema?: string };
  const { view, finalize } = await embed(host, drawn as VisualizationSpec, {
    mode: 'vega-lite',
    renderer: 'svg',
    actions: false,
    ast: true,
    defaultStyle: false,
    tooltip: { theme: 'inspector', disableDefaultStyle: true },
    loader: { http: { credentials: 'omit' } },
  });
  const choiceAt = (item: Item | null | undefined) =>
    choiceOfDatum(item?.datum, (name) => inspector.opened.peek()?.steps.some((step) => step.name === name) ?? false);
  view.addEventListener('mouseover', (_, item) => {
    inspector.hovered.value = choiceAt(item);
  });
  view.addEventListener('mouseout', () => {
    inspector.hovered.value = null;
  });
  view.addEventListener('click', (_, item) => lockOf(inspector, choiceAt(item)));
  // Vega hears of the window's size alone, and the pane has its own.
  const resized = new ResizeObserver(() => void view.resize().runAsync());
  if ('width' in spec && spec.width === 'container') resized.observe(host);
  return {
    view,
    finish() {
      resized.disconnect();
      inspector.hovered.value = null;
      finalize();
    },
  };
}
