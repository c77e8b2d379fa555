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
export const KNOWN_RELEASES: readonly string[] = ['v0.5.0 (@node-llama-cpp/* 3.22.1)'];

/** The libraries' file names vary by platform, and `libllama` and `libggml` carry the release: `libllama.v0.5.0.so`. */
export interface Libraries {
  readonly base: string;
  readonly ggml: string;
  readonly llama: string;
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

/** The folder with the libraries. Throws, naming the package to install, where it is missing. */
export function librariesFolder(bins?: string): string {
  if (bins !== undefined) return bins;
  const host = `${process.platform}-${process.arch}`;
  const name = PLATFORMS[host];
  if (!name) {
    throw new LayerscopeError(
      `Cannot load llama.cpp: there is no @node-llama-cpp package for ${host}; wanted one of ${Object.keys(PLATFORMS).join(', ')}; ` +
        'build llama.cpp and name the folder of its libraries: llamaCpp(model, { bins })',
    );
  }
  try {
    const main = createRequire(import.meta.url).resolve(`@node-llama-cpp/${name}`);
    return join(dirname(dirname(main)), 'bins', name);
  } catch (cause) {
    throw new LayerscopeError(
      `Cannot load llama.cpp: the optional package @node-llama-cpp/${name} is not installed; ` +
        `run "npm install --no-save @node-llama-cpp/${name}@3.22.1"`,
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
        'and libggml-cpu, as in @node-llama-cpp/<platform>/bins/<platform>',
      { file: folder },
    );
  };
  const cpu = files.filter((name) => named('ggml-cpu(-\\w+)?').test(name)).map((name) => join(folder, name));
  if (cpu.length === 0) one('ggml-cpu');
  return { base: one('ggml-base'), ggml: one('ggml'), llama: one('llama'), cpu };
}

/** The version of the installed package, or null. */
export function packageVersion(): string | null {
  const file = join(librariesFolder(), '..', '..', 'package.json');
  const { version }: { version?: string } = JSON.parse(readFileSync(file, 'utf8'));
  return version ?? null;
}
