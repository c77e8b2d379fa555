/** `layerscope recipe`: how somebody's own engine writes a dump that we read: a writer to paste, and what it has to write. */
import { Command, Option } from 'commander';
import prettyBytes from 'pretty-bytes';
import type { Model } from '../engine/model.ts';
import { table } from '../trace/plain_text.ts';
import {
  jsonOption,
  MODEL_ARGUMENT,
  openModel,
  type PromptOptions,
  printJson,
  promptOf,
  promptOptions,
} from './model.ts';
import { type RecipeLanguageName, recipeLanguages } from './recipe_languages.ts';
import { commandLine, shownPath } from './terminal.ts';

interface RecipeOptions extends PromptOptions {
  readonly lang: RecipeLanguageName;
  readonly out: string;
  readonly select: string;
  readonly json?: boolean;
}

export function recipeCommand(): Command {
  const command = new Command('recipe')
    .description('print a dump writer for your own engine, and the list of tensors that it has to write')
    .argument('<model>', MODEL_ARGUMENT);
  for (const option of promptOptions()) command.addOption(option);
  return command
    .addOption(
      new Option('--lang <name>', 'the language of your engine; the writer in Swift is untried')
        .choices(Object.keys(recipeLanguages))
        .makeOptionMandatory(),
    )
    .option('--out <folder>', 'the folder that it writes', 'dump')
    .option('--select <globs>', "which tensors to list: 'l_out-*', '*-0'", 'all')
    .addOption(jsonOption())
    .action(recipe);
}

async function recipe(path: string, options: RecipeOptions): Promise<void> {
  const model = await openModel(path, { backend: 'reference' });
  const { tokens } = promptOf(model, options);
  model.checkTokens(tokens);
  const { lang, out, select, json } = options;
  const { file, call, code } = recipeLanguages[lang];
  const writer = code(out, manifestText(model, tokens));
  const tensors = await checklist(model, tokens.length, select);
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  if (json) return printJson({ model: model.name, tokens, language: lang, file, code: writer, tensors, bytes });

  const rows = tensors.map(({ name, shape, dims, bytes: each }) => [
    name,
    shape.map((size, axis) => `${dims[axis]} ${size}`).join(', '),
    each.toLocaleString('en'),
  ]);
  const next = commandLine('compare', out, `llama.cpp:${shownPath(path)}`, '--tokens', tokens.join(','));
  process.stdout.write(
    `Save this as ${file}, run the tokens ${tokens.join(',')} and call ${call}\n\n${writer}\n` +
      `What to write: ${tensors.length} tensors, ${prettyBytes(bytes)}. The last axis lies together; leave out what you do not have.\n` +
      `Q and K are paired for RoPE as in GGUF: dimension 2i with 2i + 1.\n\n` +
      `${table([['name', 'shape', 'bytes'], ...rows], ['left', 'left', 'right'])}\n\nThen: ${next}\n`,
  );
}

/** What the writer puts beside the tensors: the ids, without which nothing can be compared. */
function manifestText({ tokenizer }: Model, tokens: readonly number[]): string {
  return JSON.stringify({ tokens, bos: tokens[0] === tokenizer.bos });
}

/** Every tensor of a pass over all tokens, in order of computation, as floats. */
async function checklist(model: Model, nTokens: number, select: string) {
  const { dumpedModel } = await import('../node/dump.ts');
  const chosen = model.names.select(select);
  const shapes = dumpedModel(model).shapes({ nTokens, nPast: 0 });
  return model.steps
    .filter(({ name }) => chosen.has(name))
    .map(({ name, dims }) => {
      const shape = shapes.get(name) ?? [];
      return { name, shape, dims, bytes: shape.reduce((size, axis) => size * axis, 4) };
    });
}
