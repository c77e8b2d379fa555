/** Says at the end of a run which tests were skipped and why: a skipped test is not a passed one. */
import type { Reporter, TestModule } from 'vitest/node';

export default class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap((module) =>
      [...module.children.allTests('skipped')].map((test) => {
        const result = test.result();
        const note = result?.state === 'skipped' ? result.note : undefined;
        const reason = note ?? (test.fullName.includes('skipped:') ? 'as its title says' : 'no reason given');
        return `  ${test.fullName}\n    ${reason}\n`;
      }),
    );
    if (lines.length > 0) process.stdout.write(`\nSkipped:\n${lines.join('')}`);
  }
}
