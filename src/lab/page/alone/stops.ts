/**
 * The lesson "one token through one layer": at each stop a sentence or two, and what the inspector shows there. What is said
 * of numbers is said of the shipped model on this text; test/lab/alone/lesson.test.ts looks them up.
 */
import type { Experiment } from '../../inspector/experiment.ts';

export type Language = 'en' | 'ja';
export type Said = Readonly<Record<Language, string>>;

export interface Stop {
  readonly title: Said;
  readonly says: Said;
  /** The view that is opened. */
  readonly view: string;
  /** What is looked at there; of what is not named, nothing in particular. */
  readonly choice: Shown;
}

/** A part of the inspector's choice. */
export interface Shown {
  readonly step: string;
  readonly token: number;
  readonly layer?: number;
  readonly head?: number;
  readonly key?: number;
}

/** Whom “thanked” thanks: the model says “Lily”. */
export const LESSON_TEXT = 'Lily gave the ball to Tom. Tom thanked';

export function lessonExperiment(file: string): Experiment {
  return { file, backend: 'webgpu', text: LESSON_TEXT, faults: [], changes: [] };
}

export const LESSON_TITLE: Said = { en: 'One token through one layer', ja: '一つのトークンが一つの層を通るまで' };

/** The token that is followed, the layer it goes through, the head that is watched, and the token that this head finds. */
export const [TOKEN, LAYER, HEAD, FOUND] = [9, 4, 0, 1] as const;

const at = (step: string, choice: Partial<Shown> = {}): Shown => ({ token: TOKEN, ...choice, step });

