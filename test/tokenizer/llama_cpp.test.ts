/** The tokenizer against the real llama.cpp: the same ids on any text. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { readGguf } from '../../src/gguf/reader.ts';
import { ggufPieces } from '../../src/gguf/writer.ts';
import { openFile } from '../../src/node/files.ts';
import { type LlamaCpp, llamaCpp, oracleAvailable } from '../../src/oracle/index.ts';
import { createTokenizer, type Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { seeded } from '../seeded.ts';
import { have } from '../skip.ts';
import { randomTexts } from './texts.ts';
import {
  boundaryMetadata,
  bpeMetadata,
  GLUES,
  type MetadataEntries,
  metadataOf,
  specialTexts,
  spmMetadata,
} from './vocabularies.ts';

const missing = oracleAvailable();
const isFull = process.env.LAYERSCOPE_FULL === '1';
const N_TEXTS = isFull ? 10_000 : 1_000;
/** Milliseconds; the full run takes half a minute for each vocabulary on a busy machine. */
const LIMIT = isFull ? 600_000 : 60_000;

const MODES = [
  { bos: undefined, special: true },
  { bos: false, special: true },
  { bos: false, special: false },
] as const;

/** The texts whose ids differ from llama.cpp's, in any mode, shortest first; with both, for the message. */
async function differences(tokenizer: Tokenizer, oracle: LlamaCpp, texts: readonly string[]) {
  const found: { text: string; mode: object; ours: number[]; theirs: number[] | undefined }[] = [];
  for (const mode of MODES) {
    const wanted = await oracle.tokenizeAll(texts, { addSpecial: mode.bos !== false, parseSpecial: mode.special });
    for (const [i, text] of texts.entries()) {
      const ours = tokenizer.encode(text, mode.bos === undefined ? { special: mode.special } : mode);
      const theirs = wanted[i];
      if (ours.join() !== theirs?.join()) found.push({ text, mode, ours, theirs });
    }
  }
  return found.sort((a, b) => a.text.length - b.text.length);
}

describe('tokenizer against llama.cpp', { timeout: LIMIT }, () => {
  beforeEach((context) => {
    have(context, missing === null ? true : undefined, String(missing));
  });
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-tokenizer-'));
  const oracles: LlamaCpp[] = [];
  afterAll(async () => {
    for (const oracle of oracles) await oracle.close();
    rmSync(folder, { recursive: true });
  });

  const oracleOf = (path: string) => {
    const oracle = llamaCpp(path);
    oracles.push(oracle);
    return oracle;
  };

  /** Our tokenizer and llama.cpp's of one vocabulary, which goes into a file without tensors. */
  async function both(content: MetadataEntries) {
    const path = join(folder, `${oracles.length}.gguf`);
    const pieces: Uint8Array[] = [];
    for await (const piece of ggufPieces({ metadata: content, tensors: [] })) pieces.push(piece);
    writeFileSync(path, Buffer.concat(pieces));
    return { tokenizer: createTokenizer(metadataOf(content), path), oracle: oracleOf(path) };
  }

  const noPrefix: MetadataEntries = { 'tokenizer.ggml.add_space_prefix': ['bool', false] };
  const bothEnds: MetadataEntries = {
    'tokenizer.ggml.add_bos_token': ['bool', true],
    'tokenizer.ggml.add_eos_token': ['bool', true],
  };
  const vocabularies: readonly [name: string, content: () => MetadataEntries][] = [
    ['an SPM vocabulary', () => spmMetadata()],
    ['an SPM vocabulary without a space put before', () => spmMetadata(noPrefix)],
    ['an SPM vocabulary of a Phi-3', () => spmMetadata({ 'general.name': ['string', 'My Phi-3 mini'] })],
    ['a BPE vocabulary, llama-bpe', () => bpeMetadata('llama-bpe')],
    ['a BPE vocabulary, smollm', () => bpeMetadata('smollm', bothEnds)],
    ['a BPE vocabulary, default', () => bpeMetadata('default')],
    ['a BPE vocabulary that names no pre-tokenizer', () => bpeMetadata(undefined)],
  ];

  it.each(vocabularies)(`gives the same ids on ${N_TEXTS} random texts: %s`, async (_, content) => {
    const { tokenizer, oracle } = await both(content());
    const texts = randomTexts(N_TEXTS, 20_240_601, specialTexts);
    expect(await differences(tokenizer, oracle, texts)).toEqual([]);
  });

  it.each(['llama-bpe', 'smollm', 'default'])('takes every code point for what llama.cpp does: %s', async (pre) => {
    const { tokenizer, oracle } = await both(boundaryMetadata(pre));
    const texts = batches(codePoints()).map((batch) =>
      batch.map((c) => GLUES.map((glue) => glue + c + glue).join('')).join(''),
    );
    expect(await differences(tokenizer, oracle, texts)).toEqual([]);
  });

  it('gives the same bytes for each token', async () => {
    for (const content of [spmMetadata(), bpeMetadata('llama-bpe')]) {
      const { tokenizer, oracle } = await both(content);
      const ids = Array.from({ length: tokenizer.vocabSize }, (_, id) => id);
      const known = ids.filter((id) => tokenizer.piece(id) !== 'unused<0>');
      expect(known.map((id) => tokenizer.pieceBytes(id))).toEqual(await oracle.pieceBytes(known));
    }
  });

  it(`gives the same ids on ${N_TEXTS} random texts: the shipped models`, async (context) => {
    const fixtures = fileURLToPath(new URL('../../fixtures', import.meta.url));
    const models = readdirSync(fixtures).filter((name) => name.endsWith('.gguf'));
    have(context, models[0], 'no model in fixtures/');
    for (const path of models.map((name) => join(fixtures, name))) {
      const { metadata } = await readGguf(await openFile(path));
      const tokenizer = createTokenizer(metadata, path);
      const ids = Array.from({ length: tokenizer.vocabSize }, (_, id) => id);
      const special = ids.filter((id) => tokenizer.isSpecial(id)).map((id) => tokenizer.piece(id));
      expect(await differences(tokenizer, oracleOf(path), randomTexts(N_TEXTS, 99, special))).toEqual([]);
    }
  });
});

/**
 * In a full run every code point up to the last that has a meaning (U+323AF in Unicode 15.1, U+33479 in 17); else those
 * that are easily taken for another kind, and a sample. Above, tags and private use are sampled.
 */
function codePoints(): string[] {
  const random = seeded(15_01);
  const end = 0x33480;
  const all = Array.from({ length: end }, (_, c) => c).filter((c) => c < 0xd800 || c >= 0xe000);
  const isTelling = (c: number) => /[\p{N}\p{P}\p{Z}\p{Cc}\p{Cf}]/u.test(String.fromCodePoint(c));
  const low = isFull ? all : all.filter((c) => isTelling(c) || random() < 0.02);
  const high = Array.from({ length: isFull ? 4_000 : 200 }, () => end + Math.floor(random() * (0x110000 - end)));
  return [...low, ...high].map((c) => String.fromCodePoint(c));
}

const batches = (items: readonly string[]): string[][] =>
  Array.from({ length: Math.ceil(items.length / 100) }, (_, i) => items.slice(100 * i, 100 * i + 100));
