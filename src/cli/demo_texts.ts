/** What the demo says, in each language: of every step its title, what is about to happen, and what the result means. */
import type { Language } from './terminal.ts';

/** A step's own text; `means` is said after its result. */
export interface StepText {
  readonly title: string;
  readonly says: string;
  readonly means: string;
}

/** The steps in order. */
export const stepNames = ['dump', 'names', 'refused', 'parts', 'made', 'cause', 'next'] as const;
export type StepName = (typeof stepNames)[number];

export interface DemoTexts {
  readonly opening: (folder: string) => string;
  readonly steps: Readonly<Record<StepName, StepText>>;
  readonly inACell: string;
  readonly goOn: string;
  /** Names of what is shown, at the left of a line. */
  readonly labels: Readonly<Record<Label, string>>;
  readonly files: (count: number, size: string, some: string) => string;
  readonly pairs: (certain: number, total: number) => string;
  readonly tensors: (count: number) => string;
  readonly differs: (theirs: string, reference: string) => string;
  readonly place: (op: string, layer: number | null, token: string, head: number | null) => string;
  readonly rmsRatio: (ratio: string) => string;
  readonly error: (error: string, cosine: string) => string;
  readonly onOurs: (error: string) => string;
  readonly onTheirs: (error: string, allowed: string) => string;
  readonly tried: (count: number) => string;
  readonly noFault: string;
  readonly agreed: (tensors: number) => string;
  readonly closing: (folder: string) => string;
}

/** What stands at the left of a result. */
export type Label =
  | 'text'
  | 'files'
  | 'theyGoOn'
  | 'weGoOn'
  | 'certain'
  | 'open'
  | 'verdict'
  | 'differs'
  | 'tensor'
  | 'where'
  | 'values'
  | 'rms'
  | 'error'
  | 'fed'
  | 'onOurs'
  | 'onTheirs'
  | 'tried'
  | 'cause'
  | 'unseen';

const en: DemoTexts = {
  opening: (folder) =>
    'From a broken dump to the mistake in the code that made it, in seven steps. Everything is computed now, on the ' +
    `model that comes with Layerscope; the files go to ${folder}`,
  steps: {
    dump: {
      title: "A stranger's engine runs the model",
      says:
        'It has a mistake inside, and writes its tensors as raw floats under its own names. What follows is not told ' +
        'the mistake. A writer for your own engine, in Rust, C, Python or Swift, is printed by:',
      means: 'The two want to go on differently. Which of the many tensors is wrong first?',
    },
    names: {
      title: 'Which of their tensors is which of ours?',
      says: 'Their names are not ours. The map is found from values, names and the order of computation; nothing is guessed.',
      means:
        'What is open has numbers that fit none of ours well enough, as must be behind a mistake. The rest is enough.',
    },
    refused: {
      title: 'Is it the same experiment?',
      says: 'Before a single number is compared, both sides must have run the same tokens on the same weights.',
      means:
        'The stranger forgot <s>, the token that begins every text (BOS). Compared all the same, every tensor would ' +
        'differ, and nothing would be learned of the mistake.',
    },
    parts: {
      title: 'The first tensor that parts',
      says: 'The stranger runs again, now with <s> in front. Every tensor is held against ours, in the order of computation.',
      means: 'Whoever compares RMS sees nothing here: a rotation keeps the length. The values have to be compared.',
    },
    made: {
      title: 'Made there, or inherited?',
      says: 'Their op may be right and its inputs wrong. So our op is run on their inputs, and held against their output.',
      means: 'Their inputs are right, and our op makes something else of them: the mistake is inside this op.',
    },
    cause: {
      title: 'The cause by name',
      says:
        'Layerscope can make the mistakes that engines make. Each that changes this op is run on their inputs: ' +
        'the one that gives their numbers is the cause.',
      means: 'One gives their numbers, and no other comes near: that is the mistake to look for in their code.',
    },
    next: {
      title: 'Mended, and what to look at next',
      says: 'The stranger takes the mistake out and runs once more; the map is found anew.',
      means:
        'That this text agrees does not prove the rest: what is not seen needs a prompt and one token more. To read on: ' +
        'the page of this mistake, checks of a dump that need no reference, and all mistakes that Layerscope knows.',
    },
  },
  inACell: 'In a cell:',
  goOn: 'Enter to go on ',
  labels: {
    text: 'Text',
    files: 'Files',
    theyGoOn: 'They go on',
    weGoOn: 'We go on',
    certain: 'Certain',
    open: 'Open',
    verdict: 'Verdict',
    differs: 'Differs',
    tensor: 'Tensor',
    where: 'Where',
    values: 'Values',
    rms: 'RMS',
    error: 'Error',
    fed: 'Input',
    onOurs: 'On ours',
    onTheirs: 'On theirs',
    tried: 'Tried',
    cause: 'Cause',
    unseen: 'Not seen',
  },
  files: (count, size, some) => `${count}, ${size}: ${some}, …`,
  pairs: (certain, total) => `${certain} of ${total}:`,
  tensors: (count) => `${count}`,
  differs: (theirs, reference) => `theirs ${theirs}; reference ${reference}`,
  place: (op, layer, token, head) =>
    places([
      ['op ', op],
      ['layer ', layer],
      ['token ', token],
      ['head ', head],
    ]).join(', '),
  rmsRatio: (ratio) => `theirs / reference = ${ratio}`,
  error: (error, cosine) => `relative RMS error ${error}, cosine ${cosine}`,
  onOurs: (error) => `our op is ${error} from what we recorded`,
  onTheirs: (error, allowed) => `our op is ${error} from what they recorded; allowed is ${allowed}`,
  tried: (count) => `${count} that give different numbers here; how far each is from theirs:`,
  noFault: '(our op as it is)',
  agreed: (tensors) => `in all ${tensors} tensors`,
  closing: (folder) => `Its files are in ${folder}`,
};

