/** `layerscope generate`: continues a text, and shows what the sampler did. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Sampled } from '../engine/run.ts';
import type { SamplerOptions } from '../engine/sampler.ts';
import {
  type BackendName,
  backendOption,
  jsonOption,
  openFor,
  type PromptOptions,
  printJson,
  promptOptions,
  promptTokens,
  withProgress,
} from './model.ts';
import { short, table, visible } from './table.ts';

interface GenerateOptions extends PromptOptions, SamplerOptions {
  readonly n: number;
  readonly stages?: boolean;
  readonly backend?: BackendName;
  readonly json?: boolean;
}

export function generateCommand(): Command {
  const number = (name: string, text: string, fallback?: number) =>
    new Option(`${name} <number>`, text).argParser(readNumber).default(fallback);
  const command = new Command('generate')
    .description('continue a text token by token')
    .argument('<model>', 'a GGUF file, or ollama:NAME')
    .addOption(number('-n', 'tokens to draw', 64))
    .addOption(number('--temperature', 'divides the logits; 0 is greedy', 0))
    .addOption(number('--top-k', 'keep the k largest; 0 keeps all'))
    .addOption(number('--top-p', 'keep the fewest that add up to p'))
    .addOption(number('--min-p', 'keep those at least this fraction of the largest'))
    .addOption(number('--repetition-penalty', 'weakens recent tokens; 1 changes nothing'))
    .addOption(number('--penalty-last-n', 'how many tokens are recent'))
    .addOption(number('--seed', 'seeds the draws', 0))
    .option('--stages', "show each token's rank and probability after every stage of the sampler")
    .addOption(backendOption())
    .addOption(jsonOption());
  for (const option of promptOptions()) command.addOption(option);
  return command.action(generate);
}

async function generate(path: string, options: GenerateOptions): Promise<void> {
  const model = await openFor(path, options.backend);
  const tokens = promptTokens(model, options);
  const run = model.start(tokens, { select: 'none', statistics: false });
  const text = model.tokenizer.stream();
  const show = !options.json && !options.stages;
  const onToken = ({ token }: Sampled) => {
    if (show) process.stdout.write(text.push(token));
  };
  await withProgress('prompt', (move) => run.toEnd(move));
  await withProgress('', ({ signal }) => run.generate(options.n, { ...sampling(options), signal, onToken }));
  if (show) process.stdout.write(`${text.end()}\n`);
  if (options.json) {
    const drawn = run.sampled.map(({ token, piece, stages }) => ({ token, piece, stages }));
    printJson({
      text: model.tokenizer.decode(run.sampled.map(({ token }) => token)),
      tokens: run.tokens,
      sampled: drawn,
    });
  } else if (options.stages) {
    const names = run.sampled[0]?.stages.map(({ name }) => name) ?? [];
    const rows = run.sampled.map(({ piece, stages }) => [
      `│${visible(piece)}│`,
      ...stages.map(
        ({ rank, probability, removed }) => `#${rank} ${short(probability)}${removed > 0 ? ` (−${removed})` : ''}`,
      ),
    ]);
    process.stdout.write(`${table([['token', ...names], ...rows])}\n`);
  }
}

/** Only what was given: the sampler has its own defaults. */
function sampling({
  temperature,
  topK,
  topP,
  minP,
  repetitionPenalty,
  penaltyLastN,
  seed,
}: SamplerOptions): SamplerOptions {
  const given = { temperature, topK, topP, minP, repetitionPenalty, penaltyLastN, seed };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function readNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
}
