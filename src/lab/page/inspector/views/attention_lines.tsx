/**
 * Attention over the text itself: the tokens that look on the left, those looked at on the right, and between them lines as
 * heavy as the share. The idea is that of BertViz (Vig 2019, arXiv:1906.05714) and Tensor2Tensor's visualisation before it.
 */
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { shown } from '../../../../trace/token_label.ts';
import type { LayerPattern } from '../../../inspector/requests/pattern.ts';
import { standaloneSvg, usePicture } from '../pictures.ts';
import { type Choice, type Inspector, lockOf } from '../state.ts';

/** Pixels. */
const ROW = 20;
const HEADER = 24;
const [LEFT, RIGHT, WIDTH] = [132, 258, 392];
/** Shares below are not drawn: of one token, and of all. */
const [LEAST_OF_ONE, LEAST_OF_ALL] = [0.003, 0.03];
/** Letters that a column has room for. */
const MOST_LETTERS = 13;

interface Link {
  readonly query: number;
  readonly key: number;
  readonly share: number;
}

export function AttentionLines({
  pattern,
  head,
  inspector,
}: {
  readonly pattern: LayerPattern;
  readonly head: number;
  readonly inspector: Inspector;
}): JSX.Element {
  const svg = useRef<SVGSVGElement>(null);
  usePicture(svg, async () => (svg.current ? standaloneSvg(svg.current) : ''));
  const { token, key } = inspector.choice.value;
  const { end, start } = pattern;
  const query = token !== null && token >= start && token < end ? token : null;
  const links = linksOf(pattern, head, query, query === null ? key : null);
  const pieces = inspector.run.value?.tokens.slice(0, end).map(({ piece }) => shown(piece)) ?? [];
  const y = (position: number) => HEADER + ROW * (position + 0.5);

  const at = (event: MouseEvent): Partial<Choice> | null => {
    const box = svg.current?.getBoundingClientRect();
    if (!box) return null;
    const scale = WIDTH / box.width;
    const position = Math.floor(((event.clientY - box.top) * scale - HEADER) / ROW);
    const x = (event.clientX - box.left) * scale;
    if (position < 0 || position >= end) return null;
    if (x < LEFT) return { token: position };
    return x > RIGHT ? { key: position } : null;
  };
  return (
    // The strip of tokens above does the same by keys.
    // biome-ignore lint/a11y/useKeyWithClickEvents: see above.
    <svg
      class="attention-lines"
      viewBox={`0 0 ${WIDTH} ${HEADER + ROW * end + 6}`}
      width={WIDTH}
      ref={svg}
      role="img"
      aria-label={said(links, pieces, query)}
      onMouseMove={(event) => {
        inspector.hovered.value = at(event);
      }}
      onMouseLeave={() => {
        inspector.hovered.value = null;
      }}
      onClick={(event) => lockOf(inspector, at(event))}
    >
      <text class="head" x={LEFT - 8} y={14} text-anchor="end">
        looks
      </text>
      <text class="head" x={RIGHT + 8} y={14}>
        is looked at
      </text>
      {links.map((link) => (
        <path
          class="link"
          key={`${link.query} ${link.key}`}
          d={curve(y(link.query), y(link.key))}
          stroke-width={0.75 + 4.5 * link.share}
          stroke-opacity={(query === null && key === null ? 0.08 : 0.2) + 0.75 * link.share}
        />
      ))}
      {pieces.map((piece, position) => {
        const share = shareAt(links, query, position);
        return (
          <g key={position}>
            {position === query && (
              <rect class="chosen" x={2} y={y(position) - 9} width={LEFT - 4} height={18} rx={3} />
            )}
            <text x={LEFT - 8} y={y(position)} text-anchor="end" class={position < start ? 'faint' : ''}>
              {position} {shortened(piece)}
            </text>
            {share !== null && (
              <rect
                class="share"
                x={RIGHT + 2}
                y={y(position) - 9}
                width={WIDTH - RIGHT - 4}
                height={18}
                rx={3}
                fill-opacity={0.75 * share}
              />
            )}
            {position === key && (
              <rect class="chosen" x={RIGHT + 2} y={y(position) - 9} width={WIDTH - RIGHT - 4} height={18} rx={3} />
            )}
            <text x={RIGHT + 8} y={y(position)} class={query !== null && position > query ? 'faint' : ''}>
              {position} {shortened(piece)}
            </text>
            {share !== null && share >= LEAST_OF_ONE && (
              <text class="percent" x={WIDTH - 8} y={y(position)} text-anchor="end">
                {(100 * share).toFixed(share < 0.1 ? 1 : 0)} %
              </text>
            )}
          </g>
        );
      })}
    </svg>
  );
}

/** Of one query, into one key, or all of them. */
function linksOf(
  { start, end, weights }: LayerPattern,
  head: number,
  onlyQuery: number | null,
  onlyKey: number | null,
): Link[] {
  const links: Link[] = [];
  const least = onlyQuery === null && onlyKey === null ? LEAST_OF_ALL : LEAST_OF_ONE;
  for (let query = onlyQuery ?? start; query < (onlyQuery === null ? end : onlyQuery + 1); query++) {
    for (let key = onlyKey ?? 0; key <= (onlyKey === null ? query : Math.min(onlyKey, query)); key++) {
      const share = weights[(head * (end - start) + query - start) * end + key] ?? 0;
      if (share >= least) links.push({ query, key, share });
    }
  }
  // Heavy ones on top.
  return links.sort((a, b) => a.share - b.share);
}

function shareAt(links: readonly Link[], query: number | null, key: number): number | null {
  if (query === null || key > query) return null;
  return links.find((link) => link.key === key)?.share ?? 0;
}

function curve(from: number, to: number): string {
  const middle = (LEFT + RIGHT) / 2;
  return `M${LEFT} ${from} C${middle} ${from} ${middle} ${to} ${RIGHT} ${to}`;
}

function shortened(piece: string): string {
  const letters = [...piece];
  return letters.length > MOST_LETTERS ? `${letters.slice(0, MOST_LETTERS - 1).join('')}…` : piece;
}

function said(links: readonly Link[], pieces: readonly string[], query: number | null): string {
  const name = (position: number) => `${position} ${pieces[position] ?? ''}`;
  const strongest = links.at(-1);
  if (!strongest) return 'Lines from the tokens that look to those looked at';
  const from = query === null ? 'the strongest line goes' : 'most goes';
  return `Attention as lines: ${from} from ${name(strongest.query)} to ${name(strongest.key)}, ${Math.round(100 * strongest.share)} %`;
}
