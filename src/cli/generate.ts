/** `layerscope generate`: continues a text, and shows what the sampler did. */
import { Command, Option } from 'commander';
import type { Sampled } from '../engine/run.ts';
import { Sampler, type SamplerOptions, type Stage } from '../engine/sampler.ts';
import { UsageError } from '../errors.ts';
import type { BackendName } from '../node/backend.ts';
import { short, table, visible, visibleLines } from '../trace/plain_text.ts';
import {
  backendOption,
  jsonOption,
  MODEL_ARGUMENT,
  number,
  openFor,
  type PromptOptions,
  printJson,
  promptOf,
  promptOptions,
} from './model.ts';
import { withBar } from './progress.ts';

interface GenerateOptions extends PromptOptions, SamplerOptions {
  readonly n: number;
  readonly stages?: boolean;
  readonly backend?: BackendName;
  readonly json?: boolean;
}

const option = (flags: string, text: string) => new Option(`${flags} <number>`, text).argParser(number);

export function generateCommand(): Command {
  const command = new Command('generate')
    .description('continue a text token by token')
    .argument('<model>', MODEL_ARGUMENT);
  for (const each of promptOptions()) command.addOption(each);
  return command
    .addOption(option('-n', 'draw at most so many tokens').default(64))
    .addOption(option('--temperature', 'divides the logits; 0 takes the most likely token (default: 0)'))
    .addOption(option('--top-k', 'keep the k most likely; 0 keeps all (default: 0)'))
    .addOption(option('--top-p', 'keep the fewest whose probabilities add up to p (default: 1)'))
    .addOption(option('--min-p', 'keep those at least this fraction of the most likely (default: 0)'))
    .addOption(option('--repetition-penalty', 'weakens recent tokens; 1 changes nothing (default: 1)'))
    .addOption(option('--penalty-last-n', 'how many tokens are recent (default: 64)'))
    .addOption(option('--seed', 'seeds the draws (default: 0)'))
    .option('--stages', "show each token's rank and probability after every stage of the sampler")
    .addOption(backendOption())
    .addOption(jsonOption())
    .action(generate);
}

async function generate(path: string, options: GenerateOptions): Promise<void> {
  const { n, stages, json } = options;
  if (!Number.isInteger(n) || n < 1) throw new UsageError(`Cannot draw ${n} tokens: -n must be a whole number above 0`);
  const sampling = samplingOf(options);
  const model = await openFor(path, options.backend);
  const { tokens, origin } = promptOf(model, options);
  const run = model.start(tokens, { ...origin, select: 'none', statistics: false });
  await withBar((onProgress) => run.toEnd({ onProgress }));
  if (stages || json) {
    await withBar((onProgress) => run.generate(n, { ...sampling, onProgress }));
    const text = model.tokenizer.decode(
      run.sampled.map(({ token }) => token),
      { prefix: true },
    );
    const { name, tokenizer } = model;
    const prompt = { tokens, pieces: tokens.map((token) => tokenizer.piece(token)) };
    if (json) printJson({ model: name, prompt, sampler: sampling, text, sampled: run.sampled });
    else process.stdout.write(`${stageTable(run.sampled)}\n`);
    return;
  }
  const stream = model.tokenizer.stream();
  const say = (text: string) => process.stdout.write(process.stdout.isTTY ? visibleLines(text) : text);
  await run.generate(n, { ...sampling, onToken: ({ token }) => say(stream.push(token)) });
  say(`${stream.end()}\n`);
}

/** What was given, checked; the sampler has its own defaults. Says so where an option cannot show: nothing is drawn. */
function samplingOf(options: GenerateOptions): SamplerOptions {
  const { temperature, topK, topP, minP, repetitionPenalty, penaltyLastN, seed } = options;
  const all = { temperature, topK, topP, minP, repetitionPenalty, penaltyLastN, seed };
  const given: SamplerOptions = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  new Sampler(given); // Throws UsageError now, and not after a model was read.
  if (!temperature && ['topK', 'topP', 'minP', 'seed'].some((name) => name in given)) {
    process.stderr.write('The temperature is 0, so the most likely token is always taken; draw with --temperature 1\n');
  }
  return given;
}

const STAGE_TITLES: Readonly<Record<Stage['name'], string>> = {
  logits: 'model',
  penalty: 'penalty',
  temperature: 'temperature',
  topK: 'top-k',
  topP: 'top-p',
  minP: 'min-p',
};

/** A row per token, a column per stage. A stage that did nothing for a token is `·` in its row. */
function stageTable(sampled: readonly Sampled[]): string {
  const names = Object.keys(STAGE_TITLES) as Stage['name'][];
  const used = names.filter((name) => sampled.some(({ stages }) => stages.some((stage) => stage.name === name)));
  const rows = sampled.map(({ piece, stages }) => [
    `│${visible(piece)}│`,
    ...used.map((name) => stageCell(stages.find((stage) => stage.name === name))),
  ]);
  const legend = '#rank probability of kept, of the token that was drawn, after each stage';
  return `${table([['token', ...used.map((name) => STAGE_TITLES[name])], ...rows])}\n\n${legend}`;
}

function stageCell(stage: Stage | undefined): string {
  return stage ? `#${stage.rank} ${short(stage.probability)} of ${stage.kept}` : '·';
}
