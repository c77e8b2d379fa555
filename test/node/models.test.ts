/** Models on this machine: caches laid out as each program lays them out, in a temporary home. */
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LayerscopeError } from '../../src/errors.ts';
import { listModels, resolveModel } from '../../src/node/models.ts';
import { asOther } from '../file_modes.ts';

let home: string;
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'layerscope-models-')));
});
afterEach(() => rmSync(home, { recursive: true }));

function put(path: string, content = 'GGUF'): string {
  const whole = join(home, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, content);
  return whole;
}

function link(path: string, target: string): string {
  const whole = join(home, path);
  mkdirSync(dirname(whole), { recursive: true });
  symlinkSync(target, whole);
  return whole;
}

/** What the caches of this home hold; a model service of the machine itself is left out. */
async function list(env: Record<string, string> = {}, platform: NodeJS.Platform = 'linux') {
  const models = await listModels({ HOME: home, ...env }, platform);
  return models.filter(({ path }) => path.startsWith(home));
}

async function ids(env: Record<string, string> = {}, platform: NodeJS.Platform = 'linux'): Promise<string[]> {
  return (await list(env, platform)).map(({ id }) => id);
}

function resolve(name: string, env: Record<string, string> = {}): Promise<string> {
  return resolveModel(name, { HOME: home, ...env }, 'linux');
}

test('a home without caches has no models', async () => {
  expect(await list()).toEqual([]);
});

describe('Hugging Face', () => {
  const repository = '.cache/huggingface/hub/models--org--tiny-llama-GGUF';
  const layOut = (root = repository) => {
    const blob = put(`${root}/blobs/aaa`, 'GGUF, four bits');
    put(`${root}/refs/main`, 'rev2\n');
    link(`${root}/snapshots/rev2/tiny.Q4_K_M.gguf`, '../../blobs/aaa');
    link(`${root}/snapshots/rev1/tiny.Q4_K_M.gguf`, '../../blobs/old');
    link(`${root}/snapshots/rev2/tiny.Q8_0.gguf`, '../../blobs/bbb');
    put(`${root}/blobs/bbb`, 'GGUF, eight bits');
    put(`${root}/snapshots/rev2/README.md`);
    return blob;
  };

  test('files are found through their links, once each, in the revision of main', async () => {
    const blob = layOut();
    const models = await list();
    expect(models.map(({ id }) => id)).toEqual([
      'hf:org/tiny-llama-GGUF:tiny.Q4_K_M.gguf',
      'hf:org/tiny-llama-GGUF:tiny.Q8_0.gguf',
    ]);
    expect(models[0]).toEqual({
      id: 'hf:org/tiny-llama-GGUF:tiny.Q4_K_M.gguf',
      origin: 'Hugging Face',
      path: blob,
      bytes: 15,
      problem: null,
    });
  });

  test.each([
    [{ HF_HOME: 'elsewhere' }, 'elsewhere/hub'],
    [{ HF_HUB_CACHE: 'hub-alone' }, 'hub-alone'],
    [{ XDG_CACHE_HOME: 'xdg' }, 'xdg/huggingface/hub'],
  ])('%o moves the cache', async (variables, folder) => {
    layOut(`${folder}/models--org--tiny-llama-GGUF`);
    const env = Object.fromEntries(Object.entries(variables).map(([name, path]) => [name, join(home, path)]));
    expect(await ids(env)).toHaveLength(2);
    expect(await ids()).toEqual([]);
  });

  test('a file is named whole, by a word of it, or not at all where the repository has one', async () => {
    const blob = layOut();
    expect(await resolve('hf:org/tiny-llama-GGUF:tiny.Q4_K_M.gguf')).toBe(blob);
    expect(await resolve('hf:org/tiny-llama-GGUF:q4_k_m')).toBe(blob);
    await expect(resolve('hf:org/tiny-llama-GGUF')).rejects.toThrow(
      /it fits several files; give one of .*Q4_K_M.*Q8_0/,
    );
    rmSync(join(home, repository, 'snapshots/rev2/tiny.Q8_0.gguf'));
    expect(await resolve('hf:org/tiny-llama-GGUF')).toBe(blob);
  });

  test('a link to a blob that is gone is listed with what is wrong, and does not open', async () => {
    link(`${repository}/snapshots/rev/gone.gguf`, '../../blobs/ccc');
    expect(await list()).toMatchObject([
      { bytes: 0, problem: expect.stringContaining('leads to a file that is gone') },
    ]);
    await expect(resolve('hf:org/tiny-llama-GGUF:gone.gguf')).rejects.toThrow(
      /leads to a file that is gone; get it again/,
    );
  });

  test('of a split model the first part is listed, and opening it says how to join the parts', async () => {
    for (const part of [1, 2, 3]) put(`${repository}/snapshots/rev/Q8_0/big-0000${part}-of-00003.gguf`);
    expect(await ids()).toEqual(['hf:org/tiny-llama-GGUF:Q8_0/big-00001-of-00003.gguf']);
    await expect(resolve('hf:org/tiny-llama-GGUF')).rejects.toThrow(/split into 3 files.*llama-gguf-split --merge/);
  });
});

