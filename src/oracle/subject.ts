/** The model that llama.cpp is asked to run, as our own code knows it: by path, or opened by `openModel`. */
import type { Model } from '../engine/model.ts';
import { watchedBy } from '../engine/watched.ts';
import { type GgufFile, readGguf } from '../gguf/reader.ts';
import { openFile } from '../node/files.ts';
import { nodePlatform } from '../node/index.ts';
import type { Watch } from '../platform.ts';
import { sha256 } from './digest.ts';

export class Subject {
  readonly file: string;
  readonly #model: Model | null;

  constructor(model: string | Model) {
    this.file = typeof model === 'string' ? model : model.name;
    this.#model = typeof model === 'string' ? null : model;
  }

  /** Calls `use` with the open file. Throws GgufError where it cannot be read. */
  async withGguf<T>(use: (gguf: GgufFile) => Promise<T>): Promise<T> {
    if (this.#model) return use(this.#model.gguf);
    const source = await openFile(this.file);
    try {
      return await use(await readGguf(source));
    } finally {
      await source.close();
    }
  }

  /** The file's metadata and tensor table; its data are out of reach. */
  header(): Promise<GgufFile> {
    return this.withGguf(async (gguf) => gguf);
  }

  /** Of the whole file; a Model's is that of its runs' manifests. */
  sha256(watch: Watch): Promise<string> {
    return this.#model ? this.#model.sha256(watch) : sha256(this.file, watchedBy(nodePlatform, watch));
  }

  /** Our own pieces of the ids, as a run's manifest has them; null where only llama.cpp can tell. */
  pieces(ids: readonly number[]): string[] | null {
    const { tokenizer } = this.#model ?? {};
    return tokenizer ? ids.map((id) => tokenizer.piece(id)) : null;
  }
}

/** The types of the weights, each once, as a run's manifest has them. */
export function weightTypes({ tensors }: Pick<GgufFile, 'tensors'>): string {
  return [...new Set([...tensors.values()].map(({ type }) => type))].join(' ');
}