const ja: DemoTexts = {
  opening: (folder) =>
    '壊れたダンプから、それを書いたコードの誤りの名前まで、7段階でたどります。' +
    `すべて同梱モデルで今この場で計算します。ファイルの置き場所は ${folder}`,
  steps: {
    dump: {
      title: '他人のエンジンがモデルを実行する',
      says:
        'このエンジンには誤りが一つあり、独自の名前で生のf32を書き出します。以下の手順には何の誤りかを教えません。' +
        '自分のエンジン用の書き出しコード(Rust、C、Python、Swift)は次で表示できます。',
      means: '次に来る単語が違います。多くのテンソルのうち、最初に間違ったのはどれでしょうか。',
    },
    names: {
      title: '相手のどのテンソルが、こちらのどれか',
      says: '名前が違うので、値と名前と計算の順序から対応表を作ります。当て推量はしません。',
      means: '未定のものは、誤りより後ろではよくあることですが、こちらのどの値とも十分に合いません。残りで足ります。',
    },
    refused: {
      title: '同じ実験か',
      says: '数値を一つでも比べる前に、両者が同じトークンを同じ重みで実行したかを確かめます。',
      means: '文頭の<s>(BOS)が抜けていました。このまま比べると全テンソルが食い違い、誤りについては何も分かりません。',
    },
    parts: {
      title: '最初に食い違うテンソル',
      says: '<s>を付けて実行し直し、計算の順に全テンソルを比べます。',
      means: '回転は長さを変えないので、RMSだけを見ていては気づけません。値そのものを比べる必要があります。',
    },
    made: {
      title: 'そこで生じたのか、受け継いだのか',
      says: '演算は正しく、入力が間違っているのかもしれません。そこで相手の入力をこちらの演算に通し、相手の出力と比べます。',
      means: '入力は正しいのに出力が違います。誤りはこの演算の中にあります。',
    },
    cause: {
      title: '原因の名前',
      says:
        'Layerscopeはエンジンにありがちな誤りをわざと起こせます。この演算を変える誤りを一つずつ相手の入力で試し、' +
        '相手の数値を再現したものが原因です。',
      means: '一つだけが相手の数値を再現し、ほかは遠く離れています。相手のコードで探すべき誤りはこれです。',
    },
    next: {
      title: '修正の確認と、次に見るもの',
      says: '誤りを直してもう一度実行し、対応表も作り直します。',
      means:
        'この文で一致しても、残りが正しいとは言えません。未確認のものは、プロンプトの後にもう1トークン実行すれば見えます。' +
        '続きは、この誤りの解説、基準なしでできるダンプの検査、Layerscopeが知る誤りの一覧です。',
    },
  },
  inACell: 'セルでは:',
  goOn: 'Enterで次へ ',
  labels: {
    text: '文',
    files: 'ファイル',
    theyGoOn: '相手の続き',
    weGoOn: '正しい続き',
    certain: '確実',
    open: '未定',
    verdict: '判定',
    differs: '相違',
    tensor: 'テンソル',
    where: '場所',
    values: '値',
    rms: 'RMS',
    error: '誤差',
    fed: '入力',
    onOurs: '基準側',
    onTheirs: '相手側',
    tried: '試した数',
    cause: '原因',
    unseen: '未確認',
  },
  files: (count, size, some) => `${count}個、${size}: ${some} など`,
  pairs: (certain, total) => `${total}個中${certain}個`,
  tensors: (count) => `${count}個`,
  differs: (theirs, reference) => `相手 ${theirs}、基準 ${reference}`,
  place: (op, layer, token, head) =>
    places([
      ['演算 ', op],
      ['層 ', layer],
      ['トークン ', token],
      ['ヘッド ', head],
    ]).join('、'),
  rmsRatio: (ratio) => `相手 / 基準 = ${ratio}`,
  error: (error, cosine) => `相対RMS誤差 ${error}、コサイン ${cosine}`,
  onOurs: (error) => `こちらの演算と基準の記録との差は ${error}`,
  onTheirs: (error, allowed) => `こちらの演算と相手の記録との差は ${error} (許容 ${allowed})`,
  tried: (count) => `この演算の数値を変えるもの ${count}個。相手の数値との差:`,
  noFault: '(誤りなし)',
  agreed: (tensors) => `${tensors}個すべてのテンソルで`,
  closing: (folder) => `ファイルの置き場所: ${folder}`,
};

export const demoTexts: Readonly<Record<Language, DemoTexts>> = { en, ja };

/** What is known of a place, each with its word before it. */
function places(parts: readonly (readonly [word: string, value: string | number | null])[]): string[] {
  return parts.flatMap(([word, value]) => (value === null ? [] : [`${word}${value}`]));
}
