/** `layerscope models`: the GGUF files that are already on this machine. Nothing is downloaded. */
import { Command } from 'commander';
import prettyBytes from 'pretty-bytes';
import { listModels } from '../node/models.ts';
import { table } from '../trace/plain_text.ts';
import { jsonOption, printJson } from './model.ts';
import { commandLine } from './terminal.ts';

export function modelsCommand(): Command {
  return new Command('models')
    .description('list GGUF files on this machine: caches of Hugging Face, Ollama, LM Studio, llama.cpp')
    .addOption(jsonOption())
    .action(async (options: { json?: boolean }) => {
      const models = await listModels();
      if (options.json) return printJson(models);
      if (models.length === 0) {
        process.stdout.write(
          'The caches of Hugging Face, Ollama, LM Studio and llama.cpp hold no GGUF file.\n' +
            'A file of yours opens by its path: npx layerscope info FILE.gguf\n',
        );
        return;
      }
      const rows = models.map(({ id, bytes, path, problem }) => [
        id,
        bytes > 0 ? prettyBytes(bytes) : '–',
        problem ? `cannot be opened: ${problem}` : path,
      ]);
      process.stdout.write(`${table(rows, ['left', 'right'])}\n`);
      const first = models.find(({ problem }) => !problem);
      if (first) process.stdout.write(`\nOne of them: ${commandLine('info', first.id)}\n`);
    });
}
