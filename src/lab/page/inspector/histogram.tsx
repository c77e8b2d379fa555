/** How the values of a tensor are spread, as bars; heights on a log scale, so that the few that lie far out show. */
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import type { Histogram as Counts } from '../../../trace/histogram.ts';
import { shortNumber } from './numbers.ts';
import { standaloneSvg, usePicture } from './pictures.ts';

const [WIDTH, HEIGHT, FOOT] = [320, 88, 16] as const;

export function Histogram({ counts: { range, counts } }: { readonly counts: Counts }): JSX.Element {
  const svg = useRef<SVGSVGElement>(null);
  usePicture(svg, async () => (svg.current ? standaloneSvg(svg.current) : ''));
  if (!range) return <p class="quiet">No value is finite</p>;
  const [least, greatest] = range;
  const most = Math.max(...counts);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const bar = WIDTH / counts.length;
  const heightOf = (count: number) => ((HEIGHT - FOOT) * Math.log1p(count)) / Math.log1p(most);
  const zero = least < 0 && greatest > 0 ? (-least / (greatest - least)) * WIDTH : null;
  return (
    <svg
      class="histogram"
      width={WIDTH}
      height={HEIGHT}
      ref={svg}
      role="img"
      aria-label={`Histogram of ${total} values from ${shortNumber(least)} to ${shortNumber(greatest)}`}
    >
      {counts.map((count, i) => (
        <rect
          class="bar"
          x={i * bar + 0.5}
          width={bar - 1}
          y={HEIGHT - FOOT - heightOf(count)}
          height={heightOf(count)}
          key={i}
        >
          <title>
            {`${count} from ${shortNumber(least + (i * (greatest - least)) / counts.length)} to ${shortNumber(least + ((i + 1) * (greatest - least)) / counts.length)}`}
          </title>
        </rect>
      ))}
      {zero !== null && (
        <>
          <path class="zero" d={`M${zero} 0 V${HEIGHT - FOOT}`} />
          {zero > 40 && zero < WIDTH - 40 && (
            <text class="axis" x={zero} y={HEIGHT - 3} text-anchor="middle">
              0
            </text>
          )}
        </>
      )}
      <text class="axis" x={0} y={HEIGHT - 3}>
        {shortNumber(least)}
      </text>
      <text class="axis" x={WIDTH} y={HEIGHT - 3} text-anchor="end">
        {shortNumber(greatest)}
      </text>
    </svg>
  );
}
