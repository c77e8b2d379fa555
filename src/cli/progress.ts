/** Bars for long work. They are drawn on stderr, at a terminal only, and only when the work takes longer than a blink. */
import { SingleBar } from 'cli-progress';
import type { MoveOptions } from '../engine/run.ts';
import type { Run } from '../index.ts';

/** Work that ends sooner shows no bar; in ms. */
const BLINK_MS = 300;

export interface Bar {
  /** `done` of `total`; `detail` says what is being done. */
  at(done: number, total: number, detail: string): void;
}

/** Runs `work` with a bar to move; without a terminal the bar is null, and nobody needs to count. */
export async function withBar<T>(label: string, work: (bar: Bar | null) => Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work(null);
  const begun = performance.now();
  const bar = new SingleBar({
    format: `${label} {bar} {percentage} %  {detail}`,
    barsize: 30,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    stream: process.stderr,
    clearOnComplete: true,
    gracefulExit: false,
  });
  const stop = () => bar.stop();
  process.once('exit', stop);
  let latest: Parameters<Bar['at']> | undefined;
  const draw = () => {
    if (!latest) return;
    const [done, total, detail] = latest;
    if (!bar.isActive) bar.start(total, done, { detail });
    bar.setTotal(total);
    bar.update(done, { detail });
  };
  // A first part may take long before there is a second.
  const timer = setTimeout(draw, BLINK_MS);
  try {
    return await work({
      at(...now) {
        latest = now;
        if (performance.now() - begun > BLINK_MS) draw();
      },
    });
  } finally {
    clearTimeout(timer);
    stop();
    process.removeListener('exit', stop);
  }
}

/** Runs every token of the prompt through the model, with a bar over all its passes. */
export function runPrompt(run: Run): Promise<Run> {
  const { steps, model, tokens } = run;
  const passes = Math.ceil(tokens.length / model.maxPassTokens(tokens.length));
  return withBar('running', (bar) => {
    const onProgress: MoveOptions['onProgress'] = ({ pass, step, done }) =>
      bar?.at(pass * steps.length + done, passes * steps.length, step);
    return run.toEnd(bar ? { onProgress } : {});
  });
}

/** Says on stderr what is going on while `work` runs, at a terminal only, and wipes it away afterwards. */
export async function withNote<T>(note: string, work: () => Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work();
  let isShown = false;
  const timer = setTimeout(() => {
    isShown = true;
    process.stderr.write(note);
  }, BLINK_MS);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
    if (isShown) process.stderr.write('\r\u001b[K');
  }
}