describe('Ollama', () => {
  const digest = 'a'.repeat(64);
  const manifest = (...layers: object[]) => JSON.stringify({ schemaVersion: 2, layers });
  const modelLayer = { mediaType: 'application/vnd.ollama.image.model', digest: `sha256:${digest}` };
  const template = { mediaType: 'application/vnd.ollama.image.template', digest: `sha256:${'b'.repeat(64)}` };
  const layOut = (root = '.ollama/models') => {
    put(`${root}/manifests/registry.ollama.ai/library/llama3.2/1b`, manifest(template, modelLayer));
    put(`${root}/manifests/registry.ollama.ai/library/llama3.2/latest`, manifest(modelLayer));
    put(`${root}/manifests/registry.ollama.ai/someone/own/v1`, manifest(modelLayer));
    put(`${root}/manifests/hf.co/org/repo/Q4_0`, manifest(modelLayer));
    return put(`${root}/blobs/sha256-${digest}`, 'GGUF of Ollama');
  };

  test('manifests name models and blobs hold them', async () => {
    const blob = layOut();
    const models = await list();
    expect(models.map(({ id }) => id).sort()).toEqual([
      'ollama:hf.co/org/repo:Q4_0',
      'ollama:llama3.2:1b',
      'ollama:llama3.2:latest',
      'ollama:someone/own:v1',
    ]);
    for (const model of models) expect(model).toMatchObject({ path: blob, bytes: 14, problem: null });
    expect(await resolve('ollama:llama3.2:1b')).toBe(blob);
    expect(await resolve('ollama:llama3.2')).toBe(blob); // :latest
  });

  test('OLLAMA_MODELS moves the folder', async () => {
    const blob = layOut('disk/ollama');
    expect(await resolve('ollama:llama3.2:1b', { OLLAMA_MODELS: join(home, 'disk/ollama') })).toBe(blob);
  });

  test('a model that is not there is refused with those that are, and how to get it', async () => {
    layOut();
    const error = await resolve('ollama:mistral').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LayerscopeError);
    expect((error as Error).message).toMatch(
      /^Cannot open ollama:mistral: Ollama has no such model here\. It has: .*ollama:llama3\.2:1b.* Get one: ollama pull/,
    );
  });

  test.each([
    ['no JSON', '{', /cannot be read as JSON/],
    ['no model layer', manifest(template), /names no model file/],
    ['two model layers', manifest(modelLayer, modelLayer), /names 2 model files/],
    ['a path for a digest', manifest({ ...modelLayer, digest: '../../secret' }), /names no sha256 digest/],
    [
      'a blob that is gone',
      manifest({ ...modelLayer, digest: `sha256:${'c'.repeat(64)}` }),
      /leads to a file that is gone/,
    ],
  ])('a manifest with %s is listed with what is wrong', async (_, content, problem) => {
    put('.ollama/models/manifests/registry.ollama.ai/library/broken/1b', content);
    expect(await list()).toMatchObject([{ id: 'ollama:broken:1b', problem: expect.stringMatching(problem) }]);
    await expect(resolve('ollama:broken:1b')).rejects.toThrow(problem);
  });
});

describe('LM Studio', () => {
  const file = 'org/repo/model.gguf';

  test.each(['.lmstudio/models', '.cache/lm-studio/models'])('%s is looked into', async (folder) => {
    const path = put(`${folder}/${file}`);
    put(`${folder}/org/repo/mmproj-model.gguf`);
    expect(await list()).toEqual([{ id: `lmstudio:${file}`, origin: 'LM Studio', path, bytes: 4, problem: null }]);
    expect(await resolve(`lmstudio:${file}`)).toBe(path);
  });

  test('its home pointer is followed', async () => {
    put(`disk/studio/models/${file}`);
    put('.lmstudio-home-pointer', `${join(home, 'disk/studio')}\n`);
    expect(await ids()).toEqual([`lmstudio:${file}`]);
  });

  test('the folder chosen in its settings is looked into', async () => {
    put(`disk/models/${file}`);
    put('.lmstudio/settings.json', JSON.stringify({ downloadsFolder: join(home, 'disk/models') }));
    expect(await ids()).toEqual([`lmstudio:${file}`]);
  });

  test('links that lead in circles end', async () => {
    put(`.lmstudio/models/${file}`);
    link('.lmstudio/models/org/again', '..');
    expect(await ids()).toContain(`lmstudio:${file}`);
  });
});

describe('llama.cpp', () => {
  test.each([
    ['linux', '.cache/llama.cpp', {}],
    ['darwin', 'Library/Caches/llama.cpp', {}],
    ['win32', 'AppData/Local/llama.cpp', {}],
    ['linux', 'xdg/llama.cpp', { XDG_CACHE_HOME: 'xdg' }],
    ['win32', 'local/llama.cpp', { LOCALAPPDATA: 'local' }],
    ['linux', 'own', { LLAMA_CACHE: 'own' }],
  ] as const)('%s: %s is looked into with %o', async (platform, folder, variables) => {
    put(`${folder}/org_repo_model.gguf`);
    put(`${folder}/manifest=org=repo.json`);
    const env = Object.fromEntries(Object.entries(variables).map(([name, path]) => [name, join(home, path)]));
    expect(await ids(env, platform)).toEqual(['llama.cpp:org_repo_model.gguf']);
  });

  test('an empty file is listed with what is wrong', async () => {
    put('.cache/llama.cpp/empty.gguf', '');
    expect(await list()).toMatchObject([{ bytes: 0, problem: 'it is empty; get it again' }]);
  });

  test('a folder that may not be read is said', async () => {
    put('.cache/llama.cpp/model.gguf');
    chmodSync(home, 0o755);
    chmodSync(join(home, '.cache/llama.cpp'), 0);
    try {
      expect(await asOther(list)).toMatchObject([{ id: 'llama.cpp:*', problem: expect.stringContaining('EACCES') }]);
    } finally {
      chmodSync(join(home, '.cache/llama.cpp'), 0o700);
    }
  });
});

test('a path is taken as it is, unless it names a part of a split model', async () => {
  expect(await resolve('models/my model.gguf')).toBe('models/my model.gguf');
  expect(await resolve('C:\\models\\my.gguf')).toBe('C:\\models\\my.gguf');
  await expect(resolve('big-00002-of-00003.gguf')).rejects.toThrow(/split into 3 files/);
});
