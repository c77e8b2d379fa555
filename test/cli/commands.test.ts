import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readArrow } from '../../src/node/index.ts';
import { version } from '../../src/version.ts';
import { noAdapter } from '../engine/models.ts';
import { have } from '../skip.ts';
import { CLI, layerscope, Workplace } from './layerscope.ts';

const place = new Workplace();
const env = { LAYERSCOPE_BACKEND: noAdapter ? 'reference' : 'webgpu' };
let model = '';

beforeAll(async () => {
  model = await place.model('tiny model.gguf');
});
afterAll(() => place.remove());

/** Calls that must succeed: stdout, with nothing on stderr. */
async function printed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await layerscope(args, { env, cwd: place.folder });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

// biome-ignore lint/suspicious/noExplicitAny: the shape of the JSON is what these tests are about
const json = async (...args: string[]): Promise<any> => JSON.parse(await printed(...args, '--json'));

/** Runs what follows `label` on a line of the output, as a user who copies it would. */
function copied(output: string, label: string): string {
  const line = output.split('\n').find((each) => each.startsWith(`${label}: npx layerscope `))!;
  const command = line.slice(label.length + 2).replace('npx layerscope', '"$NODE" "$CLI"');
  return execFileSync('sh', ['-c', command], {
    env: { ...process.env, ...env, NODE: process.execPath, CLI },
    cwd: place.folder,
    encoding: 'utf8',
  });
}

describe('layerscope start', () => {
  const prompt = "it's the cat";

  test('shows tokens, a bar and five tokens per layer, the text, and a next command that works as printed', async () => {
    const page = await printed('start', prompt, '--model', model);
    expect(page).toContain('Tokens  <s>│');
    expect(page.match(/^ +[01] +\d\S* +[▏▎▍▌▋▊▉█]+( +\S.* <?>?\d+%){5}$/gm)).toHaveLength(2);
    expect(page).toContain(`Text    ${prompt}`);
    expect(page).toContain('Wrote out/first-look.arrow: all 53 tensors of this run');
    expect(page).not.toContain('\u001b');
    expect(copied(page, 'Next')).toMatch(/^tensor +shape +rms.*\nattn_norm-0 /);
  });

  test("as JSON: the layers' RMS are the trace's, the five tokens are ranked, the text is what generate gives", async () => {
    const found = await json('start', prompt, '--model', model, '--out', place.path('look.arrow'));
    const trace = await readArrow(found.trace.path);
    expect(trace.manifest).toMatchObject({
      tokens: found.tokens,
      pieces: found.pieces,
      transforms: [{ name: 'lens' }],
    });
    for (const { layer, rms, top } of found.layers) {
      const { data } = await trace.tensor(`l_out-${layer}`);
      expect(Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length)).toBeCloseTo(rms, 5);
      const probabilities = top.map(({ probability }: { probability: number }) => probability);
      expect(probabilities).toEqual([...probabilities].sort((a, b) => b - a));
      expect(top).toHaveLength(5);
    }
    await trace.close();
    const { text } = await json('generate', model, '--prompt', prompt, '-n', '24');
    expect(found.text).toBe(text);
  });
});

