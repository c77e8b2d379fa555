/**
 * The GGUF files already on this machine, where other programs keep them, and the path behind a name such as
 * `ollama:llama3.2:1b`. Folders and environment variables are those of huggingface_hub, Ollama, LM Studio and llama.cpp.
 * Files are looked at, never fetched.
 */

import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join, relative, sep } from 'node:path';
import { LayerscopeError } from '../errors.ts';

export type ModelOrigin = 'Hugging Face' | 'Ollama' | 'LM Studio' | 'llama.cpp';

export interface FoundModel {
  /** What `resolveModel` and `openModel` take: `ollama:llama3.2:1b`, `hf:org/repo:file.gguf`. */
  readonly id: string;
  readonly origin: ModelOrigin;
  /** Where the file is, links followed as far as they lead. */
  readonly path: string;
  /** 0 where it cannot be read. */
  readonly bytes: number;
  /** Why it cannot be opened, and the cure; null where nothing speaks against it. */
  readonly problem: string | null;
}

type Env = Readonly<Record<string, string | undefined>>;

/** A file that a cache names, before it was looked at. */
interface Entry {
  readonly id: string;
  readonly path: string;
  readonly problem?: string;
}

interface Origin {
  readonly name: ModelOrigin;
  readonly prefix: string;
  /** How a user gets a model into it. */
  readonly get: string;
  entries(env: Env, platform: NodeJS.Platform): Promise<Entry[]>;
}

const origins: readonly Origin[] = [
  { name: 'Hugging Face', prefix: 'hf:', get: 'hf download ORG/REPO FILE.gguf', entries: huggingFace },
  { name: 'Ollama', prefix: 'ollama:', get: 'ollama pull MODEL', entries: ollama },
  { name: 'LM Studio', prefix: 'lmstudio:', get: 'lms get MODEL', entries: lmStudio },
  { name: 'llama.cpp', prefix: 'llama.cpp:', get: 'llama-cli -hf ORG/REPO', entries: llamaCppCache },
];

/** Every GGUF file in the caches of this user, with what cannot be opened and why. */
export async function listModels(
  env: Env = process.env,
  platform: NodeJS.Platform = process.platform,
): Promise<FoundModel[]> {
  const lists = await Promise.all(origins.map((origin) => modelsOf(origin, env, platform)));
  return lists.flat();
}

/**
 * The path of a model: of `ollama:…`, `hf:org/repo[:file or quantisation]`, `lmstudio:…` or `llama.cpp:…` on this machine;
 * anything else is a path already. Throws LayerscopeError, with what is there and how to get more, where there is no such
 * model, more than one, or one that cannot be opened.
 */
export async function resolveModel(
  name: string,
  env: Env = process.env,
  platform: NodeJS.Platform = process.platform,
): Promise<string> {
  const origin = origins.find(({ prefix }) => name.startsWith(prefix));
  if (!origin) {
    const problem = splitProblem(name);
    if (problem) throw cannotOpen(name, problem);
    return name;
  }
  const models = await modelsOf(origin, env, platform);
  const matches = matching(models, name);
  const [model] = matches;
  if (!model) {
    const known = models.length === 0 ? 'none' : models.map(({ id }) => id).join(', ');
    throw cannotOpen(name, `${origin.name} has no such model here. It has: ${known}. Get one: ${origin.get}`);
  }
  if (matches.length > 1) {
    throw cannotOpen(name, `it fits several files; give one of ${matches.map(({ id }) => id).join(', ')}`);
  }
  if (model.problem) throw cannotOpen(name, model.problem);
  return model.path;
}

/** The model of exactly this id, else those of this repository, else those of it with this word, as in `hf:org/repo:Q4_K_M`. */
function matching(models: readonly FoundModel[], name: string): readonly FoundModel[] {
  const exact = models.filter(({ id }) => id === name || id === `${name}:latest`);
  if (exact.length > 0 || !name.startsWith('hf:')) return exact;
  const [, repository = '', word = ''] = /^(hf:[^:]+):?(.*)$/.exec(name) ?? [];
  return models.filter(
    ({ id }) =>
      id.startsWith(`${repository}:`) && id.slice(repository.length).toLowerCase().includes(word.toLowerCase()),
  );
}

function cannotOpen(name: string, why: string): LayerscopeError {
  return new LayerscopeError(`Cannot open ${name}: ${why}`, { file: name });
}

async function modelsOf(origin: Origin, env: Env, platform: NodeJS.Platform): Promise<FoundModel[]> {
  const entries = await origin.entries(env, platform);
  return Promise.all(entries.map((entry) => lookAt(entry, origin.name)));
}

