import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { handOver, output } from '../../src/setup/child.mjs';
import { tooOld } from '../../src/setup/node_version.mjs';

const at = (path: string): string => fileURLToPath(new URL(`../../src/setup/${path}`, import.meta.url));

test('Node is too old below the major or minor version that package.json names', () => {
  expect(tooOld('v20.19.0', '>=20.19')).toBeUndefined();
  expect(tooOld('v22.0.0', '>=20.19')).toBeUndefined();
  expect(tooOld('v20.18.9', '>=20.19')).toMatch(/^Cannot run on Node v20\.18\.9: .*>=20\.19/);
  expect(tooOld('v18.20.0', '>=20.19')).toBeDefined();
});

test('an unknown command is a usage error that lists the commands', () => {
  const { status, stderr } = spawnSync(process.execPath, [at('run.mjs'), 'strat'], { encoding: 'utf8' });
  expect(status).toBe(2);
  expect(stderr).toMatch(/Cannot run "strat": the commands are start, test, test:full, bench/);
});

test("a command's exit code is handed on, and 127 says that there is no such command", async () => {
  expect(await handOver(process.execPath, ['-e', 'process.exit(7)'])).toBe(7);
  expect((await output('/no/such/command', [])).code).toBe(127);
});

test('a command ended by a signal has code 128 + its number', async () => {
  expect((await output(process.execPath, ['-e', 'process.kill(process.pid, "SIGKILL")'])).code).toBe(137);
});

test('a signal reaches the command, which is waited for', async () => {
  const command = `process.on('SIGTERM', () => { console.log('ended'); process.exit(9); }); console.log('ready'); setInterval(() => {}, 1e6);`;
  const outer = `import { handOver } from ${JSON.stringify(at('child.mjs'))};
    process.exitCode = await handOver(process.execPath, ['-e', ${JSON.stringify(command)}]);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', outer], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (printed === '') child.kill('SIGTERM');
    printed += text;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect(printed).toBe('ready\nended\n');
  expect(code).toBe(9);
});
