/** The pages as texts: one file each, nothing missing, translations of what is said now, and no source without a name. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { textHash } from '../../../src/engine/faults/fault.ts';
import { faults } from '../../../src/engine/faults/index.ts';

const folder = new URL('../../../src/engine/faults/', import.meta.url);

test('every file that defines a fault is in the table under its own name, and each name is there once', () => {
  const defining = readdirSync(folder).filter((file) =>
    /^export const \w+: Fault = /m.test(readFileSync(new URL(file, folder), 'utf8')),
  );
  const names = faults.map(({ name }) => name);
  expect(names.map((name) => `${name.replaceAll('-', '_')}.ts`).sort()).toEqual(defining.sort());
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThanOrEqual(25);
});

test.each(faults)('the page of $name says what it is and does', ({ name, title, what, changes, tokenize }) => {
  expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
  expect(title).toMatch(/^[^.]+[^.\s]$/);
  expect(what).toMatch(/^[^\s].*\.$/);
  expect(what.split(/(?<=[.;:]) (?=[A-Z])/).length).toBeLessThanOrEqual(3);
  expect(changes === undefined).not.toBe(tokenize === undefined);
});

test.each(faults)('$name has a Japanese page of the English text as it is now', ({ title, what, ja }) => {
  expect(ja.of, 'the English text has changed: bring the Japanese up to date, then put this hash').toBe(
    textHash({ title, what }),
  );
  expect(ja.title).toMatch(/[ぁ-んァ-ヶ一-龠]/);
  expect(ja.what).toMatch(/[ぁ-んァ-ヶ一-龠].*。$/);
});

test.each(faults)('who made $name is told with a project, a note and a link that is one', ({ whoMadeIt }) => {
  // Where no report was found, the note says so.
  expect(whoMadeIt.length).toBeGreaterThan(0);
  for (const { project, link, note } of whoMadeIt) {
    expect(project).not.toBe('');
    expect(note).toMatch(/^[^\s].*\.$/);
    // Without a link the source is one of the notes, which name their projects.
    if (link === undefined) expect(project).toMatch(/^(TensorLogic|RusTorch|investigation notes)$/);
    else expect(link).toMatch(/^https:\/\/github\.com\/[\w.-]+\/[\w.-]+\/(issues|pull)\/\d+$/);
  }
});

test('a translation of another text is told from one of this', () => {
  expect(textHash({ title: 'a', what: 'b' })).not.toBe(textHash({ title: 'a', what: 'c' }));
  expect(textHash({ title: 'a', what: 'b' })).toMatch(/^[0-9a-f]{8}$/);
});
