import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noAdapter } from '../engine/models.ts';
import { notHeld } from '../file_modes.ts';
import { have } from '../skip.ts';
import { CLI, layerscope, Workplace } from './layerscope.ts';

const place = new Workplace();
/** Errors are the same on either backend, and this one starts sooner. */
const env = { LAYERSCOPE_BACKEND: 'reference' };
let model = '';
let modelBytes = new Uint8Array();

beforeAll(async () => {
  model = await place.model('tiny.gguf');
  modelBytes = readFileSync(model);
});
afterAll(() => place.remove());

/** One line on stderr, nothing on stdout, and no file that was not there before. */
async function refused(code: 1 | 2, message: string | RegExp, ...args: string[]): Promise<void> {
  const before = place.named('');
  const found = await layerscope(args, { env, isHeld: true });
  expect(found.stderr).toMatch(/^Cannot [^\n]+\n$/);
  expect(found.stderr).toMatch(message);
  expect({ code: found.code, stdout: found.stdout }).toEqual({ code, stdout: '' });
  expect(place.named('')).toEqual(before);
}

describe.concurrent('a wrong call is one line and exit code 2', () => {
  test.for<[what: string, message: string, args: string[]]>([
    ['an unknown command', "unknown command 'tracee' (Did you mean trace?)", ['tracee']],
    ['no model', 'Cannot run layerscope trace: missing required argument', ['trace']],
    ['an unknown option', "unknown option '--promt' (Did you mean --prompt?)", ['trace', 'MODEL', '--promt', 'a']],
    ['an option without its value', 'argument missing', ['trace', 'MODEL', '--prompt']],
    ['two prompts', 'cannot be used with', ['trace', 'MODEL', '--prompt', 'a', '--tokens', '1']],
    ['too many arguments', 'too many arguments', ['info', 'MODEL', 'more']],
    ['an unknown backend', 'Allowed choices are webgpu, reference', ['trace', 'MODEL', '--backend', 'cuda']],
    ['a number that is none', 'It must be a number', ['generate', 'MODEL', '--prompt', 'a', '--top-k', 'many']],
    ['half a token to draw', 'must be a whole number above 0', ['generate', 'MODEL', '--prompt', 'a', '-n', '1.5']],
    ['a top-p above 1', 'it must be above 0 and at most 1', ['generate', 'MODEL', '--prompt', 'a', '--top-p', '2']],
    ['no prompt', 'give --prompt TEXT, --chat TEXT or --tokens 1,2,3', ['trace', 'MODEL']],
    ['an empty prompt', 'the prompt is empty', ['trace', 'MODEL', '--prompt', '']],
    ['an empty chat', 'the prompt is empty', ['generate', 'MODEL', '--chat', '']],
    ['an empty start', 'the prompt is empty', ['start', '', '--model', 'MODEL']],
    ['a prompt beyond the context', "the model's context is 64", ['trace', 'MODEL', '--prompt', 'ba '.repeat(80)]],
    ['an id beyond the vocabulary', 'ids go from 0 to 399', ['trace', 'MODEL', '--tokens', '1,400']],
    ['an id that is none', '"x" is not a token id', ['trace', 'MODEL', '--tokens', '1,x']],
    ['an empty list of ids', '"" is not a token id', ['trace', 'MODEL', '--tokens', '']],
    ['an empty glob', 'an empty glob was given', ['trace', 'MODEL', '--prompt', 'a', '--select', 'embd,,']],
    ['a trace over its own model', 'it is the model itself', ['trace', 'MODEL', '--prompt', 'a', '--out', 'MODEL']],
  ])('%s', async ([, message, args]) => {
    await refused(2, message, ...args.map((arg) => (arg === 'MODEL' ? model : arg)));
    expect(readFileSync(model).equals(modelBytes), 'the model is as it was').toBe(true);
  });

  test.skipIf(process.platform === 'win32')('a prompt that is not UTF-8', () => {
    const command = `"$NODE" "$CLI" trace "$MODEL" --prompt "$(printf 'a\\377b')"`;
    const shell = {
      env: { ...process.env, ...env, NODE: process.execPath, CLI, MODEL: model },
      encoding: 'utf8',
    } as const;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', command], shell);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^Cannot read the text: it has bytes that are not UTF-8[^\n]+\n$/);
  });

  test('no command at all, which shows the commands', async () => {
    const { code, stderr } = await layerscope([]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('Usage: layerscope')]);
  });
});

test('help that was asked for is no error', async () => {
  for (const args of [['--help'], ['help', 'trace'], ['generate', '--help'], ['--version']]) {
    const { code, stdout, stderr } = await layerscope(args);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).not.toBe('');
  }
});

