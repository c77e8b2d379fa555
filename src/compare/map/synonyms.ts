/**
 * What others call our tensors. One line for each meaning: our names without the layer, then the words that others use.
 * Words are as `wordsOf` gives them: small letters, digits apart from letters. A line with several of our names is for words
 * that different people use for different tensors; they narrow the choice and never decide it.
 *
 * `l_in` is the input of a layer: the output of the one before, or the embedding. `hidden_states` counts as Hugging Face's
 * list does, where entry i is the input of layer i and the last is taken after the final norm; many name the output of layer
 * i so, too.
 *
 * Sources: llama.cpp (src/models/llama.cpp), llama2.c (run.c), Meta's llama (model.py), Hugging Face transformers
 * (modeling_llama.py), TransformerLens (hook names), candle (models/llama.rs), tinygrad (extra/models/llama.py), mlx-lm
 * (models/llama.py), GPT-2 and minGPT (wte, h, ln_f), and the five investigations that this project began with.
 */
export interface Synonyms {
  readonly stems: readonly string[];
  /** Words, longest first within a name. `=` means that the name is nothing else. */
  readonly phrases: readonly string[];
}

const table: readonly (readonly [stems: string, phrases: string])[] = [
  [
    'embd',
    'embd, embed, embeds, embedding, embeddings, emb, embed tokens, tok embeddings, tok emb, tok embd, token embd, token embedding, token embeddings, token emb, inp embd, inputs embeds, input embeds, input embeddings, wte, hook embed, 埋め込み',
  ],
  [
    'attn_norm',
    'attn norm, attention norm, input layernorm, input layer norm, input norm, ln 1, rms att, rms attn, rms 1, norm 1, pre attn norm, pre attention norm, attn rmsnorm, norm attn, 注意前正規化, アテンション前正規化, 入力正規化',
  ],
  [
    'ffn_norm',
    'ffn norm, post attention layernorm, post attention layer norm, post attention norm, ln 2, rms ffn, rms 2, norm 2, mlp norm, pre ffn norm, pre mlp norm, ffn rmsnorm, norm ffn, norm mlp, ffn 前正規化',
  ],
  ['attn_norm ffn_norm', 'x norm, normed, normalized, rmsnorm, rms norm, layernorm, 正規化'],
  ['attn_norm ffn_norm kqv_out', 'xb'],
  ['Qcur', 'q proj, wq, attn q, q cur, qcur, query proj, hook q, q before rope, q pre rope, q lin'],
  ['Kcur', 'k proj, wk, attn k, k cur, kcur, key proj, hook k, k before rope, k pre rope, k lin'],
  [
    'Vcur',
    'v proj, wv, attn v, v cur, vcur, value proj, hook v, v, value, values, value states, value layer, v lin, バリュー',
  ],
  ['Qcur Qcur_rope', 'q, query, queries, query states, query layer, xq, クエリ'],
  ['Kcur Kcur_rope', 'k, key, keys, key states, key layer, xk, キー'],
  [
    'Qcur_rope',
    'qcur rope, q rope, rope q, q rot, rot q, q embed, q roped, roped q, q rotated, rotated q, q after rope, q post rope, query rope, hook rot q',
  ],
  [
    'Kcur_rope',
    'kcur rope, k rope, rope k, k rot, rot k, k embed, k roped, roped k, k rotated, rotated k, k after rope, k post rope, key rope, hook rot k',
  ],
  ['kq', 'kq, qk, qk t, kq raw, raw scores, attn logits, pre softmax'],
  [
    'kq kq_soft_max',
    'scores, attn scores, attention scores, attn weights, attention weights, att, hook attn scores, スコア, 注意重み',
  ],
  [
    'kq_soft_max',
    'kq soft max, kq softmax, softmax, soft max, attn probs, attention probs, attn prob, probs, pattern, attn pattern, attentions, attn softmax, hook pattern, post softmax, scores softmax, ソフトマックス, 注意確率',
  ],
  [
    'kqv_out',
    'kqv out, kqv, hook z, z, context, context layer, ctx, attn ctx, attn context, o proj input, wo input, attn v out, weighted v',
  ],
  ['attn_out', 'o proj, wo, attn o, attn output proj, hook attn out, o lin, attn proj'],
  [
    'attn_out kqv_out',
    'attn, self attn, attention, attn out, attn output, self attn out, attention out, attention output, att out, 注意出力, アテンション出力, アテンション',
  ],
  ['attn_out ffn_out', 'xb 2, c proj'],
  [
    'ffn_inp',
    'ffn inp, resid mid, hook resid mid, attn residual, attn resid, post attn residual, resid 1, residual 1, after attn, h mid, x mid',
  ],
  ['ffn_inp ffn_norm', 'ffn input, mlp input, ffn in, mlp in'],
  ['ffn_gate', 'ffn gate, gate proj, w 1, gate, mlp gate, hook pre, c fc 1, ゲート'],
  ['ffn_up', 'ffn up, up proj, w 3, up, mlp up, hook pre linear, c fc 2, hb 2, アップ'],
  ['ffn_silu', 'ffn silu, silu, act fn, silu gate, gate silu, silu out, swish, gate act'],
  ['ffn_silu ffn_swiglu', 'ffn act, mlp act, act, activation, 活性化'],
  ['ffn_gate ffn_silu ffn_swiglu', 'hb'],
  [
    'ffn_swiglu',
    'ffn swiglu, swiglu, ffn par, gate up, gated, silu mul, mlp hidden, ffn hidden, down proj input, w 2 input, hook post',
  ],
  [
    'ffn_out',
    'ffn out, down proj, w 2, ffn down, mlp down, mlp out, mlp output, ffn output, hook mlp out, feed forward out, ffn 出力',
  ],
  ['ffn_norm ffn_out', 'mlp, ffn, feed forward, feedforward'],
  [
    'l_out',
    'l out, layer out, layer output, block out, block output, resid post, hook resid post, out resid, resid 2, residual 2, 層出力, 層の出力, レイヤー出力',
  ],
  ['l_in', 'resid pre, hook resid pre, layer in, layer input, block in, block input, l inp, 層入力'],
  ['hidden_states', 'hidden states, hidden state, hidden, hiddens, 隠れ状態'],
  ['embd ffn_inp l_out', 'x, residual, resid, h, residual stream, 残差'],
  [
    'result_norm',
    'result norm, final norm, ln f, output norm, norm f, final layernorm, final layer norm, ln final, last norm, rms final, =norm, 最終正規化',
  ],
  [
    'result_output',
    'result output, lm head, logits, unembed, hook unembed, =output, output logits, =head, =lm, ロジット',
  ],
];

