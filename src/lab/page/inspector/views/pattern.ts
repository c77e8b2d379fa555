/** Where the heads of a layer look, for the views that draw it. */
import type { LayerPattern } from '../../../inspector/requests/pattern.ts';
import { type Answer, useAnswer } from '../answer.tsx';
import type { Inspector } from '../state.ts';

export function usePattern(inspector: Inspector, layer: number): Answer<LayerPattern> {
  const experiment = inspector.experiment.value;
  return useAnswer(inspector, 'pattern', experiment && { experiment, layer });
}
