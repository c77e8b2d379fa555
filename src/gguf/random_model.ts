/**
 * A Llama of any shape and block type with random weights, written as a stream: for benchmarks (TinyLlama's shape) and
 * for tests of awkward shapes. Weights have variance 1 / columns and norms lie around 1, so that activations stay near 1
 * through any number of layers. The vocabulary is SentencePiece's kind: byte tokens and made-up syllables.
 */

import { LayerscopeError } from '../errors.ts';
import type { ByteSource } from '../platform.ts';
import { type BlockTypeName, blockTypes } from './blocks/index.ts';
import { bytesSource, joinBytes } from './bytes.ts';
import { RandomBits, randomBlocks } from './random_blocks.ts';
import { type GgufContent, ggufPieces, type MetadataEntry, type TensorContent } from './writer.ts';

export interface ModelShape {
  readonly nLayer: number;
  readonly nEmbd: number;
  readonly nHead: number;
  readonly nHeadKv: number;
  readonly nFf: number;
  readonly nVocab: number;
  /** Of a query and a key; nEmbd / nHead unless given. */
  readonly headDim?: number;
  /** Positions the model claims to be trained for; 2,048 unless given. */
  readonly nCtx?: number;
  readonly ropeBase?: number;
  readonly eps?: number;
}

export interface RandomModelOptions extends ModelShape {
  /** Of every matrix; where a row is no multiple of its block, F16 stands in, as in llama.cpp's quantiser. */
  readonly type: BlockTypeName;
  readonly seed: number;
  /** No output.weight: the logits use token_embd.weight. */
  readonly tied?: boolean;
  /** Linear RoPE scaling: positions are divided by this. */
  readonly ropeFactor?: number;
  /** Adds rope_freqs.weight as Llama 3.1 has it. */
  readonly ropeFreqs?: boolean;
}

/** Shapes by name. TinyLlama-1.1B and SmolLM2-135M are those of the models' published config.json. */
export const modelShapes = {
  tinyllama: { nLayer: 22, nEmbd: 2048, nHead: 32, nHeadKv: 4, nFf: 5632, nVocab: 32_000, ropeBase: 10_000, eps: 1e-5 },
  smollm2: { nLayer: 30, nEmbd: 576, nHead: 9, nHeadKv: 3, nFf: 1536, nVocab: 49_152, ropeBase: 100_000, eps: 1e-5 },
  awkward: { nLayer: 2, nEmbd: 200, nHead: 5, nHeadKv: 1, headDim: 40, nFf: 416, nVocab: 331 },
} as const satisfies Record<string, ModelShape>;

/** Bytes of a random model's file, in order; the same options give the same bytes. */
export function randomModel(options: RandomModelOptions): AsyncGenerator<Uint8Array> {
  return ggufPieces(randomModelContent(options));
}

/** A small random model in memory. */
export async function randomModelSource(options: RandomModelOptions, name = 'random.gguf'): Promise<ByteSource> {
  return bytesSource(name, await joinBytes(randomModel(options)));
}

/** What `randomModel` writes: for whoever wants to change a key or a tensor first. */
export function randomModelContent(options: RandomModelOptions): GgufContent {
  refuseShape(options);
  return { metadata: metadata(options), tensors: tensors(options) };
}

const FIRST_PIECE = 3 + 256;

function refuseShape(options: RandomModelOptions): void {
  const { nVocab, nHead, nHeadKv, nEmbd, nFf, nLayer } = options;
  const headDim = headDimOf(options);
  const isCount = (n: number) => Number.isInteger(n) && n > 0;
  const problem =
    (![nVocab, nHead, nHeadKv, nEmbd, nFf, nLayer].every(isCount) && 'its sizes must be positive whole numbers') ||
    (nVocab < FIRST_PIECE && `its vocabulary of ${nVocab} cannot hold <unk>, <s>, </s> and 256 bytes`) ||
    (nHead % nHeadKv !== 0 && `its ${nHead} heads cannot share ${nHeadKv} KV heads`) ||
    (!Number.isInteger(headDim) && `its ${nHead} heads do not divide nEmbd ${nEmbd}; give headDim`) ||
    (headDim % 2 !== 0 && `its headDim ${headDim} is odd; RoPE turns pairs`);
  if (problem) throw new LayerscopeError(`Cannot make a random model: ${problem}`);
}

