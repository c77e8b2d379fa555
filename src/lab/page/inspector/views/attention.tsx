/** Attention of one head, over the text and as a heatmap, with every head of its layer to choose from. */
import type { JSX } from 'preact';
import { Answered } from '../answer.tsx';
import { literal, subjectOf } from '../cells.ts';
import type { Inspector } from '../state.ts';
import type { View } from '../view.ts';
import { AskedChart, Needs } from './asked_chart.tsx';
import { AttentionLines } from './attention_lines.tsx';
import { AttentionText } from './attention_text.tsx';
import { focusOf, hasRow, tensorsOf } from './focus.ts';
import { HeadThumbs } from './head_thumbs.tsx';
import { usePattern } from './pattern.ts';
import { HeadKeys, HeadList, LayerList } from './pickers.tsx';

/** Longer texts are shaded: their lines would be taller than the screen. */
const MOST_LINES = 48;

export const attention: View = {
  id: 'attention',
  title: 'Attention',
  says: 'Which earlier tokens each token looks at: a head shares 100 % of its attention out over them.',
  Body,
  cell(inspector) {
    const subject = subjectOf(inspector);
    const { layer, head } = focusOf(inspector, 'locked');
    if (!subject || !hasRow(inspector, patternName(layer))) return null;
    return [
      subject.code,
      `display(await charts.attention(${subject.name}, ${literal({ layer, head })}));`,
      `display(await charts.attentionGrid(${subject.name}, ${literal({ layer })}));`,
    ].join('\n');
  },
  tensors: (inspector) => tensorsOf(inspector, [patternName(focusOf(inspector, 'locked').layer)]),
};

const patternName = (layer: number): string => `kq_soft_max-${layer}`;

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const { layer, head } = focusOf(inspector, 'rested');
  return (
    <>
      <div class="controls">
        <LayerList inspector={inspector} />
        <HeadList inspector={inspector} />
        <span class="quiet">Click a token on the left to see where it alone looks</span>
      </div>
      <Needs inspector={inspector} name={patternName(layer)}>
        <HeadKeys inspector={inspector}>
          <OverText inspector={inspector} layer={layer} head={head} />
        </HeadKeys>
        <AskedChart inspector={inspector} call={{ chart: 'attention', options: { layer, head } }} />
      </Needs>
    </>
  );
}

function OverText({
  inspector,
  layer,
  head,
}: {
  readonly inspector: Inspector;
  readonly layer: number;
  readonly head: number;
}) {
  const answer = usePattern(inspector, layer);
  return (
    <Answered answer={answer}>
      {(pattern) => {
        const Drawn = pattern.end <= MOST_LINES ? AttentionLines : AttentionText;
        return (
          <div class="beside">
            <Drawn pattern={pattern} head={Math.min(head, pattern.nHead - 1)} inspector={inspector} />
            <HeadThumbs pattern={pattern} layer={layer} inspector={inspector} />
          </div>
        );
      }}
    </Answered>
  );
}
