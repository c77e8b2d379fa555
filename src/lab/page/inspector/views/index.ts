/** The views, in the order of their tabs. */
import type { View } from '../view.ts';

export const views: readonly View[] = [];
