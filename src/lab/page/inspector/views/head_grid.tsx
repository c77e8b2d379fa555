/** The heads of a model with many, a row of small pictures for each layer: as a chart they would shrink until nobody sees anything. */
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { Failed } from '../answer.tsx';
import { usePicture } from '../pictures.ts';
import { type Inspector, lockOf } from '../state.ts';
import { hasRow } from './focus.ts';
import { Thumb } from './head_thumbs.tsx';
import { usePattern } from './pattern.ts';

export function HeadGrid({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  usePicture(host, async () => (host.current ? pictureOf(host.current) : ''));
  const { nLayer = 0, nHead = 0 } = inspector.opened.value?.config ?? {};
  const layers = Array.from({ length: nLayer }, (_, layer) => layer).filter((layer) =>
    hasRow(inspector, `kq_soft_max-${layer}`),
  );
  return (
    <div class="head-grid" style={{ '--heads': nHead }} ref={host}>
      <p class="quiet">
        Rows are layers, columns heads. In each picture queries go down and keys across: the fuller, the more is looked
        at.
      </p>
      {layers.map((layer) => (
        <LayerHeads layer={layer} inspector={inspector} key={layer} />
      ))}
    </div>
  );
}

function LayerHeads({ layer, inspector }: { readonly layer: number; readonly inspector: Inspector }) {
  const { value: pattern, failure, again } = usePattern(inspector, layer);
  const { layer: chosenLayer, head: chosenHead } = inspector.locked.value;
  if (failure !== null) return <Failed failure={failure} again={again} />;
  return (
    <div class="head-row">
      <span class="quiet">{layer}</span>
      {pattern &&
        Array.from({ length: pattern.nHead }, (_, head) => (
          <button
            type="button"
            tabIndex={-1}
            key={head}
            aria-label={`Head ${head} of layer ${layer}`}
            title={`Head ${head} of layer ${layer}`}
            aria-pressed={layer === chosenLayer && head === chosenHead}
            onClick={() => lockOf(inspector, { layer, head })}
          >
            <Thumb pattern={pattern} head={head} theme={inspector.theme.value} />
          </button>
        ))}
    </div>
  );
}

/** As an SVG that holds each small picture and the number of each layer. */
function pictureOf(host: HTMLElement): string {
  const page = host.getBoundingClientRect();
  const place = (element: Element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return { x: left - page.left, y: top - page.top, width, height };
  };
  const images = [...host.querySelectorAll('canvas')].map((canvas) => {
    const { x, y, width, height } = place(canvas);
    const looks = `x="${x}" y="${y}" width="${width}" height="${height}" style="image-rendering: pixelated"`;
    return `<image ${looks} href="${canvas.toDataURL()}"/>`;
  });
  const numbers = [...host.querySelectorAll<HTMLElement>('.head-row > span')].map((span) => {
    const { x, y, height } = place(span);
    const fill = getComputedStyle(span).color;
    return `<text x="${x}" y="${y + height / 2}" font-family="sans-serif" font-size="11" dominant-baseline="central" fill="${fill}">${span.textContent}</text>`;
  });
  const size = `width="${Math.ceil(page.width)}" height="${Math.ceil(page.height)}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${images.join('')}${numbers.join('')}</svg>`;
}
