import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandLine, percent, shownPath } from '../../src/cli/terminal.ts';

describe('numbers', () => {
  test('a probability is 0% or 100% only where it is', () => {
    expect([0, 1e-9, 0.004, 0.006, 0.5, 0.996, 1].map(percent)).toEqual([
      '0%',
      '<1%',
      '<1%',
      '1%',
      '50%',
      '>99%',
      '100%',
    ]);
  });
});

describe('a command to copy', () => {
  test.skipIf(process.platform === 'win32')('is read back by a shell as the arguments it was made of', () => {
    const args = ['trace', "it's/ä 猫.gguf", '--prompt', '$HOME "x" `y` \\ !', '*-0', '', '--select=a,b'];
    const line = commandLine(...args).replace('npx layerscope', "printf '%s\\n'");
    expect(execFileSync('sh', ['-c', line], { encoding: 'utf8' })).toBe(`${args.join('\n')}\n`);
  });

  test('has paths as they are from here', () => {
    expect(shownPath(join(process.cwd(), 'out', 'x'))).toBe(join('out', 'x'));
    expect(shownPath('/somewhere/else')).toBe('/somewhere/else');
  });
});
