/** Direct logit attribution: what each part of the model adds to a token's logit. */
import type { JSX } from 'preact';
import type { AttributionOptions } from '../../../../engine/transforms/attribution.ts';
import type { TensorParams } from '../../../inspector/requests/tensor.ts';
import { Answered, useAnswer, useSetting } from '../answer.tsx';
import { literal, type Subject, subjectOf } from '../cells.ts';
import type { Inspector } from '../state.ts';
import type { View } from '../view.ts';
import { AskedChart, Needs } from './asked_chart.tsx';
import { focusOf, inLayers, observedTensors } from './focus.ts';
import { attributionCode } from './observed_code.ts';
import { typedToken } from './typed_token.ts';

const TOKEN = 'attribution.token';
const VERSUS = 'attribution.versus';
const OUTPUT = 'result_output';

export const attribution: View = {
  id: 'attribution',
  title: 'Attribution',
  says: 'Which parts of the model speak for a token and which against it: the embedding, each attention and feed-forward, each head.',
  Body,
  cell(inspector) {
    const subject = subjectOf(inspector);
    const likeliest = subject && likeliestCode(inspector, subject);
    if (!subject || likeliest === null) return null;
    const { token, ...versus } = typedOptions(inspector);
    const { code, name } =
      token === undefined
        ? attributionCode({ ...subject, code: `${subject.code}\n${likeliest}` }, `{ token${spread(versus)} }`)
        : attributionCode(subject, literal({ token, ...versus }));
    return `${code}\ndisplay(await charts.attribution(${name}, ${literal({ position: focusOf(inspector, 'locked').token })}));`;
  },
  tensors(inspector) {
    const params = likeliestParams(inspector, focusOf(inspector, 'locked').token);
    if (!params) return null;
    const layers = inLayers(inspector, 'attribution_attn', 'attribution_heads', 'attribution_ffn');
    const names = ['attribution_embd', ...layers, 'attribution_rms'];
    return inspector.connection
      .ask('tensor', params)
      .then(
        async ({ data }) =>
          (await observedTensors(inspector, { attribution: optionsOf(inspector, data) }, names)) ?? [],
      );
  },
};

/** What was typed. */
function typedOptions({ settings }: Inspector): Partial<AttributionOptions> {
  const token = typedToken(settings.value[TOKEN] ?? '');
  const versus = typedToken(settings.value[VERSUS] ?? '');
  return { ...(token === null ? {} : { token }), ...(versus === null ? {} : { versus }) };
}

/** The same, with the likeliest token where none was typed. */
function optionsOf(inspector: Inspector, logits: Float32Array): AttributionOptions {
  const most = logits.reduce((best, logit, id) => (logit > (logits[best] as number) ? id : best), 0);
  return { token: most, ...typedOptions(inspector) };
}

/** The logits after a token. */
function likeliestParams({ experiment }: Inspector, token: number): TensorParams | null {
  return experiment.value && { experiment: experiment.value, name: OUTPUT, part: { token } };
}

/** Declares `token`, the likeliest there; null where no logits are. */
function likeliestCode(inspector: Inspector, { name }: Subject): string | null {
  const position = focusOf(inspector, 'locked').token;
  const row = inspector.run.value?.rows.findLast((each) => each.name === OUTPUT && each.pos0 <= position);
  if (!row) return null;
  const logits = `(await ${name}.tensor('${OUTPUT}'${row.pass === 0 ? '' : `, { pass: ${row.pass} }`})).slice(${position - row.pos0})`;
  return `const token = ${logits}.topK(1)[0].index;`;
}

/** `, versus: ' Tom'` */
const spread = (options: object): string =>
  Object.entries(options)
    .map(([key, value]) => `, ${key}: ${literal(value)}`)
    .join('');

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const { token: position } = focusOf(inspector, 'rested');
  return (
    <>
      <div class="controls">
        <TokenField inspector={inspector} label="Speaks for" setting={TOKEN} placeholder="the likeliest token" />
        <TokenField inspector={inspector} label="rather than" setting={VERSUS} placeholder="no other" />
        <span class="quiet">Such as ␣Lily, or #366 for an id</span>
      </div>
      <Needs inspector={inspector} name={OUTPUT}>
        <Drawn inspector={inspector} position={position} />
      </Needs>
    </>
  );
}

function TokenField({
  inspector,
  label,
  setting,
  placeholder,
}: {
  readonly inspector: Inspector;
  readonly label: string;
  readonly setting: string;
  readonly placeholder: string;
}) {
  const [text, setText] = useSetting(inspector, setting, '');
  return (
    <label>
      {label}
      <input
        type="text"
        size={16}
        value={text}
        placeholder={placeholder}
        onChange={({ currentTarget }) => setText(currentTarget.value)}
      />
    </label>
  );
}

function Drawn({ inspector, position }: { readonly inspector: Inspector; readonly position: number }) {
  const answer = useAnswer(inspector, 'tensor', likeliestParams(inspector, position));
  return (
    <Answered answer={answer}>
      {({ data }) => (
        <AskedChart
          inspector={inspector}
          call={{ chart: 'attribution', options: { ...optionsOf(inspector, data), position } }}
        />
      )}
    </Answered>
  );
}
