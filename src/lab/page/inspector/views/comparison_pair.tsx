/** One tensor of a comparison: both sides and their difference as pictures, the worst element, and whose fault it is. */
import type { JSX } from 'preact';
import type { TensorComparison } from '../../../../compare/comparison.ts';
import { isolationLines } from '../../../../compare/report/outline.ts';
import { STANDINGS, standingOf } from '../../../../compare/report/standing.ts';
import { f32Text, placeText } from '../../../../compare/report/tensor_table.ts';
import type { ComparisonView } from '../../../inspector/requests/compare.ts';
import type { Sides } from '../../../inspector/sides.ts';
import { Answered, useAnswer } from '../answer.tsx';
import { ErrorBar, errorSaid } from '../error_scale.tsx';
import { type Inspector, lockOf } from '../state.ts';
import { Heatmaps } from './comparison_heatmaps.tsx';
import { chosenOf } from './comparison_tensors.tsx';

interface Shown {
  readonly inspector: Inspector;
  readonly sides: Sides;
  readonly view: ComparisonView;
}

export function PairDetail({ inspector, sides, view }: Shown): JSX.Element | null {
  const tensor = chosenOf(inspector, view);
  if (!tensor) return <p class="quiet">The two have no tensor in common: nothing could be laid side by side.</p>;
  const { name, op, layer, shape, dims, measure, tolerance, statistics, coverage } = tensor;
  return (
    <section class="pair" aria-label={`${name} on both sides`}>
      <h3>
        <span class="mono">{name}</span> <span class="quiet">{STANDINGS[standingOf(tensor)]}</span>
      </h3>
      <p class="quiet">
        op {op}
        {layer !== null && `, layer ${layer}`}, {shape.map((size, i) => `${dims[i] ?? ''} ${size}`).join(' × ')}
        {coverage > 0 && coverage < 1 && `, ${(100 * coverage).toPrecision(2)} % of it known on both sides`}
      </p>
      {measure ? (
        <>
          <Pictures {...{ inspector, sides, view, tensor }} />
          <Numbers view={view} tensor={tensor} />
        </>
      ) : (
        <p>
          Of one side only statistics are known. Sum: {f32Text(statistics.ours.sum)} in ours,{' '}
          {f32Text(statistics.reference.sum)} in the reference. A sum that agrees proves little.
        </p>
      )}
      {tensor.isolation && (
        <div class="isolation">
          {isolationLines(tensor.isolation, op).map((line) => (
            <p key={line}>{line}</p>
          ))}
        </div>
      )}
      {tolerance && (
        <p class="quiet">
          Allowed: {errorSaid(tolerance.limit)}, because {tolerance.source}
        </p>
      )}
      {tensor.byHead && <Parts inspector={inspector} view={view} what="head" tensor={tensor} errors={tensor.byHead} />}
      {tensor.byToken && (
        <Parts inspector={inspector} view={view} what="token" tensor={tensor} errors={tensor.byToken} />
      )}
    </section>
  );
}

function Pictures({ inspector, sides, view, tensor }: Shown & { readonly tensor: TensorComparison }): JSX.Element {
  const { name, pass, shape, dims } = tensor;
  const nHead = shape[dims.indexOf('head')] ?? 0;
  const { head } = inspector.rested.value;
  // Views of attention count query heads; a tensor of keys has fewer.
  const drawn = head !== null && head < nHead ? head : (tensor.worst?.head ?? null);
  const answer = useAnswer(inspector, 'heatmap', { sides, name, pass, ...(drawn === null ? {} : { head: drawn }) });
  return (
    <>
      {nHead > 0 && (
        <label class="head-choice">
          Head{' '}
          <select
            value={drawn ?? 0}
            onChange={({ currentTarget }) => lockOf(inspector, { head: Number(currentTarget.value) })}
          >
            {Array.from({ length: nHead }, (_, i) => (
              <option key={i} value={i}>
                {i}
              </option>
            ))}
          </select>
        </label>
      )}
      <Answered answer={answer}>{(heatmap) => <Heatmaps {...{ inspector, view, heatmap, tensor }} />}</Answered>
    </>
  );
}

function Numbers({
  view,
  tensor: { measure, worst, tolerance },
}: {
  readonly view: ComparisonView;
  readonly tensor: TensorComparison;
}): JSX.Element | null {
  if (!measure) return null;
  const parted = placeText(view, worst ?? { index: [], token: null, head: null });
  return (
    <table class="measures">
      <tbody>
        <tr>
          <th scope="row">relative RMS error</th>
          <td>
            {errorSaid(measure.relativeRmsError)}
            {tolerance && ` of ${errorSaid(tolerance.limit)} allowed`}
          </td>
        </tr>
        {worst && (
          <tr>
            <th scope="row">worst element</th>
            <td>
              {parted}: {f32Text(worst.ours)} in ours, {f32Text(worst.reference)} in the reference
              {Number.isFinite(worst.excess) && worst.excess > 1 && ` (${worst.excess.toPrecision(2)} times its bound)`}
            </td>
          </tr>
        )}
        <tr>
          <th scope="row">cosine, RMS ratio</th>
          <td>
            {measure.cosine.toPrecision(6)}, {measure.rmsRatio.toPrecision(6)}
          </td>
        </tr>
        <tr>
          <th scope="row">largest difference</th>
          <td>
            {f32Text(measure.maxAbsError)}, {measure.maxUlps.toLocaleString('en')} f32 steps apart at most
            {measure.nonFinite > 0 && `; ${measure.nonFinite} elements are no finite number on one side`}
          </td>
        </tr>
      </tbody>
    </table>
  );
}

/** Errors along an axis; a click chooses. */
function Parts({
  inspector,
  view,
  what,
  tensor,
  errors,
}: {
  readonly inspector: Inspector;
  readonly view: ComparisonView;
  readonly what: 'token' | 'head';
  readonly tensor: TensorComparison;
  readonly errors: readonly number[];
}): JSX.Element {
  const first = what === 'token' ? firstToken(view, tensor) : 0;
  const chosen = inspector.choice.value[what];
  return (
    <details class="parts" open={errors.length <= 16}>
      <summary>Error of each {what}</summary>
      <div class="rows">
        {errors.map((error, i) => {
          const at = first + i;
          const label =
            what === 'head'
              ? `head ${at}`
              : placeText(view, { index: [], token: at, head: null }).replace('token ', '');
          return (
            <button
              key={at}
              type="button"
              class="part-row"
              aria-current={chosen === at}
              onClick={() => lockOf(inspector, { [what]: at })}
            >
              <span class="name mono">{label}</span>
              <ErrorBar error={error} allowed={tensor.tolerance?.limit ?? null} />
              <span class="number">{errorSaid(error)}</span>
            </button>
          );
        })}
      </div>
    </details>
  );
}

/** Position of a tensor's first token: its pass follows those before. */
function firstToken({ tensors }: ComparisonView, { pass }: TensorComparison): number {
  const sizes = new Map<number, number>();
  for (const each of tensors) {
    const size = each.shape[each.dims.indexOf('token')] ?? 0;
    sizes.set(each.pass, Math.max(sizes.get(each.pass) ?? 0, size));
  }
  return [...sizes].reduce((sum, [index, size]) => (index < pass ? sum + size : sum), 0);
}
