/** The panel of a lesson: what is said at a stop, the way on and back, and the inspector moved there. */
import { batch, signal } from '@preact/signals';
import type { JSX } from 'preact';
import { type Inspector, NOTHING } from '../inspector/state.ts';
import { type Language, LESSON_TITLE, lessonExperiment, type Said, type Stop, stops } from './stops.ts';

const WORDS = {
  back: { en: 'Back', ja: '戻る' },
  next: { en: 'Next', ja: '次へ' },
  other: { en: '日本語', ja: 'English' },
  stops: { en: 'All stops', ja: 'すべての項目' },
} as const satisfies Record<string, Said>;

const language = signal<Language>(globalThis.navigator?.language.startsWith('ja') ? 'ja' : 'en');
const reached = signal(0);

/** Runs the lesson's text and shows its first stop. */
export function beginLesson(inspector: Inspector, file: string): Promise<void> {
  return goTo(inspector, file, 0);
}

export function Lesson({ inspector, file }: { readonly inspector: Inspector; readonly file: string }): JSX.Element {
  const said = (what: Said) => what[language.value];
  const stop = stops[reached.value] as Stop;
  const go = (index: number) => void goTo(inspector, file, index);
  return (
    <section class="lesson" lang={language.value} aria-label={said(LESSON_TITLE)}>
      <div class="way">
        <h1>{said(LESSON_TITLE)}</h1>
        <nav aria-label={said(LESSON_TITLE)}>
          <button type="button" disabled={reached.value === 0} onClick={() => go(reached.value - 1)}>
            {said(WORDS.back)}
          </button>
          <button
            type="button"
            class="next"
            disabled={reached.value === stops.length - 1}
            onClick={() => go(reached.value + 1)}
          >
            {said(WORDS.next)}
          </button>
          <span>
            {reached.value + 1} / {stops.length}
          </span>
        </nav>
      </div>
      <div class="says" aria-live="polite">
        <h2>{said(stop.title)}</h2>
        <p>{said(stop.says)}</p>
      </div>
      <div class="side">
        <button
          type="button"
          lang={language.value === 'en' ? 'ja' : 'en'}
          onClick={() => {
            language.value = language.value === 'en' ? 'ja' : 'en';
          }}
        >
          {said(WORDS.other)}
        </button>
        <select
          aria-label={said(WORDS.stops)}
          value={reached.value}
          onChange={({ currentTarget }) => go(Number(currentTarget.value))}
        >
          {stops.map(({ title }, index) => (
            <option value={index} key={title.en}>
              {index + 1}. {said(title)}
            </option>
          ))}
        </select>
      </div>
    </section>
  );
}

/** Whatever was looked at since, a stop is of the lesson's own run. */
async function goTo(inspector: Inspector, file: string, index: number): Promise<void> {
  const { view, choice } = stops[index] as Stop;
  const wanted = lessonExperiment(file);
  if (JSON.stringify(inspector.experiment.peek()) !== JSON.stringify(wanted)) await inspector.begin(wanted);
  batch(() => {
    reached.value = index;
    inspector.view.value = view;
    inspector.hovered.value = null;
    inspector.locked.value = { ...NOTHING, ...choice };
  });
}
