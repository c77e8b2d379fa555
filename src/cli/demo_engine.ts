/**
 * The stranger's engine of the demo: the shipped model with a mistake inside, which writes its tensors as somebody else
 * would, raw floats under names of its own.
 */
import { join } from 'node:path';
import type { Model } from '../engine/model.ts';
import type { Run } from '../index.ts';
import { makeFolderFor } from '../node/folder.ts';
import { writeWholeFile } from '../node/whole_file.ts';
import type { Tensor } from '../trace/tensor.ts';

/** The mistake. Nothing that looks for it is told. */
const MISTAKE = 'rope-pairing';

/** What the stranger calls our tensors; a layer's follow `block<i>_`. Of `ffn_silu`, which it fuses, it has none. */
const NAMES: Readonly<Record<string, string>> = {
  embd: 'tok_emb',
  attn_norm: 'attn_norm',
  Qcur: 'wq',
  Kcur: 'wk',
  Vcur: 'wv',
  Qcur_rope: 'q_rot',
  Kcur_rope: 'k_rot',
  kq: 'scores',
  kq_soft_max: 'probs',
  kqv_out: 'context',
  attn_out: 'wo',
  ffn_inp: 'x_mid',
  ffn_norm: 'ffn_norm',
  ffn_gate: 'gate',
  ffn_up: 'up',
  ffn_swiglu: 'act',
  ffn_out: 'down',
  l_out: 'x_out',
  result_norm: 'final_norm',
  result_output: 'logits',
};

export interface StrangersRun {
  /** Names of the files, in the order in which they were written. */
  readonly files: readonly string[];
  readonly bytes: number;
  /** The id that it would say next. */
  readonly next: number;
}

/** The model as the stranger wrote it. */
export async function strangersModel(model: Model): Promise<Model> {
  const { fault } = await import('../engine/faults/index.ts');
  return model.with(fault(MISTAKE));
}

/** Runs the ids and writes `folder`: a file of little-endian floats for each tensor, and a manifest.json with the ids. */
export async function strangersRun(model: Model, tokens: readonly number[], folder: string): Promise<StrangersRun> {
  const run = await model.start(tokens).toEnd();
  const files: string[] = [];
  let bytes = 0;
  for (const name of run.trace.names) {
    const file = fileOf(name);
    if (file === null) continue;
    bytes += await write(join(folder, file), littleEndian(await run.trace.tensor(name)));
    files.push(file);
  }
  const manifest = { tokens, bos: tokens[0] === model.tokenizer.bos };
  await write(join(folder, 'manifest.json'), new TextEncoder().encode(JSON.stringify(manifest)));
  return { files, bytes, next: await nextToken(run) };
}

/** The likeliest after the last token. */
export async function nextToken(run: Run): Promise<number> {
  const logits = await run.trace.tensor('result_output');
  return logits.rows().at(-1)?.topK(1)[0]?.index ?? 0;
}

function fileOf(name: string): string | null {
  const [, stem = '', layer] = /^(.*?)(?:-(\d+))?$/.exec(name) ?? [];
  const theirs = NAMES[stem];
  if (theirs === undefined) return null;
  return `${layer === undefined ? theirs : `block${layer}_${theirs}`}.f32`;
}

function littleEndian({ data }: Tensor): Uint8Array {
  const view = new DataView(new ArrayBuffer(Float32Array.BYTES_PER_ELEMENT * data.length));
  for (const [i, value] of data.entries()) view.setFloat32(Float32Array.BYTES_PER_ELEMENT * i, value, true);
  return new Uint8Array(view.buffer);
}

async function write(path: string, bytes: Uint8Array): Promise<number> {
  await makeFolderFor(path);
  return writeWholeFile(path, (append) => append(bytes));
}
