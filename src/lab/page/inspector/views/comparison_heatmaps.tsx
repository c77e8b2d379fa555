/** Both sides of a tensor and their difference, as pictures beside each other, read off by pointer or arrow keys. */
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { TensorComparison } from '../../../../compare/comparison.ts';
import { f32Text, placeText } from '../../../../compare/report/tensor_table.ts';
import type { ComparisonView } from '../../../inspector/requests/compare.ts';
import { type Heatmap, NOTHING } from '../../../inspector/requests/heatmap.ts';
import { usePicture } from '../pictures.ts';
import { type Inspector, lockOf, type Theme } from '../state.ts';

/** Below 0, at 0 and above: ColorBrewer's orange and purple (Brewer 2003), as our charts have them. */
const COLOURS: Readonly<Record<Theme, readonly [number[], number[], number[]]>> = {
  light: [
    [179, 88, 6],
    [247, 247, 247],
    [84, 39, 136],
  ],
  dark: [
    [253, 174, 97],
    [38, 42, 50],
    [184, 158, 232],
  ],
};
/** What is no finite number. */
const BROKEN = [214, 39, 40];

interface Shown {
  readonly inspector: Inspector;
  readonly view: ComparisonView;
  readonly heatmap: Heatmap;
  readonly tensor: TensorComparison;
}

export function Heatmaps({ inspector, view, heatmap, tensor }: Shown): JSX.Element {
  const [at, setAt] = useState<number | null>(null);
  const { ours, reference, block, width, height, rows, columns } = heatmap;
  const difference = ours.map((x, i) => x - (reference[i] as number));
  const most = (...values: Float32Array[]) =>
    values.reduce((max, each) => each.reduce((a, x) => (Number.isFinite(x) ? Math.max(a, Math.abs(x)) : a), max), 0);
  const scale = most(ours, reference);
  const apart = most(difference);
  const shown = at === null || at >= width * height ? null : at;
  const worst = worstBlock(heatmap, tensor);
  const pictures = [
    { title: view.ours.label, values: ours, scale },
    { title: view.reference.label, values: reference, scale },
    { title: 'ours − reference', values: difference, scale: apart },
  ];
  const lock = (i: number) => {
    if (heatmap.atRow[i] === NOTHING) return;
    const row = rows.first + (heatmap.atRow[i] as number);
    lockOf(inspector, {
      ...(rows.what === 'token' ? { token: row } : {}),
      ...(columns.what === 'key' ? { key: heatmap.atColumn[i] as number } : {}),
    });
  };
  return (
    <div class="heatmaps">
      <div class="pictures">
        {pictures.map((picture) => (
          <Picture
            key={picture.title}
            {...picture}
            {...{ heatmap, at: shown, worst, setAt, lock }}
            theme={inspector.theme.value}
          />
        ))}
      </div>
      <p class="read-off" role="status">
        {shown === null
          ? 'Point at a cell, or move over it with the arrow keys, to read it off.'
          : readOff(view, heatmap, shown)}
      </p>
      <p class="quiet">
        Down: {rows.what}s ({rows.count}). Across: {columns.what} ({columns.count}).
        {block.rows * block.columns > 1 &&
          ` Each cell stands for ${block.rows} × ${block.columns} elements and shows the one that differs most.`}{' '}
        Both sides: orange below 0, purple above, up to {f32Text(scale)}; on the right up to {f32Text(apart)}. Colour
        grows with the square root. A ring marks the worst element.
      </p>
    </div>
  );
}

function readOff(
  view: ComparisonView,
  { rows, columns, atRow, atColumn, ours, reference, head }: Heatmap,
  i: number,
): string {
  const [x, y] = [ours[i] as number, reference[i] as number];
  if (atRow[i] === NOTHING) return 'Nothing is here: this token does not see that key, or no side tells it.';
  const row = rows.first + (atRow[i] as number);
  const place = rows.what === 'token' ? placeText(view, { index: [], token: row, head }) : `${rows.what} ${row}`;
  return `${place}, ${columns.what} ${atColumn[i]}: ours ${f32Text(x)}, reference ${f32Text(y)}, difference ${f32Text(Math.fround(x - y))}`;
}

/** The block that holds the comparison's worst element; null where another head is drawn. */
function worstBlock({ head, width, block }: Heatmap, { worst, shape, dims }: TensorComparison): number | null {
  if (!worst || (head !== null && worst.head !== head)) return null;
  const axes = dims.map((_, axis) => axis).filter((axis) => head === null || dims[axis] !== 'head');
  const [first, ...others] = axes.length > 1 ? axes : [null, ...axes];
  const along = (axis: number | null | undefined) =>
    axis === null || axis === undefined ? 0 : (worst.index[axis] ?? 0);
  const column = others.reduce<number>((sum, axis) => sum * (shape[axis as number] ?? 1) + along(axis), 0);
  return Math.floor(along(first) / block.rows) * width + Math.floor(column / block.columns);
}

