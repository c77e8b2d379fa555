/** A divergence as a cell that the reader pastes: what the op gives on the recorded inputs, beside what was recorded. */
import type { Divergence } from './comparison.ts';
import type { Recorded } from './isolation.ts';
import type { Match } from './map/tensor_map.ts';

/** The cell's text; what a line needs stands above it. */
export function reproductionOf(
  { name, index, pass, isolation }: Omit<Divergence, 'reproduction'>,
  { ours, reference }: { readonly ours: Recorded; readonly reference: Recorded },
): string {
  const model = `const model = await openModel(${text(fileOf(ours) ?? fileOf(reference) ?? 'model.gguf')});`;
  const at = index.length > 0 ? `.at(${index.join(', ')})` : '';
  const passed = pass === 0 ? '' : `, { pass: ${pass} }`;
  const read = (trace: string) => `(await ${trace}.tensor(${text(name)}${passed}))${at}`;
  const needed = [name, ...(isolation?.inputs ?? [])];
  if (!isolation) {
    return [
      model,
      ...openingLines('ours', ours, needed),
      ...openingLines('reference', reference, needed),
      `[${read('ours')}, ${read('reference')}]`,
    ].join('\n');
  }
  const side =
    isolation.madeBy === 'ours' && isolation.onOurs !== null && isBeyond(isolation.onOurs, isolation)
      ? ours
      : reference;
  return [
    model,
    ...openingLines('recorded', side, needed),
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

/** Lines that make `variable` the trace again; of a mapped dump with the names of the tensors that are needed. */
function openingLines(variable: string, recorded: Recorded, needed: readonly string[]): string[] {
  const { tokens = [], map } = recorded.trace.manifest;
  if (!Array.isArray(map)) return [`const ${variable} = ${opening(recorded)};`];
  const matches = (map as readonly Match[])
    .filter(({ ours }) => needed.includes(ours))
    .map(({ theirs, ours, layout }) => `{ theirs: ${text(theirs)}, ours: ${text(ours)}, layout: ${text(layout)} }`);
  const ids = `[${tokens.join(', ')}]`;
  const [dump, names, shapes] = [
    `${variable}Dump`,
    `${variable}Matches`,
    `await model.start(${ids}, { select: 'none' }).toEnd()`,
  ];
  return [
    `const ${dump} = await readDump(${text(recorded.label)}, { model, tokens: ${ids}, names: 'theirs' });`,
    `const ${names} = [${matches.join(', ')}];`,
    `const ${variable} = mapped(${dump}, { matches: ${names} }, (${shapes}).trace);`,
  ];
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
