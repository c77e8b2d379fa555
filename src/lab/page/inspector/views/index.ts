/** The views, in the order of their tabs. */
import type { View } from '../view.ts';
import { step } from './step.tsx';

export const views: readonly View[] = [step];