/** Pixels of a picture: a row of a short text is as high as a line of text. */
const [TALLEST, LEAST_ROW, MOST_ROW] = [300, 3, 16];

function Picture({
  title,
  values,
  scale,
  heatmap: { width, height, atRow },
  at,
  worst,
  setAt,
  lock,
  theme,
}: {
  readonly title: string;
  readonly values: Float32Array;
  readonly scale: number;
  readonly heatmap: Heatmap;
  readonly at: number | null;
  readonly worst: number | null;
  setAt(at: number | null): void;
  lock(at: number): void;
  readonly theme: Theme;
}): JSX.Element {
  const figure = useRef<HTMLElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    context?.putImageData(imageOf(values, atRow, { width, height, scale, theme }), 0, 0);
  }, [values, atRow, width, height, scale, theme]);
  const rowHeight = Math.max(LEAST_ROW, Math.min(MOST_ROW, TALLEST / height));
  usePicture(figure, async () => svgOf(title, canvas.current, height * rowHeight));
  const blockAt = ({ offsetX, offsetY, currentTarget }: JSX.TargetedMouseEvent<HTMLElement>) => {
    const column = Math.floor((offsetX / currentTarget.clientWidth) * width);
    const row = Math.floor((offsetY / currentTarget.clientHeight) * height);
    return Math.min(height - 1, Math.max(0, row)) * width + Math.min(width - 1, Math.max(0, column));
  };
  const onKeyDown = (event: JSX.TargetedKeyboardEvent<HTMLElement>) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: width, ArrowUp: -width }[event.key];
    if (event.key === 'Enter' && at !== null) lock(at);
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const next = at === null ? (worst ?? 0) : at + step;
    if (next >= 0 && next < width * height) setAt(next);
  };
  return (
    <figure ref={figure} class="heatmap">
      <figcaption>{title}</figcaption>
      <div
        class="canvas"
        style={{ height: `${height * rowHeight}px` }}
        role="img"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: its cells are read off with the arrow keys
        tabIndex={0}
        aria-label={`${title}, ${height} by ${width} cells; arrow keys read them off, Enter chooses`}
        onMouseMove={(event) => setAt(blockAt(event))}
        onMouseLeave={() => setAt(null)}
        onClick={(event) => lock(blockAt(event))}
        onKeyDown={onKeyDown}
      >
        <canvas ref={canvas} width={width} height={height} />
        {[
          [worst, 'worst'],
          [at, 'pointer'],
        ].map(
          ([i, kind]) =>
            typeof i === 'number' && (
              <span
                key={kind}
                class={`ring ${kind}`}
                style={{
                  left: `${(100 * ((i % width) + 0.5)) / width}%`,
                  top: `${(100 * (Math.floor(i / width) + 0.5)) / height}%`,
                }}
              />
            ),
        )}
      </div>
    </figure>
  );
}

function imageOf(
  values: Float32Array,
  atRow: Uint32Array,
  { width, height, scale, theme }: { width: number; height: number; scale: number; theme: Theme },
): ImageData {
  const image = new ImageData(width, height);
  const [below, zero, above] = COLOURS[theme];
  for (const [i, value] of values.entries()) {
    if (atRow[i] === NOTHING) continue;
    const share = scale === 0 ? 0 : Math.sqrt(Math.min(1, Math.abs(value) / scale));
    const end = value < 0 ? below : above;
    const colour = Number.isFinite(value) ? zero.map((from, c) => from + share * ((end[c] as number) - from)) : BROKEN;
    image.data.set([...colour, 255], 4 * i);
  }
  return image;
}

function svgOf(title: string, canvas: HTMLCanvasElement | null, height: number): string {
  if (!canvas) return '';
  const width = Math.max(160, canvas.clientWidth);
  const text = title.replace(/[<&]/g, (character) => (character === '<' ? '&lt;' : '&amp;'));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height + 28}">` +
    `<text x="0" y="14" font-family="system-ui, sans-serif" font-size="12" fill="#808080">${text}</text>` +
    `<image x="0" y="20" width="${width}" height="${height}" preserveAspectRatio="none" ` +
    `style="image-rendering: pixelated" href="${canvas.toDataURL()}"/></svg>`
  );
}
