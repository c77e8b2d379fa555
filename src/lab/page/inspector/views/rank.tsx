/** How candidates for the next token rise and fall from layer to layer. */
import type { JSX } from 'preact';
import { useSetting } from '../answer.tsx';
import { literal, subjectOf } from '../cells.ts';
import type { Inspector } from '../state.ts';
import type { View } from '../view.ts';
import { AskedChart } from './asked_chart.tsx';
import { focusOf, inLayers, observedTensors } from './focus.ts';
import { lensCode } from './observed_code.ts';
import { typedTokens } from './typed_token.ts';

const KEY = 'rank.tokens';

export const rank: View = {
  id: 'rank',
  title: 'Ranks',
  says: 'How candidates for the next token climb from layer to layer; rank 1 is what the model would say there.',
  Body,
  cell(inspector) {
    const subject = subjectOf(inspector);
    if (!subject) return null;
    const { code, name } = lensCode(subject, true);
    return `${code}\ndisplay(await charts.rankTrajectory(${name}, ${literal(optionsOf(inspector, 'locked'))}));`;
  },
  tensors: (inspector) => observedTensors(inspector, { lens: {} }, inLayers(inspector, 'lens_ids', 'lens_values')),
};

function optionsOf(inspector: Inspector, by: 'rested' | 'locked') {
  const tokens = typedTokens(inspector.settings.value[KEY] ?? '');
  return { position: focusOf(inspector, by).token, ...(tokens.length > 0 ? { tokens } : {}) };
}

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const [tokens, setTokens] = useSetting(inspector, KEY, '');
  return (
    <>
      <div class="controls">
        <label>
          Follow
          <input
            type="text"
            size={28}
            value={tokens}
            placeholder="the three likeliest; or ␣Lily, ␣Tom"
            onChange={({ currentTarget }) => setTokens(currentTarget.value)}
          />
        </label>
        <span class="quiet">Up to seven tokens with commas between, ␣ for a space</span>
      </div>
      <AskedChart inspector={inspector} call={{ chart: 'rankTrajectory', options: optionsOf(inspector, 'rested') }} />
    </>
  );
}
