/**
 * What makes a capture this experiment and no other, under the keys that our own runs use, so that two of one model and the
 * same tokens differ in nothing that forbids to compare them.
 */
import type { Watch } from '../platform.ts';
import type { Manifest } from '../trace/trace.ts';
import type { OracleVersions } from './package.ts';
import { type Subject, weightTypes } from './subject.ts';
import { twinOrigin } from './twin.ts';

export interface Captured extends Pick<Manifest, 'prompt' | 'template'> {
  readonly ids: readonly number[];
  readonly pieces: readonly string[];
  readonly passes: readonly number[];
  readonly bos: boolean;
  readonly threads: number;
  readonly versions: OracleVersions;
}

/**
 * Of an F32 twin `quantisation` is that of the model it was made of, and `twinOf` that model's sha256: its weights are the
 * same. `precision` is `f32` where every weight is, else `ggml`: it rounds activations to the type that fits the weights'.
 */
export async function captureManifest(subject: Subject, captured: Captured, watch: Watch): Promise<Manifest> {
  const gguf = await subject.header();
  const twin = await twinOrigin(subject.file);
  const types = weightTypes(gguf);
  const { ids, pieces, passes, bos, threads, versions, prompt, template } = captured;
  return {
    producer: 'llama.cpp',
    version: versions.llama,
    commit: versions.commit,
    package: versions.package,
    file: subject.file,
    architecture: String(gguf.metadata.get('general.architecture')),
    quantisation: twin?.quantisation ?? types,
    model: await subject.sha256(watch),
    ...(twin ? { twinOf: twin.twinOf } : {}),
    ...(twin?.layers === undefined ? {} : { layers: twin.layers }),
    ...(prompt === undefined ? {} : { prompt }),
    ...(template === undefined ? {} : { template }),
    tokens: [...ids],
    pieces,
    bos,
    passes: [...passes],
    backend: versions.backend,
    precision: types === 'F32' ? 'f32' : 'ggml',
    cache: 'f32',
    threads,
    transforms: [],
    date: new Date().toISOString(),
  };
}
