/** `layerscope info`: what a GGUF file is: sizes, types, tokenizer, tensors. */
import { Command } from 'commander';
import prettyBytes from 'pretty-bytes';
import type { Model } from '../engine/model.ts';
import { table, visible } from '../notebook/display/plain_text.ts';
import { sizeOf } from '../ops/shape.ts';
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
      const shown = [table(factRows(model)), ...(tensors ? [tensorTable(model)] : []), `Look inside: ${next}`];
      process.stdout.write(`${shown.join('\n\n')}\n`);
    });
}

const tensorsOf = ({ gguf }: Model) => [...gguf.tensors.values()];

const parametersOf = (model: Model) => tensorsOf(model).reduce((sum, { shape }) => sum + sizeOf(shape), 0);

const nameOf = ({ gguf }: Model) => {
  const name = gguf.metadata.get('general.name');
  return typeof name === 'string' ? name : null;
};

const hasChat = ({ gguf }: Model) => gguf.metadata.has('tokenizer.chat_template');

function facts(model: Model) {
  const { name: file, config, gguf, tokenizer, steps } = model;
  const { kind, vocabSize, bos, eos, addBos } = tokenizer;
  return {
    file,
    bytes: gguf.source.size,
    version: gguf.version,
    name: nameOf(model),
    config,
    parameters: parametersOf(model),
    steps: steps.length,
    tokenizer: { kind, vocabSize, bos: bos ?? null, eos: eos ?? null, addBos, chatTemplate: hasChat(model) },
    tensors: tensorsOf(model).map(({ name, type, shape, byteLength }) => ({ name, type, shape, byteLength })),
  };
}

function factRows(model: Model): string[][] {
  const { config, gguf, tokenizer, steps } = model;
  const { nLayer, nEmbd, nHead, nHeadKv, headDim, nFf, nVocab, nCtx, ropeBase, ropeScale, eps } = config;
  const types = new Map<string, number>();
  for (const { type, byteLength } of tensorsOf(model)) types.set(type, (types.get(type) ?? 0) + byteLength);
  const ofToken = (id: number | undefined) => (id === undefined ? 'none' : `${visible(tokenizer.piece(id))} (${id})`);
  return [
    ['file', `${model.name} (${prettyBytes(gguf.source.size)}, GGUF v${gguf.version})`],
    ['name', visible(nameOf(model) ?? '–')],
    ['parameters', `${(parametersOf(model) / 1e6).toPrecision(3)} million`],
    ['types', [...types].map(([type, bytes]) => `${type} ${prettyBytes(bytes)}`).join(', ')],
    ['layers', `${nLayer}, which makes ${steps.length} steps a pass`],
    ['width', `${nEmbd} (embd), ${nFf} inside the feed-forward (ff)`],
    ['heads', `${nHead} for queries, ${nHeadKv} for keys and values, of ${headDim}`],
    ['context', `${nCtx} tokens; RoPE base ${ropeBase}${ropeScale === 1 ? '' : `, positions × ${ropeScale}`}`],
    ['norm', `rms_norm with eps ${Number(eps.toPrecision(6))}`],
    [
      'vocabulary',
      `${nVocab} tokens, ${tokenizer.kind.toUpperCase()}; output ${config.tiedEmbeddings ? 'tied to it' : 'its own'}`,
    ],
    [
      'begins, ends',
      `${ofToken(tokenizer.bos)}${tokenizer.addBos ? '' : ', not put first'}, ${ofToken(tokenizer.eos)}`,
    ],
    ['chat', hasChat(model) ? 'has a template: --chat works' : 'no template: --chat does not work'],
  ];
}

function tensorTable(model: Model): string {
  const rows = tensorsOf(model).map(({ name, type, shape, byteLength }) => [
    visible(name),
    type,
    `[${shape.join(', ')}]`,
    prettyBytes(byteLength),
  ]);
  return table([['tensor', 'type', 'shape', 'size'], ...rows], ['left', 'left', 'left', 'right']);
}