describe('a file that is no model is one line and exit code 1', () => {
  test('that is not there, a folder, empty, a text, or cut short', async () => {
    mkdirSync(place.path('folder.gguf'));
    const cases: [string, string][] = [
      [place.path('missing.gguf'), 'there is no such file'],
      [place.path('folder.gguf'), 'it is a directory'],
      [place.file('empty.gguf', ''), 'it is empty'],
      [place.file('text.gguf', 'this is a text of more than a few bytes'), 'Cannot read'],
      [place.file('header.gguf', modelBytes.subarray(0, 300)), 'Cannot read'],
      [place.file('short.gguf', modelBytes.subarray(0, modelBytes.length - 1000)), 'It is cut short or broken'],
    ];
    for (const [i, [path, message]] of cases.entries()) {
      const command = i % 2 ? ['info', path] : ['trace', path, '--prompt', 'a', '--out', place.path('x.arrow')];
      await refused(1, message, ...command);
    }
  });

  test('of another architecture, by its name', async () => {
    const path = await place.model('other.gguf', undefined, { 'general.architecture': ['string', 'gemma3'] });
    await refused(1, 'gemma3', 'trace', path, '--prompt', 'a');
  });

  test('without a chat template, where there is to be a chat', async () => {
    const path = await place.model('plain.gguf', undefined, { 'tokenizer.chat_template': ['string', ''] });
    await refused(1, 'it has no tokenizer.chat_template', 'trace', path, '--chat', 'a');
  });

  test('under a name that no cache has', async () => {
    await refused(1, 'Get one: ollama pull MODEL', 'info', 'ollama:none-of-that-name');
  });
});

describe('a tensor that is not there', () => {
  test('is refused with the names most like it, with and without --out', async () => {
    const args = ['trace', model, '--prompt', 'a', '--select'];
    await refused(1, '"l_uot-*": no step has that name; nearest are l_out-0', ...args, 'embd,l_uot-*');
    await refused(
      1,
      'nearest are blocks.0.hook_resid_post',
      ...args,
      '!blocks.9.hook_resid_post',
      '--out',
      place.path('y'),
    );
  });
});

describe('a path that cannot be written is one line, exit code 1 and no file', () => {
  const to = (out: string) => ['trace', model, '--prompt', 'a', '--out', out];

  test('a folder, a path through a file, a name too long', async () => {
    await refused(1, 'it is a folder', ...to(place.folder));
    await refused(1, 'a part of its path is a file', ...to(place.path('tiny.gguf', 'x.arrow')));
    await refused(1, 'its name is too long', ...to(place.path('x'.repeat(300))));
  });

  test('a place where nothing can be made', async (context) => {
    have(context, process.platform === 'linux' ? true : undefined, 'there is no /proc on this machine');
    await refused(1, 'Cannot write /proc/no/x.arrow', ...to('/proc/no/x.arrow'));
  });

  test('a folder of somebody else', async (context) => {
    if (notHeld) context.skip(`skipped: ${notHeld}`);
    mkdirSync(place.path('locked'), { mode: 0o500 });
    await refused(1, 'this user may not write there', ...to(place.path('locked', 'x.arrow')));
  });

  test('a full disk, whose room is said', async (context) => {
    const disk = place.path('disk');
    mkdirSync(disk);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
    have(context, mounted.status === 0 ? true : undefined, 'this user may not mount a small disk');
    try {
      await refused(1, /it will take about \S+ \w+, and \S+ \w+ are free/, ...to(`${disk}/x.arrow`));
      expect(execFileSync('ls', ['-A', disk], { encoding: 'utf8' })).toBe('');
    } finally {
      spawnSync('umount', [disk]);
    }
  });
});

describe('without a GPU', () => {
  /** Where the Vulkan loader finds no driver. */
  const none = { VK_DRIVER_FILES: '/nonexistent', VK_ICD_FILENAMES: '/nonexistent' };
  const args = () => ['generate', model, '--prompt', 'ba', '-n', '2'];

  test('the reference runs instead and says so; one that was asked for is not replaced', async (context) => {
    have(
      context,
      process.platform === 'linux' ? true : undefined,
      'only the Vulkan loader can be told to find nothing',
    );
    const instead = await layerscope(args(), { env: none });
    expect(instead.stderr).toMatch(/^No GPU \(.+\): running on the f64 reference, .*"npx layerscope doctor"[^\n]*\n$/);
    expect(instead).toMatchObject({ code: 0, stdout: (await layerscope(args(), { env })).stdout });
    const asked = await layerscope([...args(), '--backend', 'webgpu'], { env: none });
    expect(asked).toMatchObject({ code: 1, stdout: '' });
    expect(asked.stderr).toMatch(/^Cannot open a GPU: [^\n]*--backend reference\n$/);
  });

  test('LAYERSCOPE_BACKEND chooses, and a name that is none is a wrong call', async () => {
    const { code, stderr } = await layerscope(args(), { env: { LAYERSCOPE_BACKEND: 'cuda' } });
    expect([code, stderr]).toEqual([2, 'Cannot use LAYERSCOPE_BACKEND=cuda: it must be webgpu or reference\n']);
  });
});

test('weights that are NaN draw no token, and the trace shows where they begin', async () => {
  const bytes = modelBytes.slice();
  bytes.fill(0xff, bytes.length - 64); // The last numbers of output.weight, which is F32: 0xffffffff is a NaN.
  const path = place.file('nan.gguf', bytes);
  await refused(1, 'logits are NaN', 'generate', path, '--prompt', 'a', '-n', '1');
  const { stdout } = await layerscope(['trace', path, '--prompt', 'a', '--select', 'result_*'], { env });
  expect(stdout).toMatch(/^result_norm .* · {4}·\nresult_output .* [1-9]\d* +·$/m);
});

test('an error on the GPU is the same line', async (context) => {
  have(context, noAdapter ? undefined : true, `${noAdapter}`);
  const { code, stderr } = await layerscope(['trace', model, '--tokens', '400', '--backend', 'webgpu']);
  expect([code, stderr]).toEqual([2, `Cannot run ${model}: 400 is not a token id; ids go from 0 to 399\n`]);
});
