/** `layerscope tokenize`: a text as pieces and ids. */
import { Command } from 'commander';
import { openModel } from '../node/index.ts';
import { jsonOption, printJson } from './model.ts';
import { table, visible } from './table.ts';

export function tokenizeCommand(): Command {
  return new Command('tokenize')
    .description('show the tokens of a text: position, id, piece')
    .argument('<model>', 'a GGUF file, or ollama:NAME')
    .argument('<text>', 'the text')
    .option('--chat', "put the text into the model's chat template")
    .option('--no-bos', 'do not begin with BOS')
    .addOption(jsonOption())
    .action(async (path: string, text: string, options: { chat?: boolean; bos: boolean; json?: boolean }) => {
      const model = await openModel(path, { backend: 'reference' });
      const ids = model.tokenize(text, { chat: options.chat ?? false, ...(options.bos ? {} : { bos: false }) });
      const pieces = ids.map((id) => model.tokenizer.piece(id));
      if (options.json) return printJson({ ids, pieces });
      const rows = ids.map((id, i) => [`${i}`, `${id}`, `│${visible(pieces[i]!)}│`]);
      process.stdout.write(`${table([['pos', 'id', 'piece'], ...rows], ['right', 'right'])}\n`);
    });
}
