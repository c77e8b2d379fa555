/**
 * The sizes and constants of a Llama, read from a GGUF file's metadata and tensor table. Keys and defaults are those of
 * GGUF's specification (ggml/docs/gguf.md) and of llama.cpp's architecture `llama`, which Mistral and SmolLM2 files use too.
 */
import { ModelError } from '../errors.ts';
import type { GgufFile } from '../gguf/reader.ts';

export interface LlamaConfig {
  readonly nLayer: number;
  readonly nEmbd: number;
  readonly nHead: number;
  readonly nHeadKv: number;
  /** Length of a query and a key: `attention.key_length`, by default nEmbd / nHead. */
  readonly headDim: number;
  readonly nFf: number;
  readonly nVocab: number;
  /** Positions the model was trained for. */
  readonly nCtx: number;
  /** Added to the mean square in rms_norm. */
  readonly eps: number;
  readonly ropeBase: number;
  /** Multiplies the position: 1 / factor under linear scaling. */
  readonly ropeScale: number;
  /** Dimensions of a head that RoPE turns; the rest stay as they are. */
  readonly ropeDim: number;
  /** rope_freqs.weight divides each frequency (Llama 3.1 and later). */
  readonly hasRopeFreqs: boolean;
  /** No output.weight: the logits use token_embd.weight. */
  readonly tiedEmbeddings: boolean;
  /** blk.*.attn_{q,k,v,output}.bias exist. */
  readonly hasAttentionBias: boolean;
}

/** Reads the configuration, or throws ModelError naming the key or tensor that stands in the way and the cure. */
export function llamaConfig(gguf: GgufFile): LlamaConfig {
  const file = gguf.source.name;
  const architecture = gguf.metadata.get('general.architecture');
  if (architecture !== 'llama') {
    throw new ModelError(
      `Cannot run ${file}: its architecture is ${architecture === undefined ? 'not given' : JSON.stringify(architecture)}; ` +
        'supported is "llama" (Llama 1–3.3, Mistral, SmolLM2, TinyLlama)',
      { file },
    );
  }
  const read = metadataReader(gguf, file);
  refuseVariants(gguf, file);

  const nLayer = read.count('llama.block_count');
  const nEmbd = read.count('llama.embedding_length');
  const nHead = read.count('llama.attention.head_count');
  const nHeadKv = read.count('llama.attention.head_count_kv', nHead);
  if (nHead % nHeadKv !== 0) {
    throw new ModelError(
      `Cannot run ${file}: llama.attention.head_count is ${nHead} and head_count_kv is ${nHeadKv}; ` +
        'the first must be a multiple of the second. The file is broken: convert it again',
      { file },
    );
  }
  const defaultDim = nEmbd % nHead === 0 ? nEmbd / nHead : undefined;
  const headDim = read.count('llama.attention.key_length', defaultDim);
  const valueDim = read.count('llama.attention.value_length', headDim);
  if (valueDim !== headDim) {
    throw new ModelError(
      `Cannot run ${file}: llama.attention.value_length is ${valueDim} and key_length ${headDim}; only equal lengths are supported`,
      { file },
    );
  }
  const ropeDim = read.count('llama.rope.dimension_count', headDim);
  if (ropeDim > headDim || ropeDim % 2 !== 0) {
    throw new ModelError(
      `Cannot run ${file}: llama.rope.dimension_count is ${ropeDim}; it must be even and at most the head's ${headDim}`,
      { file },
    );
  }
  const embedding = gguf.tensors.get('token_embd.weight');
  if (!embedding) {
    throw new ModelError(`Cannot run ${file}: it has no token_embd.weight; the file is not a whole model`, { file });
  }
  return {
    nLayer,
    nEmbd,
    nHead,
    nHeadKv,
    headDim,
    nFf: read.count('llama.feed_forward_length'),
    nVocab: embedding.shape[0] ?? 0,
    nCtx: read.count('llama.context_length'),
    eps: read.positive('llama.attention.layer_norm_rms_epsilon'),
    ropeBase: read.positive('llama.rope.freq_base', 10_000),
    ropeScale: 1 / read.positive('llama.rope.scaling.factor', read.positive('llama.rope.scale_linear', 1)),
    ropeDim,
    hasRopeFreqs: gguf.tensors.has('rope_freqs.weight'),
    tiedEmbeddings: !gguf.tensors.has('output.weight'),
    hasAttentionBias: gguf.tensors.has('blk.0.attn_q.bias'),
  };
}

/** What says `llama` but computes something else is refused by name rather than run wrongly. */
function refuseVariants(gguf: GgufFile, file: string): void {
  const experts = gguf.metadata.get('llama.expert_count');
  if (typeof experts === 'number' && experts > 0) {
    throw new ModelError(
      `Cannot run ${file}: it is a mixture of ${experts} experts (Mixtral); only dense Llama models are supported`,
      { file },
    );
  }
  const scaling = gguf.metadata.get('llama.rope.scaling.type');
  if (scaling !== undefined && scaling !== 'none' && scaling !== 'linear') {
    throw new ModelError(
      `Cannot run ${file}: llama.rope.scaling.type is ${JSON.stringify(scaling)}; supported are none, linear and the ` +
        'rope_freqs.weight of Llama 3.1 and later',
      { file },
    );
  }
}

function metadataReader(gguf: GgufFile, file: string) {
  const number = (
    key: string,
    fallback: number | undefined,
    fits: (value: number) => boolean,
    wanted: string,
  ): number => {
    const found = gguf.metadata.get(key);
    if (found === undefined && fallback !== undefined) return fallback;
    if (typeof found === 'number' && fits(found)) return found;
    if (found === undefined) {
      throw new ModelError(`Cannot run ${file}: its metadata lacks ${key}; convert the model again`, { file });
    }
    const shown = Array.isArray(found) || ArrayBuffer.isView(found) ? 'a list with one value a layer' : String(found);
    throw new ModelError(`Cannot run ${file}: ${key} is ${shown}; wanted ${wanted}`, { file });
  };
  return {
    count: (key: string, fallback?: number) =>
      number(key, fallback, (value) => Number.isInteger(value) && value > 0 && value < 2 ** 31, 'one positive integer'),
    positive: (key: string, fallback?: number) =>
      number(key, fallback, (value) => Number.isFinite(value) && value > 0, 'a positive number'),
  };
}
