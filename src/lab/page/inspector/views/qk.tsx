/** One attention score taken apart: why a head has a token look at another. */
import type { JSX } from 'preact';
import { Tensor } from '../../../../trace/tensor.ts';
import { shown } from '../../../../trace/token_label.ts';
import type { LayerPattern } from '../../../inspector/requests/pattern.ts';
import { Answered, useSetting } from '../answer.tsx';
import { literal, subjectOf } from '../cells.ts';
import { type Inspector, lockOf } from '../state.ts';
import type { View } from '../view.ts';
import { AskedChart, Needs } from './asked_chart.tsx';
import { focusOf, hasRow } from './focus.ts';
import { usePattern } from './pattern.ts';
import { Buttons, HeadKeys, HeadList, LayerList, TokenList } from './pickers.tsx';

const ORDERS = { dimension: 'As they lie', size: 'Largest first' } as const;
const KEY = 'qk.order';

export const qk: View = {
  id: 'qk',
  title: 'Query × key',
  says: 'Why a head has one token look at another: the score is a sum over the head’s dimensions, here one by one.',
  Body,
  cell(inspector) {
    const subject = subjectOf(inspector);
    const place = lockedPlace(inspector);
    if (!subject || !hasRow(inspector, `kq_soft_max-${place.layer}`)) return null;
    const order = orderOf(inspector) === 'size' ? { order: 'size' } : {};
    return `${subject.code}\ndisplay(await charts.qk(${subject.name}, ${literal({ ...place, ...order })}));`;
  },
  tensors(inspector) {
    const experiment = inspector.experiment.value;
    const place = lockedPlace(inspector);
    const { layer, head, query, key } = place;
    if (!experiment || !hasRow(inspector, `kq_soft_max-${layer}`)) return null;
    return inspector.connection.ask('qk', { experiment, place }).then(({ q, k, products }) => {
      const named = (name: string, data: Float32Array) =>
        new Tensor({ name, shape: [data.length], dims: ['dim'], data });
      const from = `layer ${layer} head ${head}`;
      return [
        named(`q of ${from} token ${query}`, q),
        named(`k of ${from} token ${key}`, k),
        named(`q · k of ${from} tokens ${query} and ${key}`, Float32Array.from(products)),
      ];
    });
  },
};

/** What is exported: where no key was chosen the token itself, which every head may look at. */
function lockedPlace(inspector: Inspector) {
  const { layer, head, token: query, key } = focusOf(inspector, 'locked');
  return { layer, head, query, key: key ?? query };
}

function orderOf({ settings }: Inspector): keyof typeof ORDERS {
  return settings.value[KEY] === 'size' ? 'size' : 'dimension';
}

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const [, setOrder] = useSetting(inspector, KEY, 'dimension');
  const { layer, head, token: query, key } = focusOf(inspector, 'rested');
  const options = { layer, head, query, key: key ?? query, order: orderOf(inspector) };
  const tokens = inspector.run.value?.tokens.length ?? 0;
  const locked = focusOf(inspector, 'locked');
  return (
    <>
      <div class="controls">
        <LayerList inspector={inspector} />
        <HeadList inspector={inspector} />
        <TokenList
          {...{ inspector, label: 'Query', value: locked.token, end: tokens }}
          onChange={(token) => lockOf(inspector, { token })}
        />
        <TokenList
          {...{ inspector, label: 'Key', value: locked.key ?? locked.token, end: locked.token + 1 }}
          onChange={(position) => lockOf(inspector, { key: position })}
        />
        <Buttons label="Order of the dimensions" options={ORDERS} value={options.order} onChange={setOrder} />
      </div>
      <Needs inspector={inspector} name={`kq_soft_max-${layer}`}>
        <HeadKeys inspector={inspector}>
          <Keys inspector={inspector} layer={layer} head={head} query={query} chosen={options.key} />
          <AskedChart inspector={inspector} call={{ chart: 'qk', options }} />
        </HeadKeys>
      </Needs>
    </>
  );
}

/** The keys of the query as bars of their shares, to choose one of. */
function Keys({
  inspector,
  layer,
  head,
  query,
  chosen,
}: {
  readonly inspector: Inspector;
  readonly layer: number;
  readonly head: number;
  readonly query: number;
  readonly chosen: number;
}) {
  const answer = usePattern(inspector, layer);
  return (
    <Answered answer={answer}>
      {(pattern) => {
        const shares = sharesOf(pattern, head, query);
        return (
          <fieldset class="shares">
            <legend class="quiet">
              What {query} {shown(inspector.run.value?.tokens[query]?.piece ?? '')} looks at; click one to take its
              score apart
            </legend>
            {[...shares].map((share, key) => (
              <button
                type="button"
                key={key}
                aria-pressed={key === chosen}
                title={`${(100 * share).toFixed(3)} %`}
                onClick={() => lockOf(inspector, { token: query, key })}
              >
                <span class="bar" style={{ height: `${Math.round(28 * share)}px` }} />
                <span class="piece">{shown(inspector.run.value?.tokens[key]?.piece ?? '')}</span>
                <span class="quiet">{(100 * share).toFixed(share < 0.1 ? 1 : 0)} %</span>
              </button>
            ))}
          </fieldset>
        );
      }}
    </Answered>
  );
}

function sharesOf({ start, end, weights }: LayerPattern, head: number, query: number): Float32Array {
  if (query < start || query >= end) return new Float32Array();
  const row = (head * (end - start) + query - start) * end;
  return weights.subarray(row, row + query + 1);
}
