/** What a view asks the session for, while it waits, when it is there and where it failed. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ParamsOf, RequestName, ResultOf } from '../../inspector/requests/index.ts';
import type { Inspector } from './state.ts';

export interface Answer<T> {
  /** The last that came; while another is asked for it stays, so that nothing flickers. Null before the first. */
  readonly value: T | null;
  readonly isAsking: boolean;
  /** Why there is none for what was asked last. */
  readonly failure: string | null;
  /** Asks again for the same. */
  again(): void;
}

type Known<T> = Omit<Answer<T>, 'again'>;

const NONE = { value: null, isAsking: false, failure: null };

/**
 * Asks again whenever `params` differ or the run has moved; whoever asks anew stops what was asked before. Null asks for nothing
 * and has no answer.
 */
export function useAnswer<Name extends RequestName>(
  inspector: Inspector,
  name: Name,
  params: ParamsOf<Name> | null,
): Answer<ResultOf<Name>> {
  const [answer, setAnswer] = useState<Known<ResultOf<Name>>>(NONE);
  const [asked, setAsked] = useState(0);
  const run = inspector.run.value;
  const key = params && JSON.stringify(params);
  useEffect(() => {
    if (params === null) {
      setAnswer(NONE);
      return;
    }
    const controller = new AbortController();
    const say = (next: (before: Known<ResultOf<Name>>) => Known<ResultOf<Name>>) => {
      if (!controller.signal.aborted) setAnswer(next);
    };
    say(({ value }) => ({ value, isAsking: true, failure: null }));
    inspector.connection.ask(name, params, { signal: controller.signal }).then(
      (value) => say(() => ({ value, isAsking: false, failure: null })),
      (error: Error) => say(() => ({ value: null, isAsking: false, failure: error.message })),
    );
    return () => controller.abort();
  }, [inspector, name, key, run, asked]);
  return { ...answer, again: () => setAsked((before) => before + 1) };
}

/** Draws an answer's value; before there is one says that it is worked on, or why it failed. */
export function Answered<T>({
  answer: { value, isAsking, failure, again },
  children,
}: {
  readonly answer: Answer<T>;
  readonly children: (value: T) => ComponentChildren;
}): JSX.Element {
  if (failure !== null) return <Failed failure={failure} again={again} />;
  if (value === null) return <p class="quiet">{isAsking ? 'Working …' : 'Nothing to show yet'}</p>;
  return (
    <div class="answered" aria-busy={isAsking}>
      {children(value)}
    </div>
  );
}

/** Why there is no answer, and a way to ask again: what stood in the way may be gone. */
export function Failed({ failure, again }: { readonly failure: string; again(): void }): JSX.Element {
  return (
    <div class="waiting">
      <p class="failure" role="alert">
        {failure}
      </p>
      <button type="button" onClick={again}>
        Try again
      </button>
    </div>
  );
}

/** A setting of a view, and how to change it: text that links hold. */
export function useSetting(
  { settings }: Inspector,
  /** `<view>.<name>` */
  key: string,
  initial: string,
): readonly [string, (value: string) => void] {
  const found = settings.value[key] ?? initial;
  return [
    found,
    (value) => {
      const { [key]: _, ...others } = settings.peek();
      settings.value = value === initial ? others : { ...others, [key]: value };
    },
  ];
}
