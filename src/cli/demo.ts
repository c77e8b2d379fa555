/**
 * `layerscope demo`: a hunt from a stranger's broken dump to the mistake that made it, in a terminal. Every step does the
 * work that its command does, shows what came of it, and stops where that is not what its text speaks of.
 */
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import prettyBytes from 'pretty-bytes';
import type { Cause, Comparison, Divergence } from '../compare/comparison.ts';
import { type TensorMap, writeMap } from '../compare/map/tensor_map.ts';
import { errorText, f32Text } from '../compare/report/tensor_table.ts';
import type { Model } from '../engine/model.ts';
import { LayerscopeError, UsageError } from '../errors.ts';
import type { Run } from '../index.ts';
import type { BackendName } from '../node/backend.ts';
import { table } from '../trace/plain_text.ts';
import type { Tensor } from '../trace/tensor.ts';
import { shown, tokenLabel } from '../trace/token_label.ts';
import type { Trace } from '../trace/trace.ts';
import { nextToken, strangersModel, strangersRun } from './demo_engine.ts';
import { type Shown, Telling } from './demo_telling.ts';
import { type DemoTexts, demoTexts } from './demo_texts.ts';
import { backendOption, openFor, shippedModel } from './model.ts';
import { mustBeWritable, writeText } from './output_file.ts';
import { withBar } from './progress.ts';
import { bold, type Language, shownPath } from './terminal.ts';

const TEXT = 'Lily gave the ball to Tom. Tom thanked';
/** Tensors of ours whose names of theirs are shown. */
const EXAMPLES = ['embd', 'attn_norm-0', 'Qcur-0', 'Qcur_rope-0'];
/** Faults that are listed. */
const LISTED = 4;

interface DemoOptions {
  readonly keep?: string;
  readonly fast?: boolean;
  readonly lang?: Language;
  readonly backend?: BackendName;
}

export function demoCommand(): Command {
  return new Command('demo')
    .description("from a stranger's broken dump to the named mistake behind it, step by step, in a few minutes")
    .option('--keep <folder>', 'where its files go, a new or empty folder (default: a new one for temporary files)')
    .option('--fast', 'do not wait for Enter between steps')
    .addOption(
      new Option('--lang <language>', 'its language (default: ja where LANG begins so, else en)').choices(['en', 'ja']),
    )
    .addOption(backendOption())
    .action(demo);
}

/** What every step works with. */
interface Place {
  readonly folder: string;
  readonly model: Model;
  /** The model as a command names it. */
  readonly file: string;
  readonly lang: Language;
  readonly texts: DemoTexts;
  readonly telling: Telling;
}

async function demo({ keep, fast, lang = languageOf(process.env), backend }: DemoOptions): Promise<void> {
  const path = shippedModel();
  const model = await openFor(path, backend);
  const folder = keep === undefined ? await mkdtemp(join(tmpdir(), 'layerscope-demo-')) : await emptyFolder(keep);
  const texts = demoTexts[lang];
  const telling = new Telling(texts, lang, !fast && process.stdin.isTTY && process.stdout.isTTY);
  const place: Place = { folder, model, file: shownPath(path), lang, texts, telling };
  telling.say(texts.opening(shownPath(folder)));

  const ours = await withBar((onProgress) => model.start(TEXT).toEnd({ onProgress }));
  await strangersEngineRuns(place, ours);
  const map = await namesAreFound(place);
  await comparisonIsRefused(place, ours, map);
  const parted = await firstDivergenceIsFound(place, ours, map);
  await opIsRunAlone(place, parted.divergence);
  const cause = await causeIsNamed(place, parted);
  await mendedEngineAgrees(place, ours, cause);
  telling.say(`\n${texts.closing(shownPath(folder))}`);
}

/** ja where the environment asks for it, as setlocale(3) reads it. */
function languageOf({ LC_ALL, LC_MESSAGES, LANG }: NodeJS.ProcessEnv): Language {
  return (LC_ALL || LC_MESSAGES || LANG || '').startsWith('ja') ? 'ja' : 'en';
}

