/**
 * The model's steps as a map: layers down, ops across, the residual stream as the line below each row. Coloured is what the run
 * has computed; a click or the arrow keys look at a step, and the run goes on to it where it was not there yet.
 */
// biome-ignore-all lint/a11y/useSemanticElements: in a drawing, roles are all there is.
// biome-ignore-all lint/a11y/noNoninteractiveElementToInteractiveRole: the drawing is a grid of cells to walk.
import { useComputed, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { StepCard } from '../../inspector/requests/open.ts';
import { useSetting } from './answer.tsx';
import { colourAt, type Measure, measures, type Shades, shadesOf } from './map_colours.ts';
import { isResidual, type MapCell, type MapLayout, mapLayout } from './map_layout.ts';
import { shortNumber } from './numbers.ts';
import type { Inspector, Theme } from './state.ts';
import { backTo, computedNow, goTo } from './walk.ts';

/** Pixels. */
const GUTTER = 48;
const NARROWEST = 18;
const WIDEST = 54;
const HEAD = 62;
/** Of a row, and from one to the next; low ones where there are many layers, or where the map has little room. */
const ROW = { height: 20, pitch: 30 } as const;
const LOW_ROW = { height: 13, pitch: 19 } as const;
const MANY_ROWS = 26;

interface Geometry {
  readonly width: number;
  readonly height: number;
  readonly row: typeof ROW | typeof LOW_ROW;
  x(column: number): number;
  y(row: number): number;
}

export function StepMap({ inspector }: { readonly inspector: Inspector }): JSX.Element | null {
  const opened = inspector.opened.value;
  if (!opened) return null;
  return <MapOf steps={opened.steps} inspector={inspector} />;
}

function MapOf({ steps, inspector }: { readonly steps: readonly StepCard[]; readonly inspector: Inspector }) {
  const layout = useMemo(() => mapLayout(steps), [steps]);
  const scroller = useRef<HTMLDivElement>(null);
  const room = useRoom(scroller);
  const [measureId, setMeasure] = useSetting(inspector, 'map.colour', 'rms');
  const measure = measures.find(({ id }) => id === measureId) ?? (measures[0] as Measure);
  const { run, locked, theme } = inspector;
  const pass = locked.value.pass ?? (run.value?.passes ?? 1) - 1;
  const shades = useMemo(() => shadesOf(run.value?.rows ?? [], pass, measure), [run.value, pass, measure]);
  const geometry = useMemo(() => geometryOf(layout, room), [layout, room]);
  const passes = run.value?.passes ?? 0;
  const isFolded = useSignal(false);
  return (
    <section class={isFolded.value ? 'map folded' : 'map'} aria-label="Map of the model's steps">
      <div class="map-bar">
        <label>
          Colour
          <select value={measure.id} onChange={({ currentTarget }) => setMeasure(currentTarget.value)}>
            {measures.map(({ id, label }) => (
              <option value={id} key={id}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <Legend shades={shades} measure={measure} theme={theme.value} hasNext={(run.value?.next ?? null) !== null} />
        {passes > 1 && (
          <label>
            Pass
            <select
              value={pass}
              onChange={({ currentTarget }) => {
                locked.value = { ...locked.peek(), pass: Number(currentTarget.value) };
              }}
            >
              {Array.from({ length: passes }, (_, i) => (
                <option value={i} key={i}>
                  {i === 0 ? '0, the prompt' : `${i}`}
                </option>
              ))}
            </select>
          </label>
        )}
        <button
          type="button"
          class="fold"
          aria-expanded={!isFolded.value}
          onClick={() => {
            isFolded.value = !isFolded.value;
          }}
        >
          {isFolded.value ? 'Show map' : 'Hide map'}
        </button>
      </div>
      <div class="map-scroll" ref={scroller}>
        <MapHead layout={layout} geometry={geometry} />
        <MapBody layout={layout} geometry={geometry} shades={shades} inspector={inspector} />
      </div>
      <Hovered steps={steps} shades={shades} measure={measure} inspector={inspector} />
    </section>
  );
}

function geometryOf({ columns, rows }: MapLayout, room: Room): Geometry {
  const cell = Math.max(NARROWEST, Math.min(WIDEST, (room.width - GUTTER - 14) / Math.max(1, columns.length)));
  const heightOf = ({ pitch }: Geometry['row']) => rows.length * pitch + 6;
  const row = rows.length > MANY_ROWS || HEAD + heightOf(ROW) > room.height ? LOW_ROW : ROW;
  return {
    row,
    width: GUTTER + columns.length * cell + 12,
    height: heightOf(row),
    x: (column) => GUTTER + column * cell,
    y: (index) => index * row.pitch + 3,
  };
}

function MapHead({ layout: { columns, groups }, geometry }: { layout: MapLayout; geometry: Geometry }) {
  const { x, width } = geometry;
  const cell = x(1) - x(0);
  return (
    <svg class="map-head" width={width} height={HEAD} aria-hidden="true">
      {groups.map(({ label, from, to }) => (
        <g key={label}>
          <path class="bracket" d={`M${x(from) + 2} 18 V14 H${x(to + 1) - 4} V18`} />
          <text class="group" x={(x(from) + x(to + 1)) / 2} y={10}>
            {label}
          </text>
        </g>
      ))}
      {columns.map(({ stem, label }, column) => (
        <text
          class="column"
          key={stem}
          transform={`translate(${x(column) + cell / 2 - 3} ${HEAD - 4}) rotate(${cell > 46 && label.length < 8 ? 0 : -42})`}
        >
          {label}
        </text>
      ))}
    </svg>
  );
}

function MapBody({
  layout,
  geometry,
  shades,
  inspector,
}: {
  readonly layout: MapLayout;
  readonly geometry: Geometry;
  readonly shades: Shades;
  readonly inspector: Inspector;
}) {
  const svg = useRef<SVGSVGElement>(null);
  const cells = useMemo(() => layout.rows.flatMap((row) => row.cells), [layout]);
  const current = useComputed(() => inspector.locked.value.step ?? inspector.run.value?.at ?? cells[0]?.name ?? '');
  const order = useMemo(() => new Map(cells.map(({ name }, i) => [name, i])), [cells]);
  const theme = inspector.theme.value;
  const { width, height, y, row } = geometry;

  const focus = (name: string) => svg.current?.querySelector<SVGGElement>(`[data-step="${CSS.escape(name)}"]`)?.focus();
  const walk = async (to: MapCell | undefined) => {
    if (!to) return;
    await goTo(inspector, to.name);
    focus(to.name);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const at = order.get(current.value) ?? 0;
    const here = cells[at];
    if (!here || event.altKey || event.ctrlKey || event.metaKey) return;
    const keys: Readonly<Record<string, () => Promise<void>>> = {
      ArrowRight: () => walk(cells[at + 1]),
      ArrowLeft: () => walk(cells[at - 1]),
      ArrowDown: () => walk(beside(layout, here, 1)),
      ArrowUp: () => walk(beside(layout, here, -1)),
      Home: () => walk(cells[0]),
      End: () => walk(cells.at(-1)),
      Enter: () => walk(here),
      ' ': () => walk(here),
      Backspace: async () => {
        await backTo(inspector, here.name);
        focus(here.name);
      },
    };
    const action = Object.hasOwn(keys, event.key) ? keys[event.key] : undefined;
    if (!action) return;
    event.preventDefault();
    void action();
  };

  const drawn = useMemo(
    () => (
      <>
        <path class="residual" d={residualPath(layout, geometry)} />
        {layout.rows.map(({ layer, cells }, index) => (
          <g
            role="row"
            key={index}
            aria-label={layer === null ? (index === 0 ? 'before the layers' : 'behind the layers') : `layer ${layer}`}
          >
            <text role="rowheader" class="map-row" x={GUTTER - 8} y={y(index) + row.height / 2}>
              {layer === null ? '' : index <= 1 ? `layer ${layer}` : layer}
            </text>
            {cells.map((cell) => (
              <Cell
                cell={cell}
                geometry={geometry}
                shades={shades}
                theme={theme}
                inspector={inspector}
                key={cell.name}
              />
            ))}
          </g>
        ))}
      </>
    ),
    [layout, geometry, shades, theme, inspector],
  );

  // Its cells are drawn once for many movements of the focus: the one cell that can be tabbed to is told apart here.
  useEffect(() => {
    const cell = svg.current?.querySelector<SVGGElement>(`[data-step="${CSS.escape(current.value)}"]`);
    cell?.setAttribute('tabindex', '0');
    cell?.setAttribute('aria-selected', 'true');
    // Within the map alone: whoever reads a chart below stays there.
    cell?.scrollIntoView({ block: 'nearest', inline: 'nearest', container: 'nearest' } as ScrollIntoViewOptions);
    return () => {
      cell?.setAttribute('tabindex', '-1');
      cell?.removeAttribute('aria-selected');
    };
  }, [current.value, drawn]);

  return (
    <svg
      class="map-body"
      role="grid"
      aria-label="Steps: arrows walk, Enter looks, Backspace goes back to just after the step"
      width={width}
      height={height}
      ref={svg}
      onKeyDown={onKeyDown}
      onMouseLeave={() => {
        inspector.hovered.value = null;
      }}
    >
      {drawn}
      <Marks layout={layout} geometry={geometry} current={current.value} inspector={inspector} />
    </svg>
  );
}

/** The cell of the same column in a row above or below, or the one nearest to it. */
function beside({ rows }: MapLayout, { row, column }: MapCell, down: number): MapCell | undefined {
  const cells = rows[row + down]?.cells ?? [];
  const far = (cell: MapCell) => Math.abs(cell.column - column);
  return cells.length > 0 ? cells.reduce((a, b) => (far(b) < far(a) ? b : a)) : undefined;
}

function Cell({
  cell: { name, row, column, span },
  geometry,
  shades,
  theme,
  inspector,
}: {
  readonly cell: MapCell;
  readonly geometry: Geometry;
  readonly shades: Shades;
  readonly theme: Theme;
  readonly inspector: Inspector;
}) {
  const shade = shades.of.get(name);
  const { x, y } = geometry;
  const box = {
    x: x(column) + 1.5,
    y: y(row),
    width: x(column + span) - x(column) - 3,
    height: geometry.row.height,
  };
  const isBroken = (shade?.broken ?? 0) > 0;
  const isFull = shade !== undefined && !isBroken && shade.at > 0.55;
  return (
    <g
      role="gridcell"
      data-step={name}
      class={['cell', shade ? 'computed' : 'not-yet', isBroken ? 'broken' : '', isFull ? 'full' : ''].join(' ')}
      // In a drawing attributes are written as they are.
      tabindex={-1}
      aria-label={`${name}, ${saidOf(shade)}`}
      onMouseEnter={() => {
        inspector.hovered.value = { step: name };
      }}
      onClick={() => void goTo(inspector, name)}
      onDblClick={() => {
        if (computedNow(inspector).has(name)) void backTo(inspector, name);
      }}
    >
      <rect {...box} rx={3} style={shade && !isBroken ? { fill: colourAt(shade.at, theme) } : undefined} />
      {isBroken && (
        <text class="broken-sign" x={box.x + box.width / 2} y={box.y + box.height / 2}>
          {span > 1 ? `! ${name}` : '!'}
        </text>
      )}
      {!isBroken && (span > 1 || isResidual(name)) && (
        <text class="name" x={box.x + box.width / 2} y={box.y + box.height / 2}>
          {span > 1 ? name : '+'}
        </text>
      )}
    </g>
  );
}

function saidOf(shade: { readonly value: number | null; readonly broken: number } | undefined): string {
  if (!shade) return 'not computed yet';
  return shade.broken > 0 ? `${shade.broken} elements are NaN or infinite` : `computed, ${shortNumber(shade.value)}`;
}

/** Where the run is, what it would run next, and what is looked at. */
function Marks({
  layout,
  geometry,
  current,
  inspector: { run, hovered },
}: {
  readonly layout: MapLayout;
  readonly geometry: Geometry;
  readonly current: string;
  readonly inspector: Inspector;
}) {
  const { x, y, row } = geometry;
  const boxOf = (name: string | null | undefined) => {
    const cell = layout.rows.flatMap(({ cells }) => cells).find((each) => each.name === name);
    return (
      cell && {
        x: x(cell.column),
        y: y(cell.row) - 1.5,
        width: x(cell.column + cell.span) - x(cell.column),
        height: row.height + 3,
      }
    );
  };
  const [next, chosen] = [boxOf(run.value?.next), boxOf(hovered.value?.step ?? current)];
  return (
    <g class="marks">
      {next && <rect class="next" {...next} rx={4} />}
      {chosen && <rect class="chosen" {...chosen} rx={4} />}
    </g>
  );
}

/** Along the foot of each row, up into the additions, and on to the next row. */
function residualPath({ rows }: MapLayout, { x, y, row }: Geometry): string {
  const foot = (index: number) => y(index) + row.height + (row.pitch - row.height) / 2 - 1;
  const parts: string[] = [];
  let end: number | null = null;
  for (const [index, { layer, cells }] of rows.entries()) {
    const adds = cells.filter(({ name }) => isResidual(name));
    const last = adds.at(-1);
    if (!last) continue;
    const middle = (cell: MapCell) => (x(cell.column) + x(cell.column + cell.span)) / 2;
    if (layer !== null) {
      const start = x(0) - 4;
      parts.push(`M${start} ${foot(index)} H${middle(last)}`);
      if (end !== null) parts.push(`M${start} ${foot(index)} V${foot(index - 1)} H${end}`);
    }
    for (const cell of adds) parts.push(`M${middle(cell)} ${foot(index)} V${y(index) + row.height}`);
    end = middle(last);
  }
  return parts.join(' ');
}

function Legend({
  shades,
  measure,
  theme,
  hasNext,
}: {
  readonly shades: Shades;
  readonly measure: Measure;
  readonly theme: Theme;
  readonly hasNext: boolean;
}) {
  const stops = [0, 0.25, 0.5, 0.75, 1].map((share) => colourAt(share, theme));
  const isBroken = [...shades.of.values()].some(({ broken }) => broken > 0);
  return (
    <span class="map-legend">
      {shades.of.size > 0 && (
        <>
          <span class="mono">{shortNumber(shades.least)}</span>
          <span class="ramp" style={{ background: `linear-gradient(to right, ${stops.join()})` }} />
          <span class="mono">{shortNumber(shades.most)}</span>
          {measure.isLog && <span class="quiet">log scale</span>}
        </>
      )}
      {hasNext && (
        <>
          <span class="sample not-yet" />
          <span class="quiet">not computed</span>
          <span class="sample next" />
          <span class="quiet">next</span>
        </>
      )}
      {isBroken && (
        <>
          <span class="sample broken">!</span>
          <span>NaN or Inf</span>
        </>
      )}
    </span>
  );
}

/** What is under the pointer, or chosen, in a line. */
function Hovered({
  steps,
  shades,
  measure,
  inspector,
}: {
  readonly steps: readonly StepCard[];
  readonly shades: Shades;
  readonly measure: Measure;
  readonly inspector: Inspector;
}) {
  const { step: name } = inspector.choice.value;
  const step = steps.find((each) => each.name === name);
  const shade = shades.of.get(name ?? '');
  return (
    <p class="map-said">
      {step ? (
        <>
          <b>{step.name}</b>{' '}
          <span>
            {!shade && 'not computed: click runs to it'}
            {shade && shade.broken === 0 && `${measure.label} ${shortNumber(shade.value)}`}
            {shade && shade.broken > 0 && `${shade.broken} elements are NaN or infinite`}
          </span>{' '}
          <span class="mono quiet">{step.formula}</span>
        </>
      ) : (
        <span class="quiet">Hover a step to see what it is; click to look at it, double-click to go back to it</span>
      )}
    </p>
  );
}

/** Pixels that the map has before it scrolls; any height where it stands beside the views. */
interface Room {
  readonly width: number;
  readonly height: number;
}

/** What the element has of its pane, as that changes. */
function useRoom(element: { readonly current: HTMLElement | null }): Room {
  const [room, setRoom] = useState<Room>({ width: 560, height: Number.POSITIVE_INFINITY });
  useEffect(() => {
    const { current } = element;
    const pane = current?.closest('.inspector');
    if (!current || !pane) return;
    const observer = new ResizeObserver(() => {
      const width = Math.floor(current.clientWidth);
      const height = Number.parseFloat(getComputedStyle(current).maxHeight) || Number.POSITIVE_INFINITY;
      setRoom((before) => (before.width === width && before.height === height ? before : { width, height }));
    });
    // The pane's height alone decides how high the map may be.
    for (const each of [current, pane]) observer.observe(each);
    return () => observer.disconnect();
  }, [element]);
  return room;
}
