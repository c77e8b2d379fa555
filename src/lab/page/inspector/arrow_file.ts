/** Tensors of a view as a trace file, which `readArrow` and every Arrow reader open. */
import { statisticsOf } from '../../../trace/statistics.ts';
import type { Tensor } from '../../../trace/tensor.ts';
import { version } from '../../../version.ts';
import type { Inspector } from './state.ts';

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
    const row = run.peek()?.rows.findLast((each) => each.name === name);
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
  return new Blob(parts, { type: 'application/vnd.apache.arrow.file' });
}