/** Old files among the new would be read as part of a dump. */
async function emptyFolder(folder: string): Promise<string> {
  await mustBeWritable(join(folder, 'map.json'));
  if ((await readdir(folder)).length === 0) return folder;
  throw new UsageError(`Cannot keep the demo's files in ${folder}: it is not empty; name a new folder, or empty it`);
}

/** Throws where the work did not give what the next step speaks of. */
function mustBe(found: unknown, wanted: string): asserts found {
  if (found) return;
  throw new LayerscopeError(`Cannot go on with the demo: wanted ${wanted}, which was not found; please report this`);
}

const DUMPS = { first: 'no_bos', second: 'with_bos', mended: 'mended' } as const;

async function strangersEngineRuns({ folder, model, file, texts, telling }: Place, ours: Run): Promise<void> {
  telling.begin('dump', { calls: [['recipe', file, '--prompt', TEXT, '--lang', 'rust']] });
  const tokens = model.tokenize(TEXT, { bos: false });
  const { files, bytes, next } = await strangersRun(await strangersModel(model), tokens, join(folder, DUMPS.first));
  await ours.trace.writeArrow(join(folder, 'ours.arrow'));
  const right = await nextToken(ours);
  mustBe(next !== right, 'two engines that go on differently');
  const piece = (token: number) => shown(model.tokenizer.piece(token));
  telling.show([
    ['text', TEXT],
    ['files', texts.files(files.length, prettyBytes(bytes), files.slice(1, 3).join(', '))],
    ['theyGoOn', piece(next)],
    ['weGoOn', piece(right)],
  ]);
  await telling.end('dump');
}

/** Their tensors, as they are. */
async function opened({ folder, model }: Place, name: string): Promise<Trace> {
  const { readDump } = await import('../node/dump.ts');
  return readDump(join(folder, name), { model, names: 'theirs' });
}

/** Our run over the tokens of a dump. */
function sameTokens({ model }: Place, { manifest }: Trace): Promise<Run> {
  return model.start(manifest.tokens ?? []).toEnd();
}

async function mapOf(place: Place, dump: Trace): Promise<TensorMap> {
  const { proposeMap } = await import('../compare/map/propose.ts');
  const { trace } = await sameTokens(place, dump);
  return withBar((onProgress) => proposeMap(dump, trace, { onProgress }));
}

async function namesAreFound(place: Place): Promise<TensorMap> {
  const { folder, file, texts, telling } = place;
  const [path, saved] = [shownPath(join(folder, DUMPS.first)), join(folder, 'map.json')];
  telling.begin('names', { calls: [['map', path, file, '--save', shownPath(saved)]] });
  const map = await mapOf(place, await opened(place, DUMPS.first));
  await writeText(saved, writeMap(map));
  const { matches, questions } = map;
  mustBe(matches.length > questions.length && questions.length > 0, 'a map with most tensors certain, and some open');
  const examples = EXAMPLES.flatMap((name) => matches.filter(({ ours }) => ours === name));
  telling.show([
    ['certain', texts.pairs(matches.length, matches.length + questions.length)],
    ...examples.map(({ theirs, ours }): Shown => [null, `${theirs} = ${ours}`]),
    ['open', texts.tensors(questions.length)],
  ]);
  await telling.end('names');
  return map;
}

/** Compares a dump of theirs, under our names, with our run. */
async function compared(place: Place, ours: Run, name: string, map: TensorMap): Promise<[Trace, Comparison]> {
  const { compare, mapped } = await import('../index.ts');
  const dump = await opened(place, name);
  const theirs = mapped(dump, map, (await sameTokens(place, dump)).trace);
  const comparison = await withBar((onProgress) =>
    compare(theirs, ours, { onProgress, labels: { ours: name, reference: 'ours.arrow' } }),
  );
  return [theirs, comparison];
}

/** The command that compares so. */
function compareCall({ folder, file }: Place, name: string, map = 'map.json'): string[] {
  const [dump, ours, saved] = [name, 'ours.arrow', map].map((each) => shownPath(join(folder, each)));
  return ['compare', dump as string, ours as string, '--model', file, '--map', saved as string];
}

