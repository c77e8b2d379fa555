/** The list of compared tensors, in order of computation: how each stands, by a sign, a word, a number and a bar. */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { TensorComparison } from '../../../../compare/comparison.ts';
import { STANDINGS, type Standing, standingOf } from '../../../../compare/report/standing.ts';
import type { ComparisonView } from '../../../inspector/requests/compare.ts';
import { useSetting } from '../answer.tsx';
import { ErrorBar, errorSaid } from '../error_scale.tsx';
import { type Inspector, lockOf } from '../state.ts';

/** From best to worst. */
const ORDER = Object.keys(STANDINGS) as readonly Standing[];

/** So that colour is not all that tells them apart. */
const SIGNS: Readonly<Partial<Record<Standing, string>>> = {
  equal: '=',
  within: '✓',
  inherited: '↓',
  beyond: '!',
  precision: '≈',
  'other layout': '⇄',
  made: '✗',
  'no rule': '?',
};

/** The chosen tensor of a comparison: what is locked, else where the two part, else the one with the largest error. */
export function chosenOf({ locked }: Inspector, { tensors, firstDivergence }: ComparisonView): TensorComparison | null {
  const { step, pass } = locked.value;
  const at = (name: string | null, of: number | null) =>
    tensors.find((each) => each.name === name && (of === null || each.pass === of)) ??
    tensors.find((each) => each.name === name);
  const worst = tensors.reduce<TensorComparison | null>((a, b) => (a && errorOf(a) >= errorOf(b) ? a : b), null);
  return at(step, pass) ?? (firstDivergence && at(firstDivergence.name, firstDivergence.pass)) ?? worst;
}

/** NaN is past every number. */
function errorOf({ measure }: TensorComparison): number {
  const error = measure?.relativeRmsError ?? -1;
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
}

interface Group {
  readonly title: string;
  readonly tensors: readonly TensorComparison[];
}

/** Runs of tensors of one layer, in order of computation. */
function groupsOf(tensors: readonly TensorComparison[]): Group[] {
  const groups: { title: string; tensors: TensorComparison[] }[] = [];
  const passes = new Set(tensors.map(({ pass }) => pass)).size;
  for (const tensor of tensors) {
    const where =
      tensor.layer === null
        ? groups.length === 0
          ? 'Before the layers'
          : 'After the layers'
        : `Layer ${tensor.layer}`;
    const title = passes > 1 ? `Pass ${tensor.pass}: ${where.toLowerCase()}` : where;
    const last = groups.at(-1);
    const isSame = last?.tensors.at(-1)?.layer === tensor.layer && last?.tensors.at(-1)?.pass === tensor.pass;
    if (last && isSame) last.tensors.push(tensor);
    else groups.push({ title, tensors: [tensor] });
  }
  return groups;
}

