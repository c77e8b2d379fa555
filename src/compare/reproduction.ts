/** A divergence as a cell that the reader pastes: what the op gives on the recorded inputs, beside what was recorded. */
import type { Divergence } from './comparison.ts';
import type { Recorded } from './isolation.ts';

/** The cell's text; each line stands for itself. */
export function reproductionOf(
  { name, index, pass, isolation }: Omit<Divergence, 'reproduction'>,
  { ours, reference }: { readonly ours: Recorded; readonly reference: Recorded },
): string {
  const model = `const model = await openModel(${text(fileOf(ours) ?? fileOf(reference) ?? 'model.gguf')});`;
  const at = index.length > 0 ? `.at(${index.join(', ')})` : '';
  const passed = pass === 0 ? '' : `, { pass: ${pass} }`;
  const read = (trace: string) => `(await ${trace}.tensor(${text(name)}${passed}))${at}`;
  if (!isolation) {
    return [
      model,
      `const ours = ${opening(ours)};`,
      `const reference = ${opening(reference)};`,
      `[${read('ours')}, ${read('reference')}]`,
    ].join('\n');
  }
  const side =
    isolation.madeBy === 'ours' && isolation.onOurs !== null && isBeyond(isolation.onOurs, isolation)
      ? ours
      : reference;
  return [
    model,
    `const recorded = ${opening(side)};`,
    `const ours = await rerun(model, ${text(name)}, recorded${passed});`,
    `[ours${at}, ${read('recorded')}]`,
  ].join('\n');
}

function isBeyond(error: number, { tolerance }: NonNullable<Divergence['isolation']>): boolean {
  return error > tolerance.limit;
}

function fileOf({ trace }: Recorded): string | null {
  const { file } = trace.manifest;
  return typeof file === 'string' ? file : null;
}

/** How a cell gets the trace again. */
function opening({ trace, label }: Recorded): string {
  const { producer, tokens = [], passes } = trace.manifest;
  if (label.endsWith('.arrow')) return `await readArrow(${text(label)})`;
  const ids = `[${tokens.join(', ')}]`;
  if (producer === 'llama.cpp') {
    const cut = Array.isArray(passes) && passes.length > 1 ? `, { passes: [${passes.join(', ')}] }` : '';
    return `await llamaCpp(${text(fileOf({ trace, label }) ?? 'model.gguf')}).trace(${ids}${cut})`;
  }
  if (producer === 'layerscope') return `(await model.start(${ids}).toEnd()).trace`;
  return `await readDump(${text(label)}, { model })`;
}

function text(value: string): string {
  return JSON.stringify(value);
}
