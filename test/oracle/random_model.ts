/**
 * A small Llama with random F32 weights and an SPM vocabulary of bytes and a few pieces, as one GGUF file, written straight
 * from the GGUF specification (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md) so that nothing of ours is trusted.
 */
import { writeFileSync } from 'node:fs';
import { normals, seeded } from '../seeded.ts';

export interface Shape {
  readonly nLayer: number;
  readonly nHead: number;
  readonly nHeadKv: number;
  readonly headDim: number;
  readonly nFf: number;
  /** Biases after the matmuls of attention. Default false. */
  readonly bias?: boolean;
}

const U32 = 4;
const I32 = 5;
const F32 = 6;
const STRING = 8;
const ARRAY = 9;
const ALIGNMENT = 32;

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
};
const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: number): Buffer => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const f32 = (value: number): Buffer => Buffer.from(Float32Array.of(value).buffer);
const entry = (key: string, type: number, value: Buffer): Buffer => Buffer.concat([text(key), u32(type), value]);
const list = (key: string, type: number, values: readonly Buffer[]): Buffer =>
  entry(key, ARRAY, Buffer.concat([u32(type), u64(values.length), ...values]));

const WORDS = ['▁', 'e', 't', '▁t', 'h', '▁th', '▁the', 'a', 'l', 'ba', 'll', 'ball', '▁ball', 'n', 'an', '▁an', '日'];

interface Token {
  readonly piece: string;
  readonly score: number;
  /** 1 normal, 2 unknown, 3 control, 6 byte. */
  readonly type: number;
}

const VOCABULARY: readonly Token[] = [
  { piece: '<unk>', score: 0, type: 2 },
  { piece: '<s>', score: 0, type: 3 },
  { piece: '</s>', score: 0, type: 3 },
  ...Array.from({ length: 256 }, (_, byte) => ({
    piece: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
    score: 0,
    type: 6,
  })),
  ...WORDS.map((piece, i) => ({ piece, score: -100 + i, type: 1 })),
];

/** Writes the model; the same seed writes the same bytes. */
export function writeRandomModel(path: string, shape: Shape, seed: number): void {
  const { nLayer, nHead, nHeadKv, headDim, nFf, bias = false } = shape;
  const nEmbd = nHead * headDim;
  const nVocab = VOCABULARY.length;
  const random = seeded(seed);

  // By GGUF's ne: innermost first.
  const tensors: [name: string, ...ne: number[]][] = [['token_embd.weight', nEmbd, nVocab]];
  for (let i = 0; i < nLayer; i++) {
    tensors.push(
      [`blk.${i}.attn_norm.weight`, nEmbd],
      [`blk.${i}.attn_q.weight`, nEmbd, nHead * headDim],
      [`blk.${i}.attn_k.weight`, nEmbd, nHeadKv * headDim],
      [`blk.${i}.attn_v.weight`, nEmbd, nHeadKv * headDim],
      [`blk.${i}.attn_output.weight`, nHead * headDim, nEmbd],
      [`blk.${i}.ffn_norm.weight`, nEmbd],
      [`blk.${i}.ffn_gate.weight`, nEmbd, nFf],
      [`blk.${i}.ffn_up.weight`, nEmbd, nFf],
      [`blk.${i}.ffn_down.weight`, nFf, nEmbd],
    );
  }
  if (bias) {
    for (let i = 0; i < nLayer; i++) {
      tensors.push(
        [`blk.${i}.attn_q.bias`, nHead * headDim],
        [`blk.${i}.attn_k.bias`, nHeadKv * headDim],
        [`blk.${i}.attn_v.bias`, nHeadKv * headDim],
        [`blk.${i}.attn_output.bias`, nEmbd],
      );
    }
  }
  tensors.push(['output_norm.weight', nEmbd], ['output.weight', nEmbd, nVocab]);

  const metadata = [
    entry('general.architecture', STRING, text('llama')),
    entry('llama.context_length', U32, u32(2048)),
    entry('llama.embedding_length', U32, u32(nEmbd)),
    entry('llama.block_count', U32, u32(nLayer)),
    entry('llama.feed_forward_length', U32, u32(nFf)),
    entry('llama.attention.head_count', U32, u32(nHead)),
    entry('llama.attention.head_count_kv', U32, u32(nHeadKv)),
    entry('llama.attention.layer_norm_rms_epsilon', F32, f32(1e-5)),
    entry('llama.rope.dimension_count', U32, u32(headDim)),
    entry('llama.rope.freq_base', F32, f32(10000)),
    entry('tokenizer.ggml.model', STRING, text('llama')),
    list(
      'tokenizer.ggml.tokens',
      STRING,
      VOCABULARY.map(({ piece }) => text(piece)),
    ),
    list(
      'tokenizer.ggml.scores',
      F32,
      VOCABULARY.map(({ score }) => f32(score)),
    ),
    list(
      'tokenizer.ggml.token_type',
      I32,
      VOCABULARY.map(({ type }) => u32(type)),
    ),
    entry('tokenizer.ggml.bos_token_id', U32, u32(1)),
    entry('tokenizer.ggml.eos_token_id', U32, u32(2)),
  ];

  const data = tensors.map(([name, ...ne]) => {
    const n = ne.reduce((product, size) => product * size, 1);
    const numbers = name.includes('norm')
      ? normals(random, n, 0.1).map((value) => 1 + value)
      : normals(random, n, 1 / Math.sqrt(ne[0] ?? 1));
    return aligned(Buffer.from(numbers.buffer));
  });
  let offset = 0;
  const infos = tensors.map(([name, ...ne], i) => {
    const info = Buffer.concat([text(name), u32(ne.length), ...ne.map(u64), u32(0), u64(offset)]);
    offset += data[i]?.length ?? 0;
    return info;
  });
  const head = Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(tensors.length),
    u64(metadata.length),
    ...metadata,
    ...infos,
  ]);
  writeFileSync(path, Buffer.concat([aligned(head), ...data]));
}

function aligned(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT)]);
}