export const stops: readonly Stop[] = [
  {
    title: { en: 'A text is tokens', ja: '文章はトークンになる' },
    says: {
      en: 'The text was cut into ten tokens; the first, <s>, only marks the beginning. We follow the last one, “thanked”: what the model says next is computed from it.',
      ja: '文章は10個のトークンに分けられました。先頭の <s> は始まりの印です。最後の “thanked” を追いかけます。次の言葉は、このトークンから計算されるからです。',
    },
    view: 'step',
    choice: at('embd'),
  },
  {
    title: { en: 'A token is a row of numbers', ja: 'トークンは数の列になる' },
    says: {
      en: 'The model looks the token up in a table, token_embd.weight, and takes its row: 256 numbers. Everything from here on adds to this row. It is called the residual stream.',
      ja: 'モデルは表 token_embd.weight からそのトークンの行、256個の数を取り出します。この先の計算はすべて、この行に足されていきます。これを残差ストリームと呼びます。',
    },
    view: 'step',
    choice: at('embd'),
  },
  {
    title: { en: 'Into layer 4: one size for all', ja: '第4層へ:大きさをそろえる' },
    says: {
      en: 'Layers 0 to 3 have added to the row already. Layer 4 first divides it by its root mean square, so that it reads numbers of a steady size however long the row has grown.',
      ja: '第0層から第3層が、すでにこの行に足しています。第4層はまず行を二乗平均平方根で割ります。行がどれほど大きくなっていても、そろった大きさの数を読むためです。',
    },
    view: 'step',
    choice: at(`attn_norm-${LAYER}`, { layer: LAYER }),
  },
  {
    title: { en: 'A question: the query', ja: '問い:クエリ' },
    says: {
      en: 'A matrix makes a query of the row: 32 numbers for each of 8 heads. It says what this token looks for in the tokens before it. We watch head 0.',
      ja: '行列が行からクエリを作ります。8個のヘッドそれぞれに32個の数です。クエリは、このトークンが前のトークンの中に何を探すかを表します。ここではヘッド0を見ます。',
    },
    view: 'step',
    choice: at(`Qcur-${LAYER}`, { layer: LAYER, head: HEAD }),
  },
  {
    title: { en: 'Answers: the keys, turned by position', ja: '答え:位置で回されたキー' },
    says: {
      en: 'Every token has a key as well: what it offers. RoPE turns queries and keys by an angle that grows with the position, so that a score can tell how far apart two tokens are. Four heads share one key here.',
      ja: 'どのトークンもキーを持ちます。自分が何を差し出すかです。RoPE はクエリとキーを位置に応じた角度だけ回すので、二つのトークンの距離がスコアに表れます。ここでは4個のヘッドが一つのキーを共有します。',
    },
    view: 'step',
    choice: at(`Kcur_rope-${LAYER}`, { layer: LAYER }),
  },
  {
    title: { en: 'The score: query times key', ja: 'スコア:クエリとキーの内積' },
    says: {
      en: 'Multiply the query of “thanked” with the key of a token, number by number, and add up: that is the score. The highest of head 0 is that of “Lily”.',
      ja: '“thanked” のクエリと各トークンのキーを数ごとに掛けて足し合わせると、スコアになります。ヘッド0で最も高いのは “Lily” のスコアです。',
    },
    view: 'qk',
    choice: at(`kq-${LAYER}`, { layer: LAYER, head: HEAD, key: FOUND }),
  },
  {
    title: { en: 'Attention: scores become shares', ja: '注意:スコアが割合になる' },
    says: {
      en: 'Softmax turns a token’s scores into shares that add up to 1; tokens that come later get nothing. Head 0 gives “Lily” more than 99 %: it has found who is to be thanked.',
      ja: 'ソフトマックスはスコアを、合計が1になる割合に変えます。後ろのトークンの割合は0です。ヘッド0は “Lily” に99 %以上を与えます。誰に感謝するのかを見つけたのです。',
    },
    view: 'attention',
    choice: at(`kq_soft_max-${LAYER}`, { layer: LAYER, head: HEAD, key: FOUND }),
  },
  {
    title: { en: 'What the head brings back', ja: 'ヘッドが持ち帰るもの' },
    says: {
      en: 'Each token has a value too. The head adds the values up by those shares: nearly all of it is the value of “Lily”. So a part of “Lily” has moved to “thanked”.',
      ja: '各トークンは値も持っています。ヘッドは割合に応じて値を足し合わせます。ほぼすべてが “Lily” の値です。“Lily” の一部が “thanked” に移りました。',
    },
    view: 'step',
    choice: at(`kqv_out-${LAYER}`, { layer: LAYER, head: HEAD }),
  },
  {
    title: { en: 'Added, never replaced', ja: '置き換えず、足す' },
    says: {
      en: 'A matrix puts the eight heads together, and the result is added to the row that came in. What was there before stays: later layers can still read it.',
      ja: '行列が8個のヘッドをまとめ、その結果を入ってきた行に足します。前からあったものは残るので、後の層もそれを読めます。',
    },
    view: 'step',
    choice: at(`ffn_inp-${LAYER}`, { layer: LAYER }),
  },
  {
    title: { en: 'Each token for itself: the feed-forward', ja: 'それぞれのトークンで:フィードフォワード' },
    says: {
      en: 'Now no token looks at another. Two matrices make 512 numbers each; one passes through SiLU and opens or shuts the other, number by number. A third matrix leads back to 256.',
      ja: 'ここでは、トークンは互いを見ません。二つの行列がそれぞれ512個の数を作り、一方は SiLU を通って、もう一方を数ごとに開けたり閉じたりします。三つ目の行列が256個に戻します。',
    },
    view: 'step',
    choice: at(`ffn_swiglu-${LAYER}`, { layer: LAYER }),
  },
  {
    title: { en: 'Out of the layer', ja: '層を出る' },
    says: {
      en: 'That is added as well: l_out-4 is the whole layer’s work, and the next layer begins with it. Every layer does the same steps with weights of its own.',
      ja: 'それも足されます。l_out-4 がこの層の結果で、次の層はここから始まります。どの層も、自分の重みで同じ手順を行います。',
    },
    view: 'step',
    choice: at(`l_out-${LAYER}`, { layer: LAYER }),
  },
  {
    title: { en: 'What comes next', ja: '次に来る言葉' },
    says: {
      en: 'After the last layer a matrix gives each of the 1,024 tokens of the vocabulary a number, its logit. The highest after “thanked” is “ Lily”. Now zero head 0 of layer 4 under “Edit”, and see what becomes of it.',
      ja: '最後の層のあと、行列が語彙の1,024個のトークンそれぞれに数(ロジット)を与えます。“thanked” の次で最も高いのは “ Lily” です。「Edit」で第4層のヘッド0をゼロにして、どうなるか見てみましょう。',
    },
    view: 'next',
    choice: at('result_output'),
  },
];
