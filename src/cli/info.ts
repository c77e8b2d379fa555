/** `layerscope info`: what a GGUF file is: sizes, types, tokenizer, tensors. */

import { Command } from 'commander';
import type { Model } from '../engine/model.ts';
import { parametersOf } from '../gguf/reader.ts';
import { givenName, hasChat, modelFacts, tensorTable } from '../notebook/display/model.ts';
import { table } from '../trace/plain_text.ts';
import { jsonOption, MODEL_ARGUMENT, openModel, printJson } from './model.ts';
import { commandLine, shownPath } from './terminal.ts';

export function infoCommand(): Command {
  return new Command('info')
    .description('show what a model is: its sizes, its tokenizer, its tensors')
    .argument('<model>', MODEL_ARGUMENT)
    .option('--tensors', 'list every tensor')
    .addOption(jsonOption())
    .action(async (path: string, { tensors, json }: { tensors?: boolean; json?: boolean }) => {
      const model = await openModel(path, { backend: 'reference' });
      if (json) return printJson(facts(model));
      const next = commandLine('trace', shownPath(path), '--prompt', 'Once upon a time');
      const shown = [table(modelFacts(model)), ...(tensors ? [tensorTable(model)] : []), `Look inside: ${next}`];
      process.stdout.write(`${shown.join('\n\n')}\n`);
    });
}

function facts(model: Model) {
  const { name: file, config, gguf, tokenizer, steps } = model;
  const { kind, vocabSize, bos, eos, addBos } = tokenizer;
  return {
    file,
    bytes: gguf.source.size,
    version: gguf.version,
    name: givenName(model),
    config,
    parameters: parametersOf(model.gguf),
    steps: steps.length,
    tokenizer: { kind, vocabSize, bos: bos ?? null, eos: eos ?? null, addBos, chatTemplate: hasChat(model) },
    tensors: [...gguf.tensors.values()].map(({ name, type, shape, byteLength }) => ({ name, type, shape, byteLength })),
  };
}
