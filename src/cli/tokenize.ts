/** `layerscope tokenize`: a text as pieces and ids. */
import { Command } from 'commander';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { table, visible } from '../trace/plain_text.ts';
import { jsonOption, MODEL_ARGUMENT, openModel, printJson, readableText } from './model.ts';

interface TokenizeOptions {
  readonly chat?: boolean;
  readonly bos: boolean;
  readonly json?: boolean;
}

export function tokenizeCommand(): Command {
  return new Command('tokenize')
    .description('show the tokens of a text: position, id, piece')
    .argument('<model>', MODEL_ARGUMENT)
    .argument('<text>', 'the text')
    .option('--chat', "put the text into the model's chat template")
    .option('--no-bos', 'do not begin with BOS')
    .addOption(jsonOption())
    .action(tokenize);
}

async function tokenize(path: string, text: string, { chat = false, bos, json }: TokenizeOptions): Promise<void> {
  const { tokenizer, ...model } = await openTokenizer(path);
  const ids = model.tokenize(readableText(text), { chat, ...(bos ? {} : { bos }) });
  if (json) return printJson({ ids, pieces: ids.map((id) => tokenizer.piece(id)) });
  process.stdout.write(`${tokenTable(tokenizer, ids)}\n`);
}

async function openTokenizer(path: string) {
  const model = await openModel(path, { backend: 'reference' });
  return { tokenizer: model.tokenizer, tokenize: model.tokenize.bind(model) };
}

/** With a column for what bytes add up to, where there are such: a character stands at its last byte. */
function tokenTable(tokenizer: Tokenizer, ids: readonly number[]): string {
  const stream = tokenizer.stream({ special: true });
  const rows = ids.map((id, position) => {
    const [piece, completed] = [tokenizer.piece(id), stream.push(id)];
    return { cells: [`${position}`, `${id}`, `│${visible(piece)}│`], completed, isWhole: completed === piece };
  });
  const hasParts = rows.some(({ isWhole }) => !isWhole);
  const head = ['pos', 'id', 'piece', ...(hasParts ? ['together'] : [])];
  const lines = rows.map(({ cells, completed, isWhole }) => (isWhole ? cells : [...cells, visible(completed)]));
  return table([head, ...lines], ['right', 'right']);
}
