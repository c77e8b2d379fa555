/** What of the views needs no page: text that was typed, or that stands in a link. */
import { describe, expect, test } from 'vitest';
import type { TrialSpec } from '../../../src/lab/inspector/requests/difference.ts';
import { readTrials, writeTrials } from '../../../src/lab/page/inspector/views/trials.ts';
import { typedToken, typedTokens } from '../../../src/lab/page/inspector/views/typed_token.ts';

describe('changes on trial', () => {
  const trials: readonly TrialSpec[] = [
    { tensor: 'kqv_out-*', how: 'noise', by: 0.5, head: 3, token: 7, seed: 2 },
    { tensor: 'l_out-2', how: 'replace', text: 'Tom, “Lily”', token: 8, from: 6 },
  ];

  test('are read as they were written', () => {
    expect(readTrials(writeTrials(trials))).toEqual(trials);
    expect(readTrials(writeTrials([]))).toEqual([]);
    expect(readTrials(undefined)).toEqual([]);
  });

  test.for([
    'no JSON',
    '{"tensor":"l_out-0","how":"zero"}',
    '[null]',
    '[{"how":"zero"}]',
    '[{"tensor":"l_out-0"}]',
    '[{"tensor":"l_out-0","how":"scale","by":"2"}]',
    '[{"tensor":"l_out-0","how":"scale","by":null}]',
    '[{"tensor":"l_out-0","how":"zero","then":1}]',
    '[{"tensor":"l_out-0","how":"zero","text":"Tom"}]',
    '[{"tensor":"l_out-0","how":"replace"}]',
    '[{"tensor":"l_out-0","how":"replace","text":"Tom","by":1}]',
  ])('%s is no list of them', (text) => {
    expect(readTrials(text)).toEqual([]);
  });
});

describe('a token as it is typed', () => {
  test('is a text, with ␣ for a space, or an id after #', () => {
    expect(typedToken('␣Lily')).toBe(' Lily');
    expect(typedToken('  ␣Lily ')).toBe(' Lily');
    expect(typedToken('#366')).toBe(366);
    expect(typedToken('#x')).toBe('#x');
    expect(typedToken('  ')).toBeNull();
  });

  test('several have commas between, and empty parts are none', () => {
    expect(typedTokens('␣Lily, #7,, Tom')).toEqual([' Lily', 7, 'Tom']);
    expect(typedTokens('')).toEqual([]);
  });
});