describe('layerscope trace', () => {
  test('shows a line per tensor, and the command it names writes their values', async () => {
    const page = await printed('trace', model, '--prompt', 'ba be 猫', '--select', 'Qcur-*,hidden_states[0]');
    expect(
      page
        .split('\n')
        .slice(0, 4)
        .map((line) => line.split(' ')[0]),
    ).toEqual(['tensor', 'embd', 'Qcur-0', 'Qcur-1']);
    expect(copied(page, 'Values too')).toContain('Wrote out/trace.arrow: 39 tensors, 3 of them with values');
    const trace = await readArrow(place.path('out', 'trace.arrow'));
    expect(trace.entries.filter(({ hasValues }) => hasValues).map(({ name }) => name)).toEqual([
      'embd',
      'Qcur-0',
      'Qcur-1',
    ]);
    await trace.close();
  });

  test('with --out writes every value unless --select says otherwise, and its JSON counts them', async () => {
    const out = place.path('all.arrow');
    const found = await json('trace', model, '--tokens', '1,300,17', '--out', out);
    const trace = await readArrow(out);
    expect(trace.entries.every(({ hasValues }) => hasValues)).toBe(true);
    expect(found).toMatchObject({ path: out, tensors: 39, values: 39, manifest: trace.manifest });
    const { tensors } = await json('trace', model, '--tokens', '1,300,17');
    expect(tensors.map(({ name }: { name: string }) => name)).toEqual(trace.names);
    for (const { name, rms } of tensors) {
      expect(trace.entries.find((row) => row.name === name)!.statistics.rms, name).toBe(rms);
    }
    await trace.close();
  });

  test('puts a prompt into the chat template, once with BOS', async () => {
    const { manifest } = await json('trace', model, '--chat', 'ba be', '--select', 'embd');
    expect(manifest.pieces.join('')).toBe('<s> user: ba be\nassistant:'.replace('\n', '<0x0A>'));
    expect(manifest.bos).toBe(true);
    expect(manifest.prompt).toBe('ba be');
    expect(manifest.template).toBeTruthy();
  });

  test('--no-bos leaves BOS out', async () => {
    const [{ manifest: without }, { manifest: plain }] = [
      await json('trace', model, '--prompt', 'ba', '--no-bos'),
      await json('trace', model, '--prompt', 'ba'),
    ];
    expect(plain.tokens).toEqual([1, ...without.tokens]);
  });

  test('on either backend gives the same statistics to 1e-4 of the RMS', async (context) => {
    have(context, noAdapter ? undefined : true, `${noAdapter}`);
    const args = ['trace', model, '--prompt', 'ba be bi'];
    const [device, reference] = [
      await json(...args, '--backend', 'webgpu'),
      await json(...args, '--backend', 'reference'),
    ];
    expect([device.manifest.backend, reference.manifest.backend]).toEqual(['webgpu', 'reference']);
    for (const [i, { name, rms }] of device.tensors.entries()) {
      expect(Math.abs(rms / reference.tensors[i].rms - 1), name).toBeLessThan(1e-4);
    }
  });
});

describe('layerscope generate', () => {
  const options = ['--temperature', '1.5', '--top-k', '50', '--top-p', '0.95', '--min-p', '0.01'];
  const penalty = ['--repetition-penalty', '1.2', '--penalty-last-n', '8'];

  test('prints the text, the same for the same seed and another for another', async () => {
    const draw = (seed: string) => printed('generate', model, '--prompt', 'ba', '-n', '12', ...options, '--seed', seed);
    const [one, again, two] = await Promise.all(['1', '1', '2'].map(draw));
    expect(one!.length).toBeGreaterThan(5);
    expect(again).toBe(one);
    expect(two).not.toBe(one);
  });

  test('--stages shows rank, probability and how many are kept, for each token and stage', async () => {
    const args = ['generate', model, '--prompt', 'ba', '-n', '3', ...options, ...penalty];
    const { sampled, sampler, text, prompt } = await json(...args);
    expect(sampler).toEqual({
      ...{ temperature: 1.5, topK: 50, topP: 0.95, minP: 0.01, repetitionPenalty: 1.2, penaltyLastN: 8 },
    });
    expect(prompt.pieces.join('')).toBe('<s> ba');
    expect(text).not.toBe('');
    const [head, ...lines] = (await printed(...args, '--stages')).split('\n');
    expect(head).toMatch(/^token +model +penalty +temperature +top-k +top-p/);
    for (const [i, { stages }] of sampled.entries()) {
      expect(stages.slice(0, 4).map(({ name }: { name: string }) => name)).toEqual([
        'logits',
        'penalty',
        'temperature',
        'topK',
      ]);
      for (const { rank, kept } of stages) expect(lines[i]).toMatch(new RegExp(`#${rank} \\S+ of ${kept}\\b`));
    }
  });

  test('says that an option cannot show where nothing is drawn', async () => {
    const { code, stderr } = await layerscope(['generate', model, '--prompt', 'ba', '-n', '1', '--seed', '3'], { env });
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^The temperature is 0, .*--temperature 1\n$/)]);
  });
});

describe('layerscope tokenize', () => {
  test('shows pieces and ids, a byte as <0xE7>, and beside its last byte what bytes add up to', async () => {
    const page = await printed('tokenize', model, 'ba 猫\n🙂');
    expect(page.split('\n')[0]).toMatch(/^pos +id +piece +together$/);
    expect(page).toMatch(/│<0xAB>│ +猫\n/);
    expect(page).toMatch(/│<0x82>│ +🙂\n/);
    const { ids, pieces } = await json('tokenize', model, 'ba 猫\n🙂');
    expect(ids[0]).toBe(1);
    expect(pieces).toEqual(expect.arrayContaining(['<s>', '<0xE7>', '<0x8C>', '<0xAB>', '<0x0A>']));
    expect((await json('tokenize', model, 'ba 猫\n🙂', '--no-bos')).ids).toEqual(ids.slice(1));
  });

  test('of a chat shows the template as tokens', async () => {
    const { pieces } = await json('tokenize', model, 'ba', '--chat');
    expect(pieces.join('')).toContain('user: ba<0x0A>assistant:');
  });
});

