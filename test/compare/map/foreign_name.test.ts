import { describe, expect, test } from 'vitest';
import { foreignNames, wordsOf } from '../../../src/compare/map/foreign_name.ts';
import { synonyms } from '../../../src/compare/map/synonyms.ts';

const read = (name: string) => foreignNames([name])[0]!;

describe("a stranger's name says which of ours it may be, and its layer", () => {
  test.for<[name: string, stems: string | null, number: number | null]>([
    ['x_norm', 'attn_norm ffn_norm', null],
    ['model.layers.11.self_attn.q_proj', 'Qcur', 11],
    ['hidden_states.3', 'hidden_states', 3],
    ['hidden_states[3]', 'hidden_states', 3],
    ['layers.0.attention.wq', 'Qcur', 0],
    ['h.0.attn', 'attn_out kqv_out', 0],
    ['h.7.ln_1', 'attn_norm', 7],
    ['blocks.3.hook_resid_post', 'l_out', 3],
    ['blocks.3.hook_resid_pre', 'l_in', 3],
    ['blk.4.ffn_gate', 'ffn_gate', 4],
    ['layers.5.feed_forward.w1', 'ffn_gate', 5],
    ['layers.5.feed_forward.w2', 'ffn_out', 5],
    ['layers.5.feed_forward.w3', 'ffn_up', 5],
    ['w1_2', 'ffn_gate', 2],
    ['xb', 'attn_norm ffn_norm kqv_out', null],
    ['hb2.3', 'ffn_up', 3],
    ['l3_hb', 'ffn_gate ffn_silu ffn_swiglu', 3],
    ['attn_norm-1', 'attn_norm', 1],
    ['attn_norm_1', 'attn_norm', 1],
    ['rms_1.4', 'attn_norm', 4],
    ['block.2.norm2', 'ffn_norm', 2],
    ['kq_soft_max-0', 'kq_soft_max', 0],
    ['layer3.attentionScores', 'kq kq_soft_max', 3],
    ['query_rot_2', 'Qcur_rope', 2],
    ['k_before_rope.1', 'Kcur', 1],
    ['rotary.layers.1.k_proj', 'Kcur_rope', 1],
    ['model.layers.9', 'l_out', 9],
    ['model.layers.9.output', 'l_out', 9],
    ['model.norm', 'result_norm', null],
    ['norm', 'result_norm', null],
    ['output', 'result_output', null],
    ['lm_head', 'result_output', null],
    ['logits_f32.npy', 'result_output', null],
    ['層3_クエリ', 'Qcur Qcur_rope', 3],
    ['第2層の出力', 'l_out', 2],
    ['レイヤー4.ソフトマックス', 'kq_soft_max', 4],
    ['埋め込み', 'embd', null],
    ['frobnicate.2', null, 2],
    ['017', null, 17],
  ])('%s', ([name, stems, number]) => {
    const found = read(name);
    expect([found.stems?.join(' ') ?? null, found.number]).toEqual([stems, number]);
  });

  test('a number that all names begin with is their place in the dump, and no layer', () => {
    const found = foreignNames(['000_embd', '001_layers.0.wq', '002_layers.1.wq']);
    expect(found.map(({ pattern, number }) => [pattern, number])).toEqual([
      ['embd', null],
      ['layers # wq', 0],
      ['layers # wq', 1],
    ]);
  });

  test('masks, tables and caches are known as what we have no tensor of; a masked score is none of them', () => {
    for (const name of ['attention_mask', 'position_ids', 'rope_cos', 'k_cache_l3', 'layers.2.attn.mask']) {
      expect([name, read(name).isStranger]).toEqual([name, true]);
    }
    for (const name of ['masked_scores', 'layers.0.pos_norm', 'k_rope.1']) {
      expect([name, read(name).isStranger]).toEqual([name, false]);
    }
  });
});

test('words are small letters, with digits apart and the endings of formats left out', () => {
  expect(wordsOf('Layer3.QProj_f16.npy')).toEqual(['layer', '3', 'qproj']);
  expect(wordsOf('hiddenStates12')).toEqual(['hidden', 'states', '12']);
});

test('no phrase of the synonyms stands for two lines, and each is as names are read', () => {
  const phrases = synonyms.flatMap(({ phrases }) => phrases.map((phrase) => phrase.replace(/^=/, '')));
  expect(phrases.filter((phrase, i) => phrases.indexOf(phrase) !== i)).toEqual([]);
  expect(phrases.filter((phrase) => wordsOf(phrase).join(' ') !== phrase)).toEqual([]);
});
