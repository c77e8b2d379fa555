/** Where a fault goes: layers down, ops across, and in each cell the tokens; what is coloured differs from the healthy run. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { shown as spelt } from '../../../../trace/token_label.ts';
import type { Spread, SpreadStep } from '../../../inspector/requests/spread.ts';
import { errorSaid, onScale } from '../error_scale.tsx';
import { standaloneSvg, usePicture } from '../pictures.ts';
import { type Inspector, lockOf, type Theme } from '../state.ts';

/** A small error and a large one. */
const COLOURS: Readonly<Record<Theme, readonly [readonly number[], readonly number[]]>> = {
  light: [
    [253, 226, 196],
    [166, 54, 3],
  ],
  dark: [
    [74, 48, 30],
    [255, 178, 102],
  ],
};

/** Milliseconds that a step is shown for while it plays. */
const BEAT = 90;

/** Of the drawing, in its own units. */
const [LABEL, CELL, GAP, ROW, HEAD, END] = [58, 34, 3, 20, 74, 22];
/** Columns that a tensor outside the layers takes, with its name. */
const ALONE = 5;
/** Tokens that a cell has room for; of a longer text several share a bar, which shows the worst of them. */
const MOST_BARS = 22;

export function FaultSpread({
  inspector,
  spread,
  fault,
}: {
  readonly inspector: Inspector;
  readonly spread: Spread;
  readonly fault: string;
}): JSX.Element {
  const { steps, first, next, refused, pieces } = spread;
  const [shown, setShown] = useState(steps.length - 1);
  const [isPlaying, setIsPlaying] = useState(false);
  useEffect(() => {
    if (!isPlaying) return;
    const timer = setInterval(() => setShown((before) => Math.min(steps.length - 1, before + 1)), BEAT);
    return () => clearInterval(timer);
  }, [isPlaying, steps.length]);
  useEffect(() => {
    if (shown >= steps.length - 1) setIsPlaying(false);
  }, [shown, steps.length]);
  if (refused.length > 0) return <Refused refused={refused} />;
  const at = steps.findIndex(({ name, pass }) => name === first?.name && pass === first.pass);
  const step = steps[shown];
  const play = () => {
    setShown(0);
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) setShown(steps.length - 1);
    else setIsPlaying(true);
  };
  return (
    <div class="spread">
      <p role="status">
        {first ? (
          <>
            <span aria-hidden="true">⚑</span> First touched: <span class="mono">{first.name}</span>.{' '}
            {at === 0 ? 'Nothing is computed before it.' : `The ${at} tensors before it agree in every bit.`}
          </>
        ) : (
          `Every tensor agrees in every bit: ${fault} does nothing to this text. Its page says what shows it.`
        )}{' '}
        {next && first && (
          <>
            Next token:{' '}
            {next.ours === next.beside
              ? `${spelt(next.ours)} with it and without`
              : `${spelt(next.beside)} without it, ${spelt(next.ours)} with it`}{' '}
            (KL {errorSaid(next.kl)} nats).
          </>
        )}{' '}
        {first && (
          <button
            type="button"
            onClick={() => lockOf(inspector, { step: first.name, pass: first.pass, layer: steps[at]?.layer ?? null })}
          >
            Jump there
          </button>
        )}
      </p>
      <div class="controls">
        <button type="button" onClick={isPlaying ? () => setIsPlaying(false) : play}>
          {isPlaying ? '❚❚ Pause' : '▶ Play'}
        </button>
        <button type="button" aria-label="One step back" onClick={() => setShown(Math.max(0, shown - 1))}>
          ◀
        </button>
        <button type="button" aria-label="One step on" onClick={() => setShown(Math.min(steps.length - 1, shown + 1))}>
          ▶
        </button>
        <input
          type="range"
          aria-label="Up to which step"
          min={0}
          max={steps.length - 1}
          value={shown}
          onInput={({ currentTarget }) => setShown(Number(currentTarget.value))}
        />
        <span class="mono at">
          {shown + 1} of {steps.length}: {step?.name}
          {step && ` ${step.differs ? errorSaid(step.error) : 'equal'}`}
        </span>
      </div>
      <Drawing inspector={inspector} steps={steps} pieces={pieces} shown={shown} first={at} />
    </div>
  );
}