async function lookAt({ id, path, problem }: Entry, origin: ModelOrigin): Promise<FoundModel> {
  if (problem) return { id, origin, path, bytes: 0, problem };
  try {
    const real = await realpath(path);
    const { size } = await stat(real);
    return {
      id,
      origin,
      path: real,
      bytes: size,
      problem: size === 0 ? 'it is empty; get it again' : splitProblem(path),
    };
  } catch (error) {
    const isGone = codeOf(error) === 'ENOENT';
    const why = isGone ? `${path} leads to a file that is gone` : `${path} cannot be read (${codeOf(error)})`;
    return { id, origin, path, bytes: 0, problem: `${why}; get it again` };
  }
}

const splitName = /-(\d{5})-of-(\d{5})\.gguf$/;

function splitProblem(path: string): string | null {
  const parts = Number(splitName.exec(path)?.[2] ?? 1);
  if (parts === 1) return null;
  return (
    `it is split into ${parts} files, which is not supported. Join them: ` +
    `llama-gguf-split --merge ${basename(path)} OUT.gguf, in its folder, from the first part`
  );
}

/** Of a split model only the first part is listed; vision adapters (mmproj) are no language models. */
function isModelFile(name: string): boolean {
  const part = Number(splitName.exec(name)?.[1] ?? 1);
  return name.endsWith('.gguf') && part === 1 && !name.startsWith('mmproj');
}

function homeOf(env: Env): string {
  return env.HOME || env.USERPROFILE || homedir();
}

function cacheOf(env: Env): string {
  return env.XDG_CACHE_HOME || join(homeOf(env), '.cache');
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}

interface Listing {
  readonly files: readonly string[];
  readonly folders: readonly string[];
  /** Its code where the folder is there and cannot be read. */
  readonly failure?: string;
}

/** A folder's names, sorted, links counting as what they lead to; empty where there is no such folder. */
async function listing(folder: string): Promise<Listing> {
  try {
    const items = await readdir(folder, { withFileTypes: true });
    const files: string[] = [];
    const folders: string[] = [];
    for (const item of items.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const isFolder = item.isSymbolicLink() ? await leadsToFolder(join(folder, item.name)) : item.isDirectory();
      (isFolder ? folders : files).push(item.name);
    }
    return { files, folders };
  } catch (error) {
    const code = codeOf(error);
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? { files: [], folders: [] }
      : { files: [], folders: [], failure: code };
  }
}

async function leadsToFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** Deep enough for every cache here, and an end to links that lead in circles. */
const MAX_DEPTH = 5;

/** Files below `folder` that `accepts` takes; `id` makes the id from the path below it, with slashes. */
async function filesBelow(
  folder: string,
  id: (path: string) => string,
  accepts: (name: string) => boolean = isModelFile,
  depth = 0,
  root = folder,
): Promise<Entry[]> {
  const { files, folders, failure } = await listing(folder);
  const below = (name: string) => id(relative(root, join(folder, name)).split(sep).join('/'));
  if (failure) {
    return [{ id: below('*'), path: folder, problem: `${folder} cannot be read (${failure}); check its permissions` }];
  }
  const entries = files.filter(accepts).map((name) => ({ id: below(name), path: join(folder, name) }));
  if (depth === MAX_DEPTH) return entries;
  const deeper = await Promise.all(folders.map((name) => filesBelow(join(folder, name), id, accepts, depth + 1, root)));
  return [...entries, ...deeper.flat()];
}

/** The first entry of each id. */
function unique(entries: readonly Entry[]): Entry[] {
  const seen = new Set<string>();
  return entries.filter(({ id }) => !seen.has(id) && seen.add(id));
}

/** hub/models--ORG--REPO/snapshots/REVISION/…: links into blobs/. The revision that refs/main names goes first. */
async function huggingFace(env: Env): Promise<Entry[]> {
  const home = env.HF_HOME || join(cacheOf(env), 'huggingface');
  const hub = env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, 'hub');
  const { folders, failure } = await listing(hub);
  if (failure) return [{ id: 'hf:*', path: hub, problem: `${hub} cannot be read (${failure}); check its permissions` }];
  const entries: Entry[] = [];
  for (const folder of folders.filter((name) => name.startsWith('models--'))) {
    const repository = folder.slice('models--'.length).replace('--', '/');
    const snapshots = join(hub, folder, 'snapshots');
    const main = (await readFile(join(hub, folder, 'refs', 'main'), 'utf8').catch(() => '')).trim();
    const revisions = (await listing(snapshots)).folders.toSorted((a, b) => Number(b === main) - Number(a === main));
    for (const revision of revisions) {
      entries.push(...(await filesBelow(join(snapshots, revision), (path) => `hf:${repository}:${path}`)));
    }
  }
  return unique(entries);
}

