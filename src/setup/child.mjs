/** Child processes: one that takes over the terminal, and one whose output is kept. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const FORWARDED = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

/**
 * Runs a command in our place: same terminal, and its exit code is ours. Ctrl-C reaches the child too, which decides what
 * to do about it; we wait for it, so that nothing is left running.
 * @param {string} file
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} the exit code, 128 + n for signal n, 127 where it cannot be started
 */
export function handOver(file, args, env = process.env) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: 'inherit', env });
    /** @param {NodeJS.Signals} signal */
    const forward = (signal) => {
      // A terminal sends Ctrl-C to the whole group, so the child already has it; twice would mean "at once".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    child.on('error', (error) => {
      process.stderr.write(`Cannot run ${file}: ${error.message}\n`);
      resolve(127);
    });
    child.on('close', (code, signal) => {
      for (const name of FORWARDED) process.off(name, forward);
      resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']);
    });
  });
}

/**
 * Runs a command and keeps what it prints. Never throws: a command that cannot be started has code 127.
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ input?: string, env?: NodeJS.ProcessEnv, cwd?: string }} options
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
export function output(file, args, { input = '', env = process.env, cwd } = {}) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { env, cwd });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', (error) => resolve({ code: 127, stdout, stderr: error.message }));
    child.on('close', (code, signal) =>
      resolve({ code: code ?? 128 + constants.signals[signal ?? 'SIGTERM'], stdout, stderr }),
    );
    child.stdin.on('error', () => {}); // a command that ends without reading its input is no failure of ours
    child.stdin.end(input);
  });
}
