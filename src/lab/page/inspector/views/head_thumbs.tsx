/**
 * Every head of a layer as a small picture of its attention, queries downwards and keys across; a click chooses one. The idea is
 * CircuitsVis' (Cooney and Nanda 2022): a row of small heads above the one that is looked at.
 */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { LayerPattern } from '../../../inspector/requests/pattern.ts';
import { type Inspector, lockOf } from '../state.ts';

/** Longer texts are drawn in blocks, of which each shows the largest share in it. */
const MOST_PIXELS = 64;
/** More are drawn smaller. */
const MANY_HEADS = 12;

export function HeadThumbs({
  pattern,
  layer,
  inspector,
}: {
  readonly pattern: LayerPattern;
  readonly layer: number;
  readonly inspector: Inspector;
}): JSX.Element {
  const { head } = inspector.locked.value;
  return (
    <fieldset class={pattern.nHead > MANY_HEADS ? 'head-thumbs many' : 'head-thumbs'}>
      <legend class="quiet">The heads of layer {layer}</legend>
      {Array.from({ length: pattern.nHead }, (_, each) => (
        <button
          type="button"
          key={each}
          aria-pressed={each === (head ?? 0)}
          title={`Head ${each} of layer ${layer}`}
          onClick={() => lockOf(inspector, { layer, head: each })}
        >
          <Thumb pattern={pattern} head={each} theme={inspector.theme.value} />
          {each}
        </button>
      ))}
    </fieldset>
  );
}

export function Thumb({
  pattern,
  head,
  theme,
}: {
  readonly pattern: LayerPattern;
  readonly head: number;
  readonly theme: string;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current) draw(canvas.current, pattern, head);
  }, [pattern, head, theme]);
  return <canvas ref={canvas} />;
}

/** In the colour of the canvas' own text, the fuller the larger the share. */
function draw(canvas: HTMLCanvasElement, { start, end, weights }: LayerPattern, head: number): void {
  const block = Math.ceil(end / MOST_PIXELS);
  const size = Math.ceil(end / block);
  canvas.width = size;
  canvas.height = size;
  const context = canvas.getContext('2d');
  if (!context) return;
  const [red = 0, green = 0, blue = 0] = getComputedStyle(canvas).color.match(/\d+/g)?.map(Number) ?? [];
  const image = context.createImageData(size, size);
  for (let query = start; query < end; query++) {
    const row = (head * (end - start) + query - start) * end;
    for (let key = 0; key <= query; key++) {
      const at = 4 * (Math.floor(query / block) * size + Math.floor(key / block));
      // Even what is looked at by nobody shows that it could be.
      const alpha = 22 + Math.round(233 * (weights[row + key] as number));
      if (alpha > (image.data[at + 3] as number)) image.data.set([red, green, blue, alpha], at);
    }
  }
  context.putImageData(image, 0, 0);
}