/** Where the Linux service of Ollama keeps models, as its installer sets it up. */
const OLLAMA_SERVICE = '/usr/share/ollama/.ollama/models';

/** manifests/HOST/NAMESPACE/MODEL/TAG names a layer by its digest, which is the name of a file in blobs/. */
async function ollama(env: Env, platform: NodeJS.Platform): Promise<Entry[]> {
  const own = join(homeOf(env), '.ollama', 'models');
  const folders = env.OLLAMA_MODELS ? [env.OLLAMA_MODELS] : platform === 'linux' ? [own, OLLAMA_SERVICE] : [own];
  const lists = await Promise.all(
    folders.map(async (folder) => {
      const manifests = await filesBelow(join(folder, 'manifests'), ollamaId, (name) => !name.startsWith('.'));
      return Promise.all(manifests.map((manifest) => ollamaModel(folder, manifest)));
    }),
  );
  return unique(lists.flat());
}

/** The short name that `ollama list` shows: host and namespace only where they are not Ollama's own. */
function ollamaId(path: string): string {
  const [host, ...rest] = path.split('/');
  const tag = rest.pop();
  if (rest.length === 0) return `ollama:${path}`;
  const name = host === 'registry.ollama.ai' ? rest.join('/').replace(/^library\//, '') : [host, ...rest].join('/');
  return `ollama:${name}:${tag}`;
}

interface OllamaManifest {
  readonly layers?: readonly { readonly mediaType?: string; readonly digest?: string }[];
}

async function ollamaModel(folder: string, manifest: Entry): Promise<Entry> {
  if (manifest.problem) return manifest;
  const problem = (what: string) => ({ ...manifest, problem: `its manifest ${manifest.path} ${what}` });
  let digests: string[];
  try {
    const { layers = [] } = JSON.parse(await readFile(manifest.path, 'utf8')) as OllamaManifest;
    digests = layers.flatMap(({ mediaType, digest }) =>
      mediaType === 'application/vnd.ollama.image.model' && digest ? [digest] : [],
    );
  } catch {
    return problem('cannot be read as JSON; pull the model again');
  }
  const [digest, ...more] = digests;
  if (digest === undefined) return problem('names no model file: it runs elsewhere, not on this machine');
  if (more.length > 0) return problem(`names ${digests.length} model files; only one is supported`);
  if (!/^sha256[:-][0-9a-f]{64}$/.test(digest)) return problem('names no sha256 digest; pull the model again');
  return { id: manifest.id, path: join(folder, 'blobs', digest.replace(':', '-')) };
}

/** models/PUBLISHER/REPO/FILE below LM Studio's home, which moved from ~/.cache/lm-studio to ~/.lmstudio. */
async function lmStudio(env: Env): Promise<Entry[]> {
  const home = homeOf(env);
  const pointer = (await readFile(join(home, '.lmstudio-home-pointer'), 'utf8').catch(() => '')).trim();
  const homes = [pointer, join(home, '.lmstudio'), join(home, '.cache', 'lm-studio')].filter((path) => path !== '');
  const chosen = await Promise.all(homes.map(lmStudioDownloads));
  const folders = new Set([...chosen.flat(), ...homes.map((path) => join(path, 'models'))]);
  const lists = await Promise.all([...folders].map((folder) => filesBelow(folder, (path) => `lmstudio:${path}`)));
  return unique(lists.flat());
}

/** The models folder that was chosen in LM Studio's settings, if any. */
async function lmStudioDownloads(home: string): Promise<string[]> {
  try {
    const { downloadsFolder } = JSON.parse(await readFile(join(home, 'settings.json'), 'utf8'));
    return typeof downloadsFolder === 'string' ? [downloadsFolder] : [];
  } catch {
    return []; // no settings, or none that can be read: the folder below its home is looked into anyway
  }
}

async function llamaCppCache(env: Env, platform: NodeJS.Platform): Promise<Entry[]> {
  const parents: Partial<Record<NodeJS.Platform, string>> = {
    darwin: join(homeOf(env), 'Library', 'Caches'),
    win32: env.LOCALAPPDATA || join(homeOf(env), 'AppData', 'Local'),
  };
  const folder = env.LLAMA_CACHE || join(parents[platform] ?? cacheOf(env), 'llama.cpp');
  return filesBelow(folder, (path) => `llama.cpp:${path}`);
}
