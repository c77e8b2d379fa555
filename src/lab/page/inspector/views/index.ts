/** The views, in the order of their tabs. */
import './views.css';
import type { View } from '../view.ts';
import { attention } from './attention.tsx';
import { attribution } from './attribution.tsx';
import { blind } from './blind.tsx';
import { comparison } from './comparison.tsx';
import { edit } from './edit.tsx';
import { faults } from './faults.tsx';
import { growth } from './growth.tsx';
import { logitLens } from './logit_lens.tsx';
import { modelAttention } from './model_attention.tsx';
import { qk } from './qk.tsx';
import { rank } from './rank.tsx';
import { step } from './step.tsx';
import { topK } from './top_k.tsx';

export const views: readonly View[] = [
  step,
  attention,
  modelAttention,
  qk,
  topK,
  logitLens,
  rank,
  attribution,
  growth,
  edit,
  comparison,
  faults,
  blind,
];