function Refused({ refused }: Pick<Spread, 'refused'>): JSX.Element {
  return (
    <div class="refused">
      <p>It changes the tokens before the model sees them, so no tensor lies beside one of the healthy run:</p>
      <ul>
        {refused.map(({ kind, ours, reference, says }) => (
          <li key={kind}>
            <b>{kind}</b>: <span class="mono">{ours}</span> with it, <span class="mono">{reference}</span> without;{' '}
            {says}.
          </li>
        ))}
      </ul>
    </div>
  );
}

/** A cell of the drawing: a tensor over all passes. */
interface Cell {
  readonly name: string;
  readonly layer: number | null;
  readonly row: number;
  readonly column: number;
  /** Place in the order of computation. */
  readonly order: number;
  /** Relative RMS error by bar; null where a bar's tokens have none of the tensor. */
  readonly bars: readonly (number | null)[];
}

interface Grid {
  readonly cells: readonly Cell[];
  /** What each column and row is called. */
  readonly columns: readonly string[];
  readonly rows: readonly string[];
  /** Tokens in a bar. */
  readonly block: number;
}

/** Layers are rows; what is before or after them has a row of its own, from the left. */
function gridOf(steps: readonly SpreadStep[], nTokens: number): Grid {
  const block = Math.max(1, Math.ceil(nTokens / MOST_BARS));
  const columns: string[] = [];
  const rows: string[] = [];
  const cells = new Map<string, Cell & { bars: (number | null)[] }>();
  let inRow = 0;
  let isPast = false;
  for (const [order, { name, layer, byToken, error, differs, pos0 }] of steps.entries()) {
    const stem = layer === null ? name : name.replace(/-\d+$/, '');
    isPast ||= layer !== null;
    const title = layer === null ? (isPast ? 'end' : 'start') : `layer ${layer}`;
    if (!rows.includes(title)) {
      rows.push(title);
      inRow = 0;
    }
    if (layer !== null && !columns.includes(stem)) columns.push(stem);
    const column = layer === null ? inRow++ : columns.indexOf(stem);
    const bars = Math.ceil(nTokens / block);
    const cell = cells.get(name) ?? {
      ...{ name, layer, row: rows.indexOf(title), column, order },
      bars: Array.from({ length: bars }, () => null),
    };
    cells.set(name, cell);
    const errors = byToken ?? Array.from({ length: nTokens - pos0 }, () => (differs ? error : 0));
    for (const [i, each] of errors.entries()) {
      const bar = Math.floor((pos0 + i) / block);
      const before = cell.bars[bar] ?? 0;
      cell.bars[bar] = Number.isNaN(each) ? Number.POSITIVE_INFINITY : Math.max(before, each);
    }
  }
  return { cells: [...cells.values()], columns, rows, block };
}