async function comparisonIsRefused(place: Place, ours: Run, map: TensorMap): Promise<void> {
  const { texts, telling } = place;
  telling.begin('refused', { calls: [compareCall(place, DUMPS.first)] });
  const [, comparison] = await compared(place, ours, DUMPS.first, map);
  const { verdict, refused: differences } = comparison;
  mustBe(verdict === 'refused' && differences.some(({ kind }) => kind === 'bos'), 'a refusal for a missing BOS');
  telling.show([
    ['verdict', bold(verdict)],
    ...differences.map((each): Shown => ['differs', `${each.kind}: ${texts.differs(each.ours, each.reference)}`]),
  ]);
  await telling.end('refused');
}

interface Parted {
  readonly theirs: Trace;
  readonly divergence: Divergence;
  /** What compare itself says of it. */
  readonly cause: Cause | null;
}

async function firstDivergenceIsFound(place: Place, ours: Run, map: TensorMap): Promise<Parted> {
  const { folder, model, texts, telling } = place;
  telling.begin('parts', { calls: [compareCall(place, DUMPS.second)] });
  await strangersRun(await strangersModel(model), ours.tokens, join(folder, DUMPS.second));
  const [theirs, comparison] = await compared(place, ours, DUMPS.second, map);
  const { verdict, firstDivergence: divergence, tensors, cause } = comparison;
  mustBe(verdict === 'bug' && divergence, 'a bug and its first divergence');
  const { name, op, layer, token, head, pass } = divergence;
  const measure = tensors.find((each) => each.name === name && each.pass === pass)?.measure;
  mustBe(measure, `values of ${name} on both sides`);
  telling.show([
    ['verdict', bold(verdict)],
    ['tensor', bold(name)],
    ['where', texts.place(op, layer, token === null ? '–' : tokenLabel(ours.trace, token), head)],
    ['values', texts.differs(f32Text(divergence.ours), f32Text(divergence.reference))],
    ['rms', texts.rmsRatio(measure.rmsRatio.toFixed(3))],
    ['error', texts.error(errorText(measure.relativeRmsError), measure.cosine.toFixed(3))],
  ]);
  await telling.end('parts');
  return { theirs, divergence, cause };
}

/** A cell's lines that open the dump under our names. */
function openingCell({ folder, file }: Place): string[] {
  return [
    "import { readFile } from 'node:fs/promises';",
    `const folder = ${JSON.stringify(shownPath(folder))};`,
    `const model = await openModel(${JSON.stringify(file)});`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the cell's own
    "const map = readMap(await readFile(`${folder}/map.json`, 'utf8'));",
    'const names = Object.fromEntries(map.matches.map((each) => [each.theirs, each.ours]));',
    `const theirs = await readDump(\`\${folder}/${DUMPS.second}\`, { model, names });`,
  ];
}

async function opIsRunAlone(place: Place, { name, isolation }: Divergence): Promise<void> {
  const { texts, telling } = place;
  telling.begin('made', {
    cell: [
      ...openingCell(place),
      `const output = await rerun(model, '${name}', theirs);`,
      `const recorded = await theirs.tensor('${name}');`,
      'output.sub(recorded).norm() / recorded.norm()',
    ],
  });
  mustBe(isolation?.outcome === 'made' && isolation.madeBy === 'ours', 'an error that their op makes');
  const { inputs, onReference, onOurs, tolerance } = isolation;
  mustBe(onReference !== null && onOurs !== null, `the inputs of ${name} on both sides`);
  telling.show([
    ['fed', inputs.join(', ')],
    ['onOurs', texts.onOurs(errorText(onReference))],
    ['onTheirs', texts.onTheirs(errorText(onOurs), errorText(tolerance.limit))],
  ]);
  await telling.end('made');
}

/** How far our op, with a fault or none, is from what they recorded, on their inputs. */
interface Tried {
  readonly fault: string | null;
  /** Relative RMS error. */
  readonly error: number;
}