export function TensorList({
  inspector,
  view,
}: {
  readonly inspector: Inspector;
  readonly view: ComparisonView;
}): JSX.Element {
  const [filter, setFilter] = useSetting(inspector, 'comparison.filter', '');
  const [sort, setSort] = useSetting(inspector, 'comparison.sort', 'order');
  const chosen = chosenOf(inspector, view);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const row = list.current?.querySelector<HTMLElement>('[aria-current="true"]');
    // Of the list alone: the page stays where it is.
    if (row && list.current) list.current.scrollTop = row.offsetTop - list.current.clientHeight / 3;
  }, [chosen?.name, chosen?.pass, sort]);
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = view.tensors.filter((tensor) => {
    const text = `${tensor.name} ${tensor.op} layer ${tensor.layer} ${STANDINGS[standingOf(tensor)]}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const rowOf = (tensor: TensorComparison) => (
    <TensorRow key={`${tensor.pass} ${tensor.name}`} {...{ tensor, view, inspector }} isChosen={tensor === chosen} />
  );
  return (
    <section class="tensor-list" aria-label="Compared tensors">
      <div class="controls">
        <input
          type="search"
          aria-label="Filter tensors"
          placeholder="Filter: kq, layer 2, made here …"
          value={filter}
          onInput={({ currentTarget }) => setFilter(currentTarget.value)}
        />
        <label>
          Sort
          <select value={sort} onChange={({ currentTarget }) => setSort(currentTarget.value)}>
            <option value="order">as computed</option>
            <option value="error">largest error first</option>
          </select>
        </label>
      </div>
      <Legend view={view} />
      <div class="rows" ref={list}>
        {shown.length === 0 && <p class="quiet">No tensor is called that; clear the filter to see all.</p>}
        {sort === 'error'
          ? [...shown].sort((a, b) => errorOf(b) - errorOf(a)).map(rowOf)
          : groupsOf(shown).map(({ title, tensors }, i) => (
              <Layer
                key={`${title} ${i}`}
                title={title}
                tensors={tensors}
                isOpen={words.length > 0 || tensors.includes(chosen as TensorComparison) || isWorthALook(tensors)}
              >
                {tensors.map(rowOf)}
              </Layer>
            ))}
      </div>
    </section>
  );
}

const isWorthALook = (tensors: readonly TensorComparison[]) =>
  tensors.some((tensor) => ['made', 'other layout', 'beyond', 'no rule'].includes(standingOf(tensor)));

function worstOf(tensors: readonly TensorComparison[]): Standing {
  return tensors
    .map((tensor) => standingOf(tensor))
    .reduce((a, b) => (ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a), 'equal' as Standing);
}

function Layer({
  title,
  tensors,
  isOpen,
  children,
}: {
  readonly title: string;
  readonly tensors: readonly TensorComparison[];
  readonly isOpen: boolean;
  readonly children: JSX.Element[];
}): JSX.Element {
  const worst = worstOf(tensors);
  const most = Math.max(...tensors.map(errorOf));
  return (
    <details open={isOpen}>
      <summary class="layer" data-standing={worst.replace(' ', '-')}>
        <span class="sign" aria-hidden="true">
          {SIGNS[worst] ?? '•'}
        </span>
        <span class="name">{title}</span>
        <span class="quiet">
          {tensors.length} tensors, worst: {STANDINGS[worst]}
          {most >= 0 ? `, ${errorSaid(most)}` : ''}
        </span>
      </summary>
      {children}
    </details>
  );
}

function TensorRow({
  tensor,
  view,
  inspector,
  isChosen,
}: {
  readonly tensor: TensorComparison;
  readonly view: ComparisonView;
  readonly inspector: Inspector;
  readonly isChosen: boolean;
}): JSX.Element {
  const { name, pass, layer, measure, tolerance, worst } = tensor;
  const { firstDivergence: first } = view;
  const standing = standingOf(tensor);
  const isFirst = first?.name === name && first.pass === pass;
  return (
    <button
      type="button"
      class="tensor-row"
      data-standing={standing.replace(' ', '-')}
      data-tensor={name}
      aria-current={isChosen}
      title={`${name}: ${STANDINGS[standing]}, relative RMS error ${errorSaid(measure?.relativeRmsError ?? null)}${tolerance ? `, allowed ${errorSaid(tolerance.limit)}` : ''}`}
      onClick={() => lockOf(inspector, { step: name, pass, layer, ...(isChosen ? {} : { head: worst?.head ?? null }) })}
      onMouseEnter={() => {
        inspector.hovered.value = { step: name, pass, layer };
      }}
      onMouseLeave={() => {
        inspector.hovered.value = null;
      }}
    >
      <span class="sign" aria-hidden="true">
        {SIGNS[standing] ?? '•'}
      </span>
      <span class="name mono">
        {isFirst && <span title="Here the two part">⚑ </span>}
        {name}
      </span>
      <ErrorBar error={measure?.relativeRmsError ?? null} allowed={tolerance?.limit ?? null} />
      <span class="number">{errorSaid(measure?.relativeRmsError ?? null)}</span>
      <span class="word">{STANDINGS[standing]}</span>
    </button>
  );
}

/** The standings that occur, each with its sign. */
function Legend({ view }: { readonly view: ComparisonView }): JSX.Element {
  const found = new Map<Standing, number>();
  for (const tensor of view.tensors) {
    const standing = standingOf(tensor);
    found.set(standing, (found.get(standing) ?? 0) + 1);
  }
  return (
    <p class="legend">
      {ORDER.filter((standing) => found.has(standing)).map((standing) => (
        <span key={standing} data-standing={standing.replace(' ', '-')}>
          <span class="sign" aria-hidden="true">
            {SIGNS[standing] ?? '•'}
          </span>
          {found.get(standing)} {STANDINGS[standing]}
        </span>
      ))}
      <span class="quiet">bar: relative RMS error, 10⁻⁸ to 1; mark: what is allowed</span>
    </p>
  );
}