function headDimOf(options: ModelShape): number {
  return options.headDim ?? options.nEmbd / options.nHead;
}

/** llama_ftype of llama.h, as llama.cpp prints it; it decides nothing. */
const fileTypes: { readonly [T in BlockTypeName]: number } = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q8_0: 7,
  Q5_0: 8,
  Q5_1: 9,
  Q2_K: 10,
  Q3_K: 12,
  Q4_K: 15,
  Q5_K: 17,
  Q6_K: 18,
  IQ4_NL: 25,
  BF16: 32,
};

function metadata(options: RandomModelOptions): GgufContent['metadata'] {
  const { nEmbd, nHead, nLayer, type, seed } = options;
  const headDim = headDimOf(options);
  const entries: Record<string, MetadataEntry> = {
    'general.architecture': ['string', 'llama'],
    'general.name': ['string', `random weights, ${nLayer} × ${nEmbd}, ${type}, seed ${seed}`],
    'general.file_type': ['u32', fileTypes[type]],
    'llama.block_count': ['u32', nLayer],
    'llama.context_length': ['u32', options.nCtx ?? 2048],
    'llama.embedding_length': ['u32', nEmbd],
    'llama.feed_forward_length': ['u32', options.nFf],
    'llama.attention.head_count': ['u32', nHead],
    'llama.attention.head_count_kv': ['u32', options.nHeadKv],
    'llama.attention.layer_norm_rms_epsilon': ['f32', options.eps ?? 1e-5],
    'llama.rope.dimension_count': ['u32', headDim],
    'llama.rope.freq_base': ['f32', options.ropeBase ?? 10_000],
    'llama.vocab_size': ['u32', options.nVocab],
    ...vocabulary(options.nVocab),
  };
  if (headDim * nHead !== nEmbd) {
    entries['llama.attention.key_length'] = ['u32', headDim];
    entries['llama.attention.value_length'] = ['u32', headDim];
  }
  if (options.ropeFactor !== undefined) {
    entries['llama.rope.scaling.type'] = ['string', 'linear'];
    entries['llama.rope.scaling.factor'] = ['f32', options.ropeFactor];
  }
  return entries;
}

/** llama_token_type of llama.h. */
const TOKEN_NORMAL = 1;
const TOKEN_UNKNOWN = 2;
const TOKEN_CONTROL = 3;
const TOKEN_BYTE = 6;

