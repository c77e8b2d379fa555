/** The page of one fault: what it is, who made it, what shows it, its parameters, and the switch. */
import type { JSX } from 'preact';
import { useId, useState } from 'preact/hooks';
import type { Effect, PageParam, Probe } from '../../../../engine/faults/index.ts';
import type { Params } from '../../../../ops/op.ts';
import type { FaultCard } from '../../../inspector/requests/faults.ts';
import type { Inspector } from '../state.ts';

const WORDS = {
  en: {
    made: 'Who made it',
    shows: 'What shows it',
    params: 'Where and how much',
    on: 'Switch on and watch',
    probes: {
      oneToken: 'One token, no BOS',
      prefill: 'A prompt in one pass',
      decode: 'The last token from the cache',
    } satisfies Record<Probe, string>,
    effects: {
      seen: 'the logits change',
      'tensor only': 'tensors change, the logits do not',
      rounding: 'no more than rounding changes',
      'no effect': 'nothing: every bit agrees',
    } satisfies Record<Effect, string>,
    first: 'first tensor',
    default: 'default',
  },
  ja: {
    made: '実例',
    shows: '何で見えるか',
    params: '場所と大きさ',
    on: '有効にして観察する',
    probes: {
      oneToken: '1トークン（BOSなし）',
      prefill: 'プロンプト全体を1回のパスで',
      decode: '最後のトークンをキャッシュから',
    } satisfies Record<Probe, string>,
    effects: {
      seen: 'ロジットが変わる',
      'tensor only': 'テンソルは変わるがロジットは変わらない',
      rounding: '丸め誤差程度しか変わらない',
      'no effect': '変化なし：全ビット一致',
    } satisfies Record<Effect, string>,
    first: '最初に変わるテンソル',
    default: '既定値',
  },
} as const;

export function FaultPage({
  inspector,
  card,
  language,
}: {
  readonly inspector: Inspector;
  readonly card: FaultCard;
  readonly language: string;
}): JSX.Element {
  const lang = language === 'ja' ? 'ja' : 'en';
  const words = WORDS[lang];
  const { name, cannot, params, shows, whoMadeIt } = card;
  const { title, what } = lang === 'ja' ? card.ja : card;
  const experiment = inspector.experiment.value;
  const [given, setGiven] = useState<Readonly<Record<string, string>>>({});
  const switchOn = () => {
    if (!experiment) return;
    const fault = { fault: name, params: paramsFrom(params, given) };
    const others = experiment.faults.filter((each) => each.fault !== name);
    void inspector.begin({ ...experiment, faults: [...others, fault] });
  };
  return (
    <article class="fault-page" lang={lang} aria-label={title}>
      <h3>{title}</h3>
      <p class="mono quiet">{name}</p>
      <p>{what}</p>
      {cannot !== null && <p class="failure">{cannot}</p>}
      <form
        class="controls"
        onSubmit={(event) => {
          event.preventDefault();
          switchOn();
        }}
      >
        {params.map((param) => (
          <Field
            key={param.name}
            param={param}
            most={mostOf(inspector, param.name)}
            value={given[param.name] ?? ''}
            set={(value) => setGiven((before) => ({ ...before, [param.name]: value }))}
          />
        ))}
        <button type="submit" class="primary" disabled={cannot !== null || experiment?.hunt !== undefined}>
          {words.on}
        </button>
      </form>
      {params.length > 0 && (
        <dl class="params" aria-label={words.params}>
          {params.map((param) => (
            <div key={param.name}>
              <dt class="mono">{param.name}</dt>
              <dd>
                {param.what}
                {param.default !== null && ` (${words.default}: ${param.default})`}
              </dd>
            </div>
          ))}
        </dl>
      )}
      <h4>{words.shows}</h4>
      <table>
        <tbody>
          {(Object.keys(words.probes) as Probe[]).map((probe) => (
            <tr key={probe}>
              <th scope="row">{words.probes[probe]}</th>
              <td>{words.effects[shows[probe].effect]}</td>
              <td>
                {shows[probe].firstTensor && (
                  <>
                    {words.first}: <span class="mono">{shows[probe].firstTensor}</span>
                  </>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <h4>{words.made}</h4>
      <ul class="cases" lang="en">
        {whoMadeIt.map(({ project, link, note }) => (
          <li key={`${project} ${note}`}>
            {link ? (
              <a href={link} target="_blank" rel="noreferrer noopener">
                {project}
              </a>
            ) : (
              <b>{project}</b>
            )}
            : {note}
          </li>
        ))}
      </ul>
    </article>
  );
}

/** The largest index that this model has of what a parameter counts; undefined of what is no index. */
function mostOf({ opened, experiment }: Inspector, param: string): number | undefined {
  const config = experiment.value && opened.value && 'config' in opened.value ? opened.value.config : null;
  if (!config) return undefined;
  if (param === 'layer' || param === 'a' || param === 'b') return config.nLayer - 1;
  return param === 'head' ? config.nHead - 1 : undefined;
}

function Field({
  param: { name, choices, default: usual },
  most,
  value,
  set,
}: {
  readonly param: PageParam;
  readonly most: number | undefined;
  readonly value: string;
  set(value: string): void;
}): JSX.Element {
  const id = useId();
  return (
    <span class="field">
      <label for={id} class="mono">
        {name}
      </label>
      {choices ? (
        <select id={id} value={value || `${usual ?? ''}`} onChange={({ currentTarget }) => set(currentTarget.value)}>
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          type="number"
          class="short"
          step={most === undefined ? 'any' : 1}
          {...(most === undefined ? {} : { min: 0, max: most })}
          placeholder={usual === null ? (most === undefined ? '' : 'all') : `${usual}`}
          value={value}
          onInput={({ currentTarget }) => set(currentTarget.value)}
        />
      )}
    </span>
  );
}

/** What was filled in; the fault itself checks it. */
function paramsFrom(params: readonly PageParam[], given: Readonly<Record<string, string>>): Params {
  const filled = params.flatMap(({ name, choices }) => {
    const value = given[name] ?? '';
    return value === '' ? [] : [[name, choices ? value : Number(value)] as const];
  });
  return Object.fromEntries(filled);
}
