import { expect, test } from 'vitest';
import { subjectOf } from '../../../src/lab/page/inspector/cells.ts';
import { themed } from '../../../src/lab/page/inspector/chart_theme.ts';
import { choiceOfDatum } from '../../../src/lab/page/inspector/datum.ts';
import { readHash } from '../../../src/lab/page/inspector/link.ts';
import { shadesOf } from '../../../src/lab/page/inspector/map_colours.ts';
import { mapLayout } from '../../../src/lab/page/inspector/map_layout.ts';

test('x', () => {
  expect(readHash('')).toBe(null);
  void [choiceOfDatum, mapLayout, subjectOf, shadesOf, themed];
});
