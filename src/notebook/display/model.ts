/** Models: what they are, and a table of their tensors. */
import prettyBytes from 'pretty-bytes';
import { Model } from '../../engine/model.ts';
import type { TensorInfo } from '../../gguf/reader.ts';
import { parametersOf } from '../../gguf/reader.ts';
import { table, visible } from '../../trace/plain_text.ts';
import { type Align, heading, html, htmlTable, scrolling } from './html.ts';
import { instancesOf } from './kind.ts';

/** Tensors that the plain text names. */
const MOST_LINES = 12;

export const model = instancesOf(Model, (value) => {
  const tensors = [...value.gguf.tensors.values()];
  const { name, adapter } = value.backend;
  const facts = [...modelFacts(value), ['runs on', `${name} (${adapter})`]];
  const bytes = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const total = `${tensors.length} tensors, ${prettyBytes(bytes)}`;
  const rows = tensors.map(tensorRow);
  const left = rows.length - MOST_LINES;
  return {
    'text/html': html`${heading(value.name, total)}
${htmlTable([], facts)}
<details><summary>its ${total}</summary>${scrolling(htmlTable(TENSOR_HEAD, rows, TENSOR_ALIGN))}</details>`.text,
    'text/plain': [
      table(facts),
      '',
      table([TENSOR_HEAD, ...rows.slice(0, MOST_LINES)], TENSOR_ALIGN),
      ...(left > 0 ? [`and ${left} more: ${total} in all`] : []),
    ].join('\n'),
  };
});

const TENSOR_HEAD = ['tensor', 'type', 'shape', 'size'];
const TENSOR_ALIGN: readonly Align[] = ['left', 'left', 'left', 'right'];

function tensorRow({ name, type, shape, byteLength }: TensorInfo): string[] {
  return [visible(name), type, `[${shape.join(', ')}]`, prettyBytes(byteLength)];
}

/** One line per tensor of the file: name, type, shape, size. */
export function tensorTable({ gguf }: Model): string {
  return table([TENSOR_HEAD, ...[...gguf.tensors.values()].map(tensorRow)], TENSOR_ALIGN);
}

/** `general.name` of the file's metadata. */
export function givenName({ gguf }: Model): string | null {
  const name = gguf.metadata.get('general.name');
  return typeof name === 'string' ? name : null;
}

export function hasChat({ gguf }: Model): boolean {
  return gguf.metadata.has('tokenizer.chat_template');
}

/** What to know of a model before running it: pairs of a word and what it is. */
export function modelFacts(model: Model): string[][] {
  const { config, gguf, tokenizer, steps } = model;
  const { nLayer, nEmbd, nHead, nHeadKv, headDim, nFf, nVocab, nCtx, ropeBase, ropeScale, eps } = config;
  const types = new Map<string, number>();
  for (const { type, byteLength } of gguf.tensors.values()) types.set(type, (types.get(type) ?? 0) + byteLength);
  const ofToken = (id: number | undefined) => (id === undefined ? 'none' : `${visible(tokenizer.piece(id))} (${id})`);
  return [
    ['file', `${model.name} (${prettyBytes(gguf.source.size)}, GGUF v${gguf.version})`],
    ['name', visible(givenName(model) ?? '–')],
    ['parameters', `${(parametersOf(model.gguf) / 1e6).toPrecision(3)} million`],
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
    ['chat', hasChat(model) ? 'has a template' : 'no template'],
  ];
}