describe('layerscope info', () => {
  test('shows what the file says of the model, and a command to look inside that works', async () => {
    const page = await printed('info', model);
    expect(page).toMatch(/^layers +2, which makes 39 steps a pass$/m);
    expect(page).toMatch(/^heads +4 for queries, 2 for keys and values, of 16$/m);
    expect(page).toMatch(/^chat +has a template/m);
    expect(copied(page, 'Look inside')).toMatch(/^tensor +shape/);
  });

  test('--tensors and --json list every tensor with type and shape', async () => {
    const { tensors, config, tokenizer } = await json('info', model);
    expect(tensors).toHaveLength(21);
    expect(config).toMatchObject({ nLayer: 2, nEmbd: 64, nVocab: 400 });
    expect(tokenizer).toMatchObject({ kind: 'spm', bos: 1, chatTemplate: true });
    const page = await printed('info', model, '--tensors');
    expect(page).toMatch(/^blk\.1\.ffn_down\.weight +F32 +\[64, 96\] +24.6 kB$/m);
  });
});

describe('layerscope models', () => {
  test('says where it looked when there is nothing, and lists what there is with a command to open it', async () => {
    const none = {
      ...env,
      HOME: place.path('nobody'),
      HF_HOME: '',
      OLLAMA_MODELS: '',
      XDG_CACHE_HOME: '',
      LLAMA_CACHE: '',
    };
    const empty = await layerscope(['models'], { env: none });
    expect([empty.code, empty.stdout]).toEqual([
      0,
      expect.stringMatching(/^The caches of Hugging Face, Ollama, LM Studio and/),
    ]);
    expect(JSON.parse((await layerscope(['models', '--json'], { env: none })).stdout)).toEqual([]);
    const listed = await layerscope(['models'], { env: { ...none, LLAMA_CACHE: place.folder } });
    expect(listed.stdout).toMatch(/^llama\.cpp:\S.* \d+ kB .*tiny model\.gguf$/m);
    expect(listed.stdout).toContain("One of them: npx layerscope info 'llama.cpp:");
  });
});

describe('layerscope doctor', () => {
  test('as JSON and as text says what was found', async () => {
    const report = await json('doctor');
    expect(report.versions.layerscope).toBe(version);
    expect(report.adapter === null).toBe(noAdapter !== null);
    expect(await printed('doctor')).toContain(`Layerscope ${version}, Node ${process.version}`);
  });
});

describe('at a terminal', () => {
  /** Runs the command in a pseudo-terminal of 80 columns (util-linux' script). */
  function atTerminal(command: string, more: Record<string, string> = {}): string {
    return execFileSync('script', ['-qec', `stty cols 80; "$NODE" "$CLI" ${command}`, '/dev/null'], {
      env: { ...process.env, ...env, TERM: 'xterm', NODE: process.execPath, CLI, MODEL: model, ...more },
      cwd: place.folder,
      encoding: 'utf8',
    });
  }
  const hasScript = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0;

  test('the drawn text is bold unless NO_COLOR is set, and the layers fit in 80 columns', (context) => {
    have(context, hasScript ? true : undefined, 'script(1) of util-linux makes no pseudo-terminal on this machine');
    const command = 'start "ba be" --model "$MODEL"';
    const page = atTerminal(command);
    expect(page).toContain('\u001b[1m');
    expect(atTerminal(command, { NO_COLOR: '1' })).not.toContain('\u001b[1m');
    const lines = page.split(/\r?\n/).filter((line) => /%.*%.*%/.test(line));
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  });
});

test('without a terminal nothing but text is on stdout, and a reader who has enough is no error', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is bash that reads it
  const command = '"$NODE" "$CLI" trace "$MODEL" --prompt ba | head -1; exit "${PIPESTATUS[0]}"';
  const options = {
    env: { ...process.env, ...env, NODE: process.execPath, CLI, MODEL: model },
    encoding: 'utf8',
  } as const;
  expect(execFileSync('bash', ['-c', command], options)).toMatch(/^tensor +shape +rms +mean +min +max +NaN +Inf\n$/);
  rmSync(place.path('out'), { recursive: true, force: true });
});
