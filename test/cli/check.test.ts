/** `layerscope check` and `layerscope stable`, called as the command line calls them. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { checkCommand } from '../../src/cli/check.ts';
import { stableCommand } from '../../src/cli/stable.ts';
import { checks } from '../../src/compare/checks/index.ts';
import { edit } from '../../src/engine/transforms/edit.ts';
import { openModel } from '../../src/node/index.ts';
import { noAdapter } from '../engine/models.ts';
import { Workplace } from './layerscope.ts';

const place = new Workplace();
const BACKEND = noAdapter ? 'reference' : 'webgpu';
const TOKENS = '1,40,77,40,105';
let model = '';
const [healthy, broken, decoded] = ['healthy', 'broken', 'decoded'].map((name) => place.path(`${name}.arrow`)) as [
  string,
  string,
  string,
];

beforeAll(async () => {
  model = await place.model('tiny.gguf');
  const opened = await openModel(model, { backend: 'reference' });
  const tokens = TOKENS.split(',').map(Number);
  const deadSilu = edit('ffn_silu-1', (tensor) => tensor.scale(0));
  await (await opened.start(tokens).toEnd()).trace.writeArrow(healthy);
  await (await opened.with(deadSilu).start(tokens).toEnd()).trace.writeArrow(broken);
  const run = await opened.start(tokens.slice(0, 3)).toEnd();
  await (await (await run.append(tokens.slice(3))).toEnd()).trace.writeArrow(decoded);
});
afterAll(() => place.remove());
afterEach(() => {
  process.exitCode = 0;
});

/** What a call writes to stdout, and its exit code. */
async function called(command: 'check' | 'stable', ...args: string[]): Promise<{ out: string; code: unknown }> {
  let out = '';
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += text;
    return true;
  });
  try {
    await { check: checkCommand, stable: stableCommand }[command]().exitOverride().parseAsync(args, { from: 'user' });
    return { out, code: process.exitCode };
  } finally {
    stdout.mockRestore();
  }
}

describe('layerscope check', () => {
  test('passes a healthy model with exit 0, and says what each check saw', async () => {
    const { out, code } = await called('check', model, '--backend', BACKEND);
    expect(code).toBe(0);
    expect(out).toContain(`tiny.gguf on ${BACKEND}: passed (${checks.length} passed)`);
    for (const { name, title } of checks) expect(out).toContain(`${title} (${name})`);
    expect(out).not.toContain('proves:');
  });

  test('takes a prompt, and tells more with --details', async () => {
    const { out } = await called('check', model, '--backend', BACKEND, '--tokens', '5,6', '--details');
    expect(out).toContain('Tokens 5 6');
    expect(out.match(/proves:/g)).toHaveLength(checks.length);
  });

  test('fails a dump whose numbers do not fit, with exit 1, and names the tensor', async () => {
    const { out, code } = await called('check', broken, '--model', model);
    expect(code).toBe(1);
    expect(out).toMatch(/FAILED +The feed-forward passes silu\(gate\) · up on \(gate\)\n +ffn_swiglu-1, token \d/);
  });

  test('as JSON: every check with its outcome, the place and what to dump for those that could not look', async () => {
    const { out } = await called('check', broken, '--model', model, '--json');
    const report = JSON.parse(out);
    expect(report.outcome).toBe('failed');
    expect(report.results.map(({ name }: { name: string }) => name)).toEqual(checks.map(({ name }) => name));
    expect(report.results.find(({ name }: { name: string }) => name === 'gate').worst).toMatchObject({
      tensor: 'ffn_swiglu-1',
    });
    expect(report.results.find(({ name }: { name: string }) => name === 'prefill-decode').dump).toContain(
      'a second run',
    );
  });

  test('a second dump lets it compare prefill and decode; without the model some checks ask for it', async () => {
    const { out, code } = await called('check', healthy, decoded);
    expect(code).toBe(0);
    expect(out).toMatch(/passed +Token by token gives what the whole prompt gives at once/);
    expect(out).toContain('the model whose norm weights it needs was not given');
  });

  test('two models, and a file that is not there, are refused', async () => {
    await expect(called('check', model, model)).rejects.toThrow('one model is checked at a time');
    await expect(called('check', place.path('none.arrow'), '--model', model)).rejects.toThrow('none.arrow');
  });
});

describe('layerscope stable', () => {
  test('the same dump three times is stable, with exit 0', async () => {
    const { out, code } = await called('stable', healthy, healthy, healthy);
    expect({ out, code }).toEqual({ out: '3 runs: the same, in all 39 tensors that were compared\n', code: 0 });
  });

  test('names the first tensor that differs, with exit 1', async () => {
    const { out, code } = await called('stable', healthy, healthy, broken);
    expect(code).toBe(1);
    expect(out).toContain('First that differs: ffn_silu-1 (silu, layer 1)');
    expect(JSON.parse((await called('stable', healthy, broken, '--json')).out).first.spread.values).toHaveLength(2);
  });

  test.skipIf(noAdapter)('runs a model, and looks for stale memory', async () => {
    const { out, code } = await called('stable', model, '--tokens', TOKENS, '--runs', '2', '--backend', 'webgpu');
    expect(code).toBe(0);
    expect(out).toBe(
      '2 runs: the same, in all 39 tensors that were compared\nEvery step writes all of its output, in 78 tensors\nNo step reads memory that nobody wrote\n',
    );
  });

  test('one dump alone is refused', async () => {
    await expect(called('stable', healthy)).rejects.toThrow('give two dumps or more');
  });
});