export const synonyms: readonly Synonyms[] = table.map(([stems, phrases]) => ({
  stems: stems.split(' '),
  phrases: phrases.split(', '),
}));

/** Words after which a number is a layer's. */
export const layerWords: ReadonlySet<string> = new Set(
  'layer layers l blk blks block blocks h hidden states attentions decoder 層 第 レイヤー レイヤ ブロック'.split(' '),
);

/** Words that say nothing of which tensor it is. */
export const fillerWords: ReadonlySet<string> = new Set(
  'model models transformer decoder output outputs out tensor activation hook the of after res t 目 の 出力 層 第'.split(
    ' ',
  ),
);

/** With one of these, a query or a key is meant after its rotation. */
export const rotationWords: ReadonlySet<string> = new Set('rope rot roped rotary rotated 回転'.split(' '));
export const beforeWords: ReadonlySet<string> = new Set('before pre no without 前'.split(' '));

/** What a dump may hold that is none of our tensors: tables, masks, ids, caches. */
export const strangers: readonly string[] =
  'mask, attn mask, attention mask, kq mask, causal mask, position ids, positions, pos, inp pos, tokens, input ids, inp tokens, cos, sin, rope cos, rope sin, cos cached, sin cached, freqs, freqs cis, inv freq, k cache, v cache, key cache, value cache, cache k, cache v, マスク'.split(
    ', ',
  );
