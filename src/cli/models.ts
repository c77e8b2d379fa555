/** `layerscope models`: the GGUF files that are already on this machine. Nothing is downloaded. */
import { Command } from 'commander';
import prettyBytes from 'pretty-bytes';
import { listModels } from '../node/index.ts';
import { jsonOption, printJson } from './model.ts';
import { table } from './table.ts';

export function modelsCommand(): Command {
  return new Command('models')
    .description('list GGUF files on this machine: caches of Hugging Face, Ollama, LM Studio, llama.cpp')
    .addOption(jsonOption())
    .action(async (options: { json?: boolean }) => {
      const models = await listModels();
      if (options.json) return printJson(models);
      if (models.length === 0) {
        process.stdout.write('No GGUF file was found in the caches of Hugging Face, Ollama, LM Studio or llama.cpp.\n');
        return;
      }
      const rows = models.map(({ id, bytes, path, problem }) => [id, prettyBytes(bytes), problem ?? path]);
      process.stdout.write(`${table(rows, ['left', 'right'])}\n`);
    });
}
