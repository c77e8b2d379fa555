/**
 * Where llama.cpp's shared libraries lie: the optional package `@node-llama-cpp/<platform>`, which carries upstream
 * llama.cpp as plain libraries with every symbol exported, or a folder that the caller names.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { LayerscopeError } from '../errors.ts';

/** node-llama-cpp's name for each `<process.platform>-<process.arch>`; the mac one also holds Metal, which is not loaded. */
const PLATFORMS: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-arm64': 'mac-arm64-metal',
  'darwin-x64': 'mac-x64',
  'win32-x64': 'win-x64',
  'win32-arm64': 'win-arm64',
};

/** Releases on which this was run; another is accepted where its layouts match, see `layout.ts`. */
export const KNOWN_RELEASES: readonly string[] = [
  'b7347 (@node-llama-cpp/* 3.14.5)',
  'b8121 (3.16.2)',
  'b10068 (3.19.1)',
  'v0.4.0 (3.21.1)',
  'v0.5.0 (3.22.1)',
];

/** The libraries' file names vary by platform, and `libllama` and `libggml` carry the release: `libllama.v0.5.0.so`. */
export interface Libraries {
  readonly base: string;
  readonly ggml: string;
  readonly llama: string;
  /** What the library's name says: `v0.5.0`, `b10068`. */
  readonly release: string | null;
  /** The CPU backend, built once per generation of instructions; the best for this machine is chosen by its own score. */
  readonly cpu: readonly string[];
}

/** What a capture was made with. */
export interface OracleVersions {
  readonly llama: string;
  readonly ggml: string;
  readonly commit: string;
  /** File name of the CPU backend's library, for instance `libggml-cpu-zen4.so`. */
  readonly backend: string;
  /** The version of `@node-llama-cpp/<platform>`; null for a folder named by the caller. */
  readonly package: string | null;
}

/** The folder that the user names: `bins`, else LAYERSCOPE_LLAMA_CPP; null for the package's. */
export function namedFolder(bins?: string | null, env: NodeJS.ProcessEnv = process.env): string | null {
  return bins || env.LAYERSCOPE_LLAMA_CPP || null;
}

/** The folder with the libraries. Throws, naming the package to install, where it is missing. */
export function librariesFolder(bins?: string | null): string {
  const named = namedFolder(bins);
  if (named !== null) return named;
  const host = `${process.platform}-${process.arch}`;
  const name = PLATFORMS[host];
  if (!name) {
    throw new LayerscopeError(
      `Cannot load llama.cpp: there is no @node-llama-cpp package for ${host}; wanted one of ${Object.keys(PLATFORMS).join(', ')}; ` +
        'build llama.cpp and name the folder of its libraries: llamaCpp(model, { bins }) or LAYERSCOPE_LLAMA_CPP',
    );
  }
  try {
    const main = createRequire(import.meta.url).resolve(`@node-llama-cpp/${name}`);
    return join(dirname(dirname(main)), 'bins', name);
  } catch (cause) {
    throw new LayerscopeError(
      `Cannot load llama.cpp: the optional package @node-llama-cpp/${name} is not installed; ` +
        `run "npm install --no-save @node-llama-cpp/${name}@3.22.1", or name the folder of a build of your own: ` +
        'llamaCpp(model, { bins }) or LAYERSCOPE_LLAMA_CPP',
      { cause },
    );
  }
}

/** The libraries in `folder`. Throws where one is missing. */
export function findLibraries(folder: string): Libraries {
  const files = existsSync(folder) ? readdirSync(folder) : [];
  const named = (stem: string) => new RegExp(`^(lib)?${stem}(\\.[a-z]*\\.?[vb]\\d[\\d.]*)?\\.(so|dylib|dll)$`);
  const one = (stem: string): string => {
    const file = files.find((name) => named(stem).test(name));
    if (file) return join(folder, file);
    throw new LayerscopeError(
      `Cannot load llama.cpp: ${folder} holds no ${stem} library; wanted a folder with libllama, libggml, libggml-base ` +
        'and libggml-cpu, as in @node-llama-cpp/<platform>/bins/<platform>; releases that were tried: ' +
        KNOWN_RELEASES.join(', '),
      { file: folder },
    );
  };
  const cpu = files.filter((name) => named('ggml-cpu(-\\w+)?').test(name)).map((name) => join(folder, name));
  if (cpu.length === 0) one('ggml-cpu');
  const llama = one('llama');
  const release = /\.([vb]\d[\d.]*)\.\w+$/.exec(llama)?.[1] ?? null;
  return { base: one('ggml-base'), ggml: one('ggml'), llama, release, cpu };
}

/** The version of the installed package; null where the user named a folder. */
export function packageVersion(bins?: string | null): string | null {
  if (namedFolder(bins) !== null) return null;
  const file = join(librariesFolder(), '..', '..', 'package.json');
  const { version }: { version?: string } = JSON.parse(readFileSync(file, 'utf8'));
  return version ?? null;
}
