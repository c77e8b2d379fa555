/**
 * `test` with a kernel: `kernel` is one that the tests of a file share, `startKernel` gives one of its own to a test that
 * breaks it or counts on a fresh one. Both end with their owner. Where there is no Jupyter, the test is skipped.
 */
import { test as base, type TestContext } from 'vitest';
import { have } from '../../skip.ts';
import { jupyterPython, type Kernel, type StartOptions, startKernel } from '../jupyter.ts';

type SkipContext = Pick<TestContext, 'skip'>;

/** The Python that has Jupyter; skips the test where there is none. */
export const haveJupyter = (context: SkipContext): string =>
  have(context, jupyterPython, 'no Python with jupyter_client, nbclient and nbconvert on this machine');

interface Kernels {
  readonly kernel: Kernel;
  readonly startKernel: (options?: StartOptions) => Promise<Kernel>;
}

let shared: Promise<Kernel> | undefined;

export const test = base.extend<Kernels>({
  kernel: async ({ skip, onTestFailed }, use) => {
    shared ??= startKernel(haveJupyter({ skip }));
    const kernel = await shared;
    onTestFailed(async () => {
      process.stderr.write(kernel.log());
      shared = undefined; // it may hang or be broken: the next test gets another
      await kernel.close();
    });
    await use(kernel);
  },
  startKernel: async ({ skip, onTestFailed }, use) => {
    const python = haveJupyter({ skip });
    const started: Kernel[] = [];
    onTestFailed(() => void process.stderr.write(started.map((kernel) => kernel.log()).join('')));
    await use(async (options) => {
      const kernel = await startKernel(python, options);
      started.push(kernel);
      return kernel;
    });
    await Promise.all(started.map((kernel) => kernel.close()));
  },
});

test.afterAll(async () => {
  await (await shared)?.close();
});