function Drawing({
  inspector,
  steps,
  pieces,
  shown,
  first,
}: {
  readonly inspector: Inspector;
  readonly steps: readonly SpreadStep[];
  readonly pieces: readonly string[];
  readonly shown: number;
  readonly first: number;
}): JSX.Element {
  const svg = useRef<SVGSVGElement>(null);
  const [said, setSaid] = useState('');
  usePicture(svg, async () => (svg.current ? standaloneSvg(svg.current) : ''));
  const { cells, columns, rows, block } = useMemo(() => gridOf(steps, pieces.length), [steps, pieces.length]);
  const width = LABEL + columns.length * (CELL + GAP) + END;
  const height = HEAD + rows.length * (ROW + GAP) + 4;
  const theme = inspector.theme.value;
  const chosen = inspector.choice.value.step;
  const x = (column: number) => LABEL + column * (CELL + GAP);
  const y = (row: number) => HEAD + row * (ROW + GAP);
  // A tensor outside the layers has its name beside it, and room for that.
  const leftOf = ({ layer, column }: Cell) => x(layer === null ? ALONE * column : column);
  const widthOf = ({ layer }: Cell) => (layer === null ? 2 * CELL + GAP : CELL);
  const barOf = ({ target }: Event) => {
    const { dataset } = target as SVGElement;
    const cell = cells.find(({ name }) => name === dataset.name);
    return cell && dataset.bar !== undefined ? { cell, bar: Number(dataset.bar) } : null;
  };
  /** Arrow keys go from tensor to tensor, in the order of computation. */
  const onKeyDown = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const cell = cells[cells.findIndex(({ name }) => name === chosen) + by];
    if (!cell) return;
    lockOf(inspector, { step: cell.name, layer: cell.layer });
    const worst = cell.bars.reduce<number>((most, error) => Math.max(most, error ?? 0), 0);
    setSaid(`${cell.name}: ${worst === 0 ? 'no difference' : `${errorSaid(worst)} at most`}`);
  };
  const choiceAt = (event: Event) => {
    const found = barOf(event);
    return found && { step: found.cell.name, layer: found.cell.layer, token: found.bar * block };
  };
  return (
    <>
      <div class="drawn">
        <svg
          ref={svg}
          viewBox={`0 0 ${width} ${height}`}
          role="img"
          // Of an SVG element the attribute counts, and is written small.
          tabindex={0}
          aria-label={`Error of ${cells.length} tensors by layer, op and token, against the healthy run; arrow keys go through them`}
          onMouseMove={(event) => {
            const found = barOf(event);
            const error = found?.cell.bars[found.bar];
            setSaid(found ? saidOf(found.cell.name, found.bar, block, pieces, error ?? null) : '');
            inspector.hovered.value = choiceAt(event);
          }}
          onMouseLeave={() => {
            setSaid('');
            inspector.hovered.value = null;
          }}
          onClick={(event) => lockOf(inspector, choiceAt(event))}
          onKeyDown={onKeyDown}
        >
          {columns.map((stem, i) => (
            <text key={stem} class="stem" transform={`translate(${x(i) + CELL / 2 - 4} ${HEAD - 6}) rotate(-42)`}>
              {stem}
            </text>
          ))}
          {rows.map((title, i) => (
            <text key={title} class="row-title" x={LABEL - 8} y={y(i) + ROW / 2 + 4}>
              {title}
            </text>
          ))}
          {cells.map((cell) => (
            <g key={cell.name} data-drawn={cell.order <= shown}>
              <rect
                class={`cell${cell.name === chosen ? ' chosen' : ''}${cell.order === first ? ' first' : ''}${cell.order === shown ? ' last' : ''}`}
                x={leftOf(cell)}
                y={y(cell.row)}
                width={widthOf(cell)}
                height={ROW}
              />
              {cell.order <= shown &&
                cell.bars.map((error, bar) => (
                  <rect
                    key={bar}
                    data-name={cell.name}
                    data-bar={bar}
                    x={leftOf(cell) + (bar * widthOf(cell)) / cell.bars.length}
                    y={y(cell.row)}
                    width={widthOf(cell) / cell.bars.length}
                    height={ROW}
                    fill={error ? colourOf(error, theme) : 'transparent'}
                  />
                ))}
              {cell.layer === null && (
                <text class="alone" x={leftOf(cell) + widthOf(cell) + 5} y={y(cell.row) + ROW / 2 + 4}>
                  {cell.name}
                </text>
              )}
              {cell.order === first && cell.order <= shown && (
                <text class="flag" x={leftOf(cell) - 1} y={y(cell.row) + 9}>
                  ⚑
                </text>
              )}
            </g>
          ))}
        </svg>
      </div>
      <p class="read-off" role="status">
        {said ||
          'Each cell is a tensor, its bars the tokens from left to right. Point at one to read it off; click to choose it.'}
      </p>
      <p class="scale quiet">
        <span class="swatch none" /> every bit equal
        {[1e-7, 1e-5, 1e-3, 1e-1, 1].map((error) => (
          <span key={error}>
            <span class="swatch" style={{ background: colourOf(error, theme) }} /> {errorSaid(error)}
          </span>
        ))}
        <span>relative RMS error against the run without the fault</span>
      </p>
    </>
  );
}

function saidOf(name: string, bar: number, block: number, pieces: readonly string[], error: number | null): string {
  const from = bar * block;
  const to = Math.min(pieces.length, from + block) - 1;
  const tokens = from === to ? `token ${from} ${spelt(pieces[from] ?? '')}` : `tokens ${from}–${to}, the worst`;
  return `${name}, ${tokens}: ${error === null ? 'none of it' : error === 0 ? 'no difference' : errorSaid(error)}`;
}

function colourOf(error: number, theme: Theme): string {
  const [small, large] = COLOURS[theme];
  // Faults show at the upper end of the scale: more of the colours are there.
  const share = onScale(error) ** 2.5;
  return `rgb(${small.map((from, c) => Math.round(from + share * ((large[c] as number) - from))).join(' ')})`;
}
