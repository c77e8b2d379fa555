/** The views, in the order of their tabs. */
import type { View } from '../view.ts';
import { blind } from './blind.tsx';
import { comparison } from './comparison.tsx';
import { faults } from './faults.tsx';
import { step } from './step.tsx';

export const views: readonly View[] = [step, comparison, faults, blind];
