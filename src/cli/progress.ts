/** Bars for long work. They are drawn on stderr, at a terminal only, and only when the work takes longer than a blink. */
import { SingleBar } from 'cli-progress';
import type { Progress, Watch } from '../platform.ts';
import { visible } from '../trace/plain_text.ts';

/** Work that ends sooner shows no bar; in ms. */
const BLINK_MS = 300;

/** Runs `work` with a sink that moves a bar; without a terminal there is none, and nobody needs to count. */
export async function withBar<T>(work: (onProgress: Watch['onProgress']) => Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work(undefined);
  const begun = performance.now();
  const bar = new SingleBar({
    format: '{task} {bar} {percentage} %  {item}',
    barsize: 30,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    stream: process.stderr,
    clearOnComplete: true,
    gracefulExit: false,
  });
  const stop = () => bar.stop();
  process.once('exit', stop);
  let latest: Progress | undefined;
  const draw = () => {
    if (!latest) return;
    const { task, item, done, total } = latest;
    const shown = { task, item: visible(item) };
    if (!bar.isActive) bar.start(total, done, shown);
    bar.setTotal(total);
    bar.update(done, shown);
  };
  // A first part may take long before there is a second.
  const timer = setTimeout(draw, BLINK_MS);
  const move = (progress: Progress) => {
    latest = progress;
    if (performance.now() - begun > BLINK_MS) draw();
  };
  try {
    return await work(move);
  } finally {
    clearTimeout(timer);
    stop();
    process.removeListener('exit', stop);
  }
}
