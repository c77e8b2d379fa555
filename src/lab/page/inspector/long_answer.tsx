/** An answer of the session that takes a while: how far it is, and a word to stop it. */
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Progress } from '../../../platform.ts';
import { SessionError } from '../../inspector/port.ts';
import type { ParamsOf, RequestName, ResultOf } from '../../inspector/requests/index.ts';
import { type Answer, Failed } from './answer.tsx';
import type { Inspector } from './state.ts';

export interface LongAnswer<T> extends Answer<T> {
  /** Null before the first word of it. */
  readonly progress: Progress | null;
  stop(): void;
}

type Known<T> = Omit<LongAnswer<T>, 'stop' | 'again'>;

const NONE = { value: null, isAsking: false, failure: null, progress: null };

/** Asks whenever `params` differ, and only then. Null asks for nothing and has no answer. */
export function useLongAnswer<Name extends RequestName>(
  { connection }: Inspector,
  name: Name,
  params: ParamsOf<Name> | null,
): LongAnswer<ResultOf<Name>> {
  // To what it is an answer: what was asked for before is none of what is asked now.
  const [answer, setAnswer] = useState<Known<ResultOf<Name>> & { readonly to: string | null }>({ ...NONE, to: null });
  const [controller, setController] = useState<AbortController | null>(null);
  const [asked, setAsked] = useState(0);
  const key = params && JSON.stringify(params);
  useEffect(() => {
    if (params === null) {
      setAnswer({ ...NONE, to: null });
      return;
    }
    const mine = new AbortController();
    let isGone = false;
    const say = (next: Known<ResultOf<Name>>) => {
      if (!isGone) setAnswer({ ...next, to: key });
    };
    setController(mine);
    say({ ...NONE, isAsking: true });
    const onProgress = (progress: Progress) => say({ ...NONE, isAsking: true, progress });
    connection.ask(name, params, { signal: mine.signal, onProgress }).then(
      (value) => say({ ...NONE, value }),
      (error: Error) => say({ ...NONE, failure: isStopped(error) ? 'Stopped before it was done.' : error.message }),
    );
    return () => {
      isGone = true;
      mine.abort();
    };
  }, [connection, name, key, asked]);
  const known = answer.to === key ? answer : { ...NONE, isAsking: key !== null };
  return { ...known, stop: () => controller?.abort(), again: () => setAsked((before) => before + 1) };
}

/** What the engine says of a run that was stopped tells how to move it on; here it is asked for anew. */
function isStopped(error: Error): boolean {
  return error instanceof SessionError && error.kind === 'InterruptedError';
}

/**
 * A bar while it is asked for, with a button that stops it; why it failed, with one that asks again. The button stands before the
 * words, which change, so that it stays where it is.
 */
export function Waiting<T>({
  answer: { isAsking, progress, failure, stop, again },
  says,
}: {
  readonly answer: LongAnswer<T>;
  readonly says: string;
}): JSX.Element | null {
  if (failure !== null) return <Failed failure={failure} again={again} />;
  if (!isAsking) return null;
  const share = progress && progress.total > 0 ? progress.done / progress.total : undefined;
  return (
    <div class="waiting">
      <progress value={share} max={1} aria-label={says} />
      <button type="button" onClick={stop}>
        Stop
      </button>
      <span class="quiet">{progress ? `${progress.task}: ${progress.item}` : `${says} …`}</span>
    </div>
  );
}