function vocabulary(nVocab: number): GgufContent['metadata'] {
  const tokens = ['<unk>', '<s>', '</s>'];
  const types = [TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_CONTROL];
  for (let byte = 0; byte < 256; byte++) {
    tokens.push(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    types.push(TOKEN_BYTE);
  }
  for (const piece of madeUpPieces()) {
    if (tokens.length === nVocab) break;
    tokens.push(piece);
    types.push(TOKEN_NORMAL);
  }
  return {
    'tokenizer.ggml.model': ['string', 'llama'],
    'tokenizer.ggml.pre': ['string', 'default'],
    'tokenizer.ggml.tokens': ['string[]', tokens],
    'tokenizer.ggml.scores': ['f32[]', Float32Array.from(tokens, (_, id) => Math.min(0, FIRST_PIECE - id))],
    'tokenizer.ggml.token_type': ['i32[]', Int32Array.from(types)],
    'tokenizer.ggml.bos_token_id': ['u32', 1],
    'tokenizer.ggml.eos_token_id': ['u32', 2],
    'tokenizer.ggml.unknown_token_id': ['u32', 0],
    'tokenizer.ggml.add_bos_token': ['bool', true],
    'tokenizer.ggml.add_eos_token': ['bool', false],
  };
}

/** Letters, then syllables, then words of two, three … syllables: each piece is two earlier ones joined. */
function* madeUpPieces(): Generator<string> {
  const letters = [...'etaoinshrdlucmfwygpbvkxqjz'];
  yield '▁';
  yield* letters;
  yield* '.,!?\'"-:;()0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';
  const vowels = letters.filter((letter) => 'aeiou'.includes(letter));
  const consonants = letters.filter((letter) => !'aeiou'.includes(letter));
  const syllables = consonants.flatMap((consonant) => vowels.map((vowel) => consonant + vowel));
  for (let length = 1; ; length++) {
    for (const word of words(syllables, length)) {
      yield word;
      yield `▁${word}`;
    }
  }
}

/** Every word of so many syllables. */
function* words(syllables: readonly string[], length: number): Generator<string> {
  if (length === 0) return yield '';
  for (const first of syllables) for (const rest of words(syllables, length - 1)) yield first + rest;
}

/** Norm weights lie within 1 ± this. */
const NORM_SPREAD = 0.2;

function tensors(options: RandomModelOptions): TensorContent[] {
  const { nEmbd, nHead, nHeadKv, nFf, nVocab, nLayer } = options;
  const headDim = headDimOf(options);
  const list: TensorContent[] = [];
  const random = () => new RandomBits(options.seed, list.length + 1);
  const matrix = (name: string, rows: number, columns: number, sigma = 1 / Math.sqrt(columns)) =>
    list.push(randomMatrix(name, typeFor(options.type, columns), [rows, columns], sigma, random()));
  const norm = (name: string) =>
    list.push(
      floats(
        name,
        randomNumbers(nEmbd, random(), (u) => 1 + NORM_SPREAD * (2 * u - 1)),
      ),
    );

  matrix('token_embd.weight', nVocab, nEmbd, options.tied ? 1 / Math.sqrt(nEmbd) : 1);
  for (let i = 0; i < nLayer; i++) {
    const blk = `blk.${i}.`;
    norm(`${blk}attn_norm.weight`);
    matrix(`${blk}attn_q.weight`, nHead * headDim, nEmbd);
    matrix(`${blk}attn_k.weight`, nHeadKv * headDim, nEmbd);
    matrix(`${blk}attn_v.weight`, nHeadKv * headDim, nEmbd);
    matrix(`${blk}attn_output.weight`, nEmbd, nHead * headDim);
    norm(`${blk}ffn_norm.weight`);
    matrix(`${blk}ffn_gate.weight`, nFf, nEmbd);
    matrix(`${blk}ffn_up.weight`, nFf, nEmbd);
    matrix(`${blk}ffn_down.weight`, nEmbd, nFf);
  }
  norm('output_norm.weight');
  if (!options.tied) matrix('output.weight', nVocab, nEmbd);
  if (options.ropeFreqs) list.push(floats('rope_freqs.weight', llama3RopeFactors(headDim, options.ropeBase ?? 10_000)));
  return list;
}

function typeFor(type: BlockTypeName, columns: number): BlockTypeName {
  return columns % blockTypes[type].size === 0 ? type : 'F16';
}

/** Numbers made at a time; a multiple of every block's size. */
const CHUNK_NUMBERS = 1 << 20;

function randomMatrix(
  name: string,
  type: BlockTypeName,
  shape: readonly [number, number],
  sigma: number,
  random: RandomBits,
): TensorContent {
  const count = shape[0] * shape[1];
  return {
    name,
    type,
    shape,
    *data() {
      for (let done = 0; done < count; done += CHUNK_NUMBERS) {
        yield randomBlocks(type, Math.min(CHUNK_NUMBERS, count - done), sigma, random);
      }
    },
  };
}

function randomNumbers(length: number, random: RandomBits, at: (u: number) => number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, () => at(random.uniform()));
}

function floats(name: string, numbers: Float32Array<ArrayBuffer>): TensorContent {
  return { name, type: 'F32', shape: [numbers.length], data: () => [new Uint8Array(numbers.buffer)] };
}

/**
 * What Llama 3.1 divides each RoPE frequency by: 1 for wavelengths below 8192 / 4, 8 above 8192 / 1, between them a
 * smooth passage. Source: rope_scaling of Llama-3.1's config.json and its reference code.
 */
function llama3RopeFactors(headDim: number, base: number): Float32Array<ArrayBuffer> {
  const [factor, lowFrequency, highFrequency, trainedContext] = [8, 1, 4, 8192];
  return Float32Array.from({ length: headDim / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * base ** ((2 * i) / headDim);
    if (wavelength < trainedContext / highFrequency) return 1;
    if (wavelength > trainedContext / lowFrequency) return factor;
    const smooth = (trainedContext / wavelength - lowFrequency) / (highFrequency - lowFrequency);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}
