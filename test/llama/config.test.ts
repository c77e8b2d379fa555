import { expect, test } from 'vitest';
import { ModelError } from '../../src/errors.ts';
import { bytesSource, joinBytes } from '../../src/gguf/bytes.ts';
import { type RandomModelOptions, randomModelContent } from '../../src/gguf/random_model.ts';
import { type GgufFile, readGguf } from '../../src/gguf/reader.ts';
import { type GgufContent, ggufPieces } from '../../src/gguf/writer.ts';
import { llamaConfig } from '../../src/llama/config.ts';
import { checkWeights } from '../../src/llama/weights.ts';

const options: RandomModelOptions = {
  nLayer: 2,
  nEmbd: 64,
  nHead: 4,
  nHeadKv: 2,
  nFf: 96,
  nVocab: 300,
  type: 'F32',
  seed: 1,
};

type Change = (content: GgufContent) => GgufContent;

async function model(change: Change = (content) => content, more: Partial<RandomModelOptions> = {}): Promise<GgufFile> {
  const content = change(randomModelContent({ ...options, ...more }));
  return readGguf(bytesSource('m.gguf', await joinBytes(ggufPieces(content))));
}

const withKeys =
  (keys: GgufContent['metadata']): Change =>
  (content) => ({ ...content, metadata: { ...content.metadata, ...keys } });

const withoutKey =
  (key: string): Change =>
  (content) => ({
    ...content,
    metadata: Object.fromEntries(Object.entries(content.metadata).filter(([name]) => name !== key)),
  });

test('sizes and constants are those of the metadata', async () => {
  const config = llamaConfig(
    await model(undefined, { headDim: 24, ropeFactor: 4, ropeFreqs: true, tied: true, nCtx: 77 }),
  );
  expect(config).toMatchObject({
    nLayer: 2,
    nEmbd: 64,
    nHead: 4,
    nHeadKv: 2,
    headDim: 24,
    nFf: 96,
    nVocab: 300,
    nCtx: 77,
  });
  expect(config).toMatchObject({ ropeScale: 0.25, ropeDim: 24, hasRopeFreqs: true, tiedEmbeddings: true });
});

test('the weights of a sound model are accepted', async () => {
  const gguf = await model(undefined, { headDim: 24, ropeFreqs: true, tied: true });
  expect(() => checkWeights(gguf, llamaConfig(gguf))).not.toThrow();
});

test.each<[string, Change, RegExp]>([
  [
    'another architecture',
    withKeys({ 'general.architecture': ['string', 'qwen2'] }),
    /architecture is "qwen2"; supported is "llama"/,
  ],
  ['no architecture', withoutKey('general.architecture'), /architecture is not given/],
  ['a mixture of experts', withKeys({ 'llama.expert_count': ['u32', 8] }), /mixture of 8 experts/],
  ['YaRN', withKeys({ 'llama.rope.scaling.type': ['string', 'yarn'] }), /rope\.scaling\.type is "yarn"/],
  ['a missing key', withoutKey('llama.block_count'), /lacks llama\.block_count/],
  [
    'a key of another kind',
    withKeys({ 'llama.block_count': ['string', 'two'] }),
    /llama\.block_count is two; wanted one positive integer/,
  ],
  ['zero heads', withKeys({ 'llama.attention.head_count': ['u32', 0] }), /head_count is 0/],
  ['heads that do not divide', withKeys({ 'llama.attention.head_count_kv': ['u32', 3] }), /must be a multiple/],
  ['a value length of its own', withKeys({ 'llama.attention.value_length': ['u32', 8] }), /value_length is 8/],
  ['an odd rotation', withKeys({ 'llama.rope.dimension_count': ['u32', 7] }), /dimension_count is 7/],
  ['an eps of NaN', withKeys({ 'llama.attention.layer_norm_rms_epsilon': ['f32', Number.NaN] }), /epsilon is NaN/],
])('%s is refused by name', async (_, change, message) => {
  const gguf = await model(change);
  expect(() => llamaConfig(gguf)).toThrow(ModelError);
  expect(() => llamaConfig(gguf)).toThrow(message);
  expect(() => llamaConfig(gguf)).toThrow('Cannot run m.gguf');
});

test('a missing weight, a misshapen one and one that no step reads are each named', async () => {
  const drop =
    (name: string): Change =>
    (content) => ({
      ...content,
      tensors: content.tensors.filter((tensor) => tensor.name !== name),
    });
  const rename =
    (from: string, to: string): Change =>
    (content) => ({
      ...content,
      tensors: content.tensors.map((tensor) => (tensor.name === from ? { ...tensor, name: to } : tensor)),
    });
  const check = async (change: Change) => {
    const gguf = await model(change);
    checkWeights(gguf, llamaConfig(gguf));
  };
  await expect(check(drop('blk.1.ffn_up.weight'))).rejects.toThrow(
    /has no blk\.1\.ffn_up\.weight; wanted shape \[96, 64\]/,
  );
  await expect(check(withKeys({ 'llama.feed_forward_length': ['u32', 128] }))).rejects.toThrow(
    /ffn_gate\.weight has shape \[96, 64\]; its metadata asks for \[128, 64\]/,
  );
  await expect(check(rename('blk.0.ffn_up.weight', 'blk.0.ffn_up_exps.weight'))).rejects.toThrow(ModelError);
});