/** Our op on their inputs, healthy and with each fault that changes what it gives there; the nearest first. */
async function triedOn(model: Model, theirs: Trace, { name, pass }: Divergence): Promise<Tried[]> {
  const { faults, rerun } = await import('../index.ts');
  const on = { pass, backend: 'reference' } as const;
  const recorded = await theirs.tensor(name, { pass });
  const errorOf = (output: Tensor) => output.sub(recorded).norm() / recorded.norm();
  const healthy = errorOf(await rerun(model, name, theirs, on));
  const tried: Tried[] = [{ fault: null, error: healthy }];
  for (const { name: each } of faults) {
    const faulty = await withFault(model, each);
    if (!faulty) continue;
    const error = errorOf(await rerun(faulty, name, theirs, on));
    if (error !== healthy) tried.push({ fault: each, error });
  }
  return tried.sort((a, b) => a.error - b.error);
}

/** Null where a model of this kind cannot have the fault, such as a tied embedding. */
async function withFault(model: Model, name: string): Promise<Model | null> {
  const { fault } = await import('../index.ts');
  try {
    return model.with(fault(name));
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
}

/** A cause is that much nearer than anything else. */
const CLEARLY = 10;

async function causeIsNamed(place: Place, { theirs, divergence, cause }: Parted): Promise<string> {
  const { model, lang, texts, telling } = place;
  telling.begin('cause', {
    cell: [
      'for (const { name } of faults) try {',
      `  const output = await rerun(model.with(fault(name)), '${divergence.name}', theirs);`,
      '  console.log(name, output.sub(recorded).norm() / recorded.norm());',
      '} catch { /* this model cannot have it */ }',
    ],
  });
  const tried = await triedOn(model, theirs, divergence);
  const [best, second] = tried;
  mustBe(best?.fault && second && CLEARLY * best.error < second.error, 'one fault that fits, and no other');
  mustBe(cause?.certainty === 'named' && cause.fault === best.fault, 'the same fault, named by compare');
  const { faultNamed } = await import('../index.ts');
  const { title, ja } = faultNamed(best.fault);
  const { tolerance } = divergence.isolation ?? {};
  mustBe(tolerance && best.error <= tolerance.limit, 'a fault that gives their numbers up to rounding');
  const rows = tried.slice(0, LISTED).map((each) => [each.fault ?? texts.noFault, errorText(each.error)]);
  telling.show([
    ['tried', texts.tried(tried.length - 1)],
    ...table(rows, ['left', 'right'])
      .split('\n')
      .map((line): Shown => [null, line]),
    ['cause', `${bold(best.fault)}: ${lang === 'ja' ? ja.title : title}`],
  ]);
  await telling.end('cause');
  return best.fault;
}

async function mendedEngineAgrees(place: Place, ours: Run, cause: string): Promise<void> {
  const { folder, model, file, lang, texts, telling } = place;
  const [path, saved] = [join(folder, DUMPS.mended), join(folder, 'mended.json')];
  telling.begin('next', {
    calls: [
      ['map', shownPath(path), file, '--save', shownPath(saved)],
      compareCall(place, DUMPS.mended, 'mended.json'),
    ],
  });
  await strangersRun(model, ours.tokens, path);
  const map = await mapOf(place, await opened(place, DUMPS.mended));
  await writeText(saved, writeMap(map));
  const [, { verdict, tensors, blindSpots }] = await compared(place, ours, DUMPS.mended, map);
  mustBe(verdict === 'agree' && map.questions.length === 0, 'agreement in every tensor, once the mistake is out');
  telling.show([
    ['verdict', `${bold(verdict)}, ${texts.agreed(tensors.length)}`],
    ['unseen', blindSpots.map(({ suspect }) => suspect).join(', ')],
  ]);
  await telling.end('next');
  const language = lang === 'ja' ? ['--lang', 'ja'] : [];
  telling.commands([
    ['faults', cause, ...language],
    ['check', shownPath(path), '--model', file],
    ['faults', ...language],
  ]);
}
