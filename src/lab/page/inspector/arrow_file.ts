/** Tensors of a view, or all of a run, as a trace file, which `readArrow` and every Arrow reader open. */
import { statisticsOf } from '../../../trace/statistics.ts';
import type { Tensor } from '../../../trace/tensor.ts';
import { version } from '../../../version.ts';
import type { Experiment } from '../../inspector/experiment.ts';
import type { RowCard, RunState } from '../../inspector/requests/move.ts';
import type { Inspector } from './state.ts';

/** As IANA has it. */
const MEDIA_TYPE = 'application/vnd.apache.arrow.file';

export async function arrowFile(tensors: readonly Tensor[], { experiment, opened, run }: Inspector): Promise<Blob> {
  // apache-arrow is large and seldom needed.
  const { ArrowTraceWriter } = await import('../../../trace/arrow_writer.ts');
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const sink = { write: async (bytes: Uint8Array) => void parts.push(bytes.slice()) };
  const tokens = run.peek()?.tokens ?? [];
  const writer = new ArrowTraceWriter(sink, {
    ...{
      producer: 'layerscope inspector',
      version,
      experiment: experiment.peek(),
      prompt: experiment.peek()?.text ?? '',
    },
    ...{ tokens: tokens.map(({ id }) => id), pieces: tokens.map(({ piece }) => piece) },
  });
  const steps = new Map(opened.peek()?.steps.map((step) => [step.name, step]));
  for (const [seq, { name, shape, dims, data }] of tensors.entries()) {
    const step = steps.get(name);
    const row = rowOf(run.peek(), tensors, seq);
    await writer.append(
      {
        ...{ run: 'inspector', seq, pass: row?.pass ?? 0, pos0: row?.pos0 ?? 0, step: name, name },
        ...{ hook: step?.hook ?? null, hf: step?.hf ?? null, layer: step?.layer ?? null, op: step?.op ?? '' },
        ...{ srcDtype: 'f32', shape, dims, statistics: statisticsOf(data), sha256: null, hasValues: true },
      },
      data,
    );
  }
  await writer.end();
  return new Blob(parts, { type: MEDIA_TYPE });
}

/** Everything that the experiment's run has computed, and a sentence of what is in it. Rejects with SessionError. */
export async function runFile(
  { connection }: Pick<Inspector, 'connection'>,
  experiment: Experiment,
): Promise<{ readonly blob: Blob; readonly says: string }> {
  const { tensors, withoutValues, parts, bytes } = await connection.ask('arrow', { experiment });
  const pieces = [bytes];
  for (let part = 1; part < parts; part++) pieces.push((await connection.ask('arrow', { experiment, part })).bytes);
  const without = withoutValues > 0 ? `, of ${withoutValues} the statistics alone: their values are not kept` : '';
  return {
    blob: new Blob(pieces as Uint8Array<ArrayBuffer>[], { type: MEDIA_TYPE }),
    says: `${tensors} tensors${without}`,
  };
}

/** The row of a tensor: where a name is there once for each pass, that of its pass, else the last. */
function rowOf(run: RunState | null, tensors: readonly Tensor[], seq: number): RowCard | undefined {
  const { name } = tensors[seq] as Tensor;
  const rows = run?.rows.filter((row) => row.name === name) ?? [];
  const same = (tensor: Tensor) => tensor.name === name;
  if (tensors.filter(same).length !== rows.length) return rows.at(-1);
  return rows[tensors.slice(0, seq).filter(same).length];
}
