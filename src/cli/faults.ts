/** `layerscope faults`: the faults that can be put into the engine, as a list or one of them with its page. */
import { Command, Option } from 'commander';
import type { Effect, Page, Probe } from '../engine/faults/index.ts';
import { shownWidth, table } from '../trace/plain_text.ts';
import { jsonOption, printJson } from './model.ts';
import { bold, commandLine, type Language, wrapped } from './terminal.ts';

interface FaultsOptions {
  readonly lang: Language;
  readonly json?: boolean;
}

export function faultsCommand(): Command {
  return new Command('faults')
    .description('list mistakes that engines make and ours can make on purpose, or show one')
    .argument('[name]', 'the one to show')
    .addOption(new Option('--lang <language>', 'the language of the pages').choices(['en', 'ja']).default('en'))
    .addOption(jsonOption())
    .action(showFaults);
}

/** Layers of the shipped model, of which a page names tensors. */
const LAYERS = 6;
/** Columns of a page. */
const COLUMNS = 100;

async function showFaults(name: string | undefined, { lang, json }: FaultsOptions): Promise<void> {
  const { faultNamed, faults, pageOf } = await import('../engine/faults/index.ts');
  if (name === undefined) {
    const pages = faults.map((fault) => pageOf(fault, LAYERS));
    if (json) return printJson(pages);
    process.stdout.write(`${listText(pages, lang)}\n`);
    return;
  }
  const page = pageOf(faultNamed(name), LAYERS);
  if (json) return printJson(page);
  process.stdout.write(`${pageText(page, lang)}\n`);
}

const PROBES: readonly Probe[] = ['oneToken', 'prefill', 'decode'];

/** What a page says beside the fault's own text. */
const WORDS = {
  en: {
    name: 'name',
    probes: { oneToken: 'one token', prefill: 'prefill of 8', decode: 'decode' },
    effects: { seen: 'seen', 'tensor only': 'tensor only', rounding: 'rounding', 'no effect': '–' },
    shows: 'What it shows',
    effect: 'logits',
    first: 'first tensor that differs',
    layers: `(default parameters, a model of ${LAYERS} layers; a decode: what its own pass shows)`,
    params: 'Parameters',
    none: 'none',
    who: 'Who made it',
    use: 'Put it in',
    next: 'One of them',
    legend: [
      'seen: the logits change. tensor only: tensors change, the logits do not. rounding: nothing beyond rounding',
      'changes unless numbers overflow. –: no bit changes. One token: at position 0, without BOS.',
    ].join('\n'),
  },
  ja: {
    name: '名前',
    probes: { oneToken: '1トークン', prefill: 'プリフィル(8)', decode: 'デコード' },
    effects: { seen: '現れる', 'tensor only': 'テンソルのみ', rounding: '丸め誤差', 'no effect': '–' },
    shows: '現れ方',
    effect: 'logits',
    first: '最初に差が出るテンソル',
    layers: `(既定のパラメータ、${LAYERS}層のモデルの場合。デコードはそのパス自身のテンソル)`,
    params: 'パラメータ',
    none: 'なし',
    who: '実例',
    use: '使い方',
    next: '詳細の表示例',
    legend: [
      '現れる: logitsが変わる。テンソルのみ: テンソルは変わるがlogitsは変わらない。',
      '丸め誤差: オーバーフローしない限り丸め誤差程度。–: 1ビットも変わらない。1トークン: 位置0、BOSなし。',
    ].join('\n'),
  },
} as const satisfies Record<Language, { effects: Record<Effect, string>; [word: string]: unknown }>;

const titleOf = ({ title, ja }: Page, lang: Language): string => (lang === 'ja' ? ja.title : title);

function listText(pages: readonly Page[], lang: Language): string {
  const words = WORDS[lang];
  const head = [words.name, ...PROBES.map((probe) => words.probes[probe]), ''];
  const rows = pages.map((page) => [
    page.name,
    ...PROBES.map((probe) => words.effects[page.shows[probe].effect]),
    titleOf(page, lang),
  ]);
  const next = commandLine('faults', 'rope-pairing', ...(lang === 'ja' ? ['--lang', 'ja'] : []));
  return [table([head, ...rows]), words.legend, `${words.next}: ${next}`].join('\n\n');
}

function pageText(page: Page, lang: Language): string {
  const words = WORDS[lang];
  const shows = table([
    ['', ...PROBES.map((probe) => words.probes[probe])],
    [words.effect, ...PROBES.map((probe) => words.effects[page.shows[probe].effect])],
    [words.first, ...PROBES.map((probe) => page.shows[probe].firstTensor ?? '–')],
  ]);
  const params = page.params.map((param) => [param.name, ...paramText(param)]);
  const who = page.whoMadeIt.map(({ project, note, link }) => [project, note, ...(link ? [link] : [])]);
  return [
    `${page.name}: ${bold(titleOf(page, lang))}`,
    wrapped(lang === 'ja' ? page.ja.what : page.what, COLUMNS, lang),
    `${bold(words.shows)} ${words.layers}\n${shows}`,
    `${bold(words.params)}${params.length > 0 ? `\n${definitions(params)}` : `  ${words.none}`}`,
    ...(who.length > 0 ? [`${bold(words.who)}\n${definitions(who)}`] : []),
    `${words.use}: model.with(fault('${page.name}'))`,
  ].join('\n\n');
}

function paramText({ what, default: value, choices }: Page['params'][number]): string[] {
  const known = [...(choices ? [choices.join(', ')] : []), ...(value === null ? [] : [`default ${value}`])];
  return [known.length > 0 ? `${what} (${known.join('; ')})` : what];
}

/** Words with what they mean beside them, a paragraph to each text. */
function definitions(rows: readonly (readonly string[])[]): string {
  const width = Math.max(...rows.map(([word = '']) => shownWidth(word)));
  return rows
    .flatMap(([word = '', ...texts]) =>
      texts
        .flatMap((text) => wrapped(text, COLUMNS - width - 4, 'en').split('\n'))
        .map((line, i) => `  ${i === 0 ? word + ' '.repeat(width - shownWidth(word)) : ' '.repeat(width)}  ${line}`),
    )
    .join('\n');
}
