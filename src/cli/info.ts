/** `layerscope info`: what a GGUF file is: sizes, types, tokenizer, tensors. */
import { Command } from 'commander';
import prettyBytes from 'pretty-bytes';
import { openModel } from '../node/index.ts';
import { jsonOption, printJson } from './model.ts';
import { table } from './table.ts';

export function infoCommand(): Command {
  return new Command('info')
    .description('show what a model is: its sizes, its tokenizer, its tensors')
    .argument('<model>', 'a GGUF file, or ollama:NAME')
    .option('--tensors', 'list every tensor')
    .addOption(jsonOption())
    .action(async (path: string, options: { tensors?: boolean; json?: boolean }) => {
      const model = await openModel(path, { backend: 'reference' });
      const { config, gguf, tokenizer } = model;
      const tensors = [...gguf.tensors.values()];
      const parameters = tensors.reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0);
      const types = new Map<string, number>();
      for (const { type, byteLength } of tensors) types.set(type, (types.get(type) ?? 0) + byteLength);
      if (options.json) {
        const list = tensors.map(({ name, type, shape, byteLength }) => ({ name, type, shape, byteLength }));
        const name = gguf.metadata.get('general.name') ?? null;
        return printJson({ file: model.name, name, config, parameters, steps: model.steps.length, tensors: list });
      }
      const { nLayer, nEmbd, nHead, nHeadKv, headDim, nFf, nVocab, nCtx, ropeBase, ropeScale, eps } = config;
      const rows = [
        ['file', `${model.name} (${prettyBytes(gguf.source.size)}, GGUF v${gguf.version})`],
        ['name', String(gguf.metadata.get('general.name') ?? '–')],
        ['parameters', `${(parameters / 1e6).toFixed(1)} million`],
        ['layers', `${nLayer}, ${model.steps.length} steps a pass`],
        ['width', `embd ${nEmbd}, ff ${nFf}`],
        ['heads', `${nHead}, ${nHeadKv} of them for keys and values, dim ${headDim}`],
        ['context', `${nCtx} tokens, RoPE base ${ropeBase}${ropeScale === 1 ? '' : `, position × ${ropeScale}`}`],
        ['rms_norm eps', `${Number(eps.toPrecision(6))}`],
        [
          'vocabulary',
          `${nVocab} tokens, ${tokenizer.kind.toUpperCase()}${config.tiedEmbeddings ? ', tied to the output' : ''}`,
        ],
        ['types', [...types].map(([type, bytes]) => `${type} ${prettyBytes(bytes)}`).join(', ')],
      ];
      process.stdout.write(`${table(rows)}\n`);
      if (options.tensors) {
        const list = tensors.map(({ name, type, shape, byteLength }) => [
          name,
          type,
          `[${shape.join(', ')}]`,
          prettyBytes(byteLength),
        ]);
        process.stdout.write(`\n${table(list)}\n`);
      }
    });
}
