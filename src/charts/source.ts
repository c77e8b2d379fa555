/** What charts read of a trace: its tokens as labels, and tensors over all passes put together by position. */
import { TraceError, UsageError } from '../errors.ts';
import type { Params } from '../ops/op.ts';
import { singleToken } from '../tokenizer/single_token.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { joinedAlong } from '../trace/joined_along.ts';
import type { Tensor } from '../trace/tensor.ts';
import { knownPieces, shown } from '../trace/token_label.ts';
import type { Trace, TraceRow } from '../trace/trace.ts';

/** What a chart draws: a trace, or a run, which has one and whose model knows what ids spell. */
export type Source = Trace | { readonly trace: Trace; readonly model?: { readonly tokenizer: Vocabulary } };

/** The part of a tokenizer that charts need: ids as text, text as ids. */
export type Vocabulary = Pick<Tokenizer, 'piece' | 'encode'>;

export function traceOf(source: Source): Trace {
  return 'trace' in source ? source.trace : source;
}

/** The rows of a name, one per pass. Throws TraceError where there is none, with the cure; `chart` says what cannot be drawn. */
export function rowsOf(trace: Trace, name: string, chart: string): readonly TraceRow[] {
  const rows = trace.entries.filter((row) => row.name === name);
  if (rows.length > 0) return rows;
  const last = trace.entries.reduce((most, { layer }) => Math.max(most, layer ?? -1), -1);
  if (trace.names.includes('result_norm') && Number(/-(\d+)$/.exec(name)?.[1] ?? 0) > last) {
    throw new TraceError(`Cannot draw ${chart}: the trace has no ${name}; its layers are 0 to ${last}`, {
      tensor: name,
    });
  }
  const stem = name.replace(/-\d+$/, '');
  const near = [...new Set(trace.entries.filter((row) => row.name.startsWith(`${stem}-`)).map((row) => row.name))];
  const found = near.length > 0 ? `of ${stem} it has ${near.join(', ')}` : `it holds ${trace.names.length} others`;
  throw new TraceError(
    `Cannot draw ${chart}: the trace has no ${name}; ${found}. Let the run go on with run.to('${name}'); ` +
      `if it is past that already, start one that keeps it, with select: '${name}'`,
    { tensor: name },
  );
}

/** The layers that have a tensor of this stem (`l_out` for `l_out-0`, …), in order. Throws TraceError where none has. */
export function layersOf(trace: Trace, stem: string, chart: string): number[] {
  const layers = trace.entries.flatMap((row) =>
    row.layer !== null && row.name === `${stem}-${row.layer}` ? row.layer : [],
  );
  if (layers.length === 0) rowsOf(trace, `${stem}-0`, chart);
  return [...new Set(layers)].sort((a, b) => a - b);
}

/** A tensor `[token, …]` over all passes, and the position of its first token. */
export interface TokenRows {
  readonly pos0: number;
  readonly tensor: Tensor;
}

/** Puts the passes of a tensor together along its tokens. Throws TraceError where values were not kept. */
export async function tokenRows(trace: Trace, name: string, chart: string): Promise<TokenRows> {
  const rows = rowsOf(trace, name, chart);
  const parts: Tensor[] = [];
  for (const row of rows) parts.push(await trace.tensor(name, { pass: row.pass }));
  return { pos0: (rows[0] as TraceRow).pos0, tensor: joinedAlong(parts, 0).named(name) };
}

/** One token's values of a tensor `[token, …]`; a negative position counts from the end. */
export interface RowAt {
  readonly position: number;
  readonly values: Float32Array;
}

/** Throws TraceError where no pass was over that position, or its values were not kept. */
export async function rowAt(trace: Trace, name: string, position: number, chart: string): Promise<RowAt> {
  const rows = rowsOf(trace, name, chart);
  const [start, end] = [
    Math.min(...rows.map(({ pos0 }) => pos0)),
    Math.max(...rows.map((row) => row.pos0 + tokensIn(row))),
  ];
  const wanted = position < 0 ? end + position : position;
  const row = rows.find((each) => wanted >= each.pos0 && wanted < each.pos0 + tokensIn(each));
  if (!row || !Number.isInteger(position)) {
    throw new TraceError(
      `Cannot draw ${chart}: found position ${position}; wanted one from ${start} to ${end - 1}, or ${start - end} to -1 from the end`,
      { tensor: name },
    );
  }
  const { data, shape } = await trace.tensor(name, { pass: row.pass });
  const size = data.length / (shape[0] as number);
  return { position: wanted, values: data.subarray((wanted - row.pos0) * size, (wanted - row.pos0 + 1) * size) };
}

/** What a transform of the run was made with, as the manifest lists it; undefined where the run had none of that name. */
export function paramsOf({ manifest }: Trace, transform: string): Params | undefined {
  const { transforms } = manifest;
  if (!Array.isArray(transforms)) return undefined;
  return transforms.find((each): each is { params?: Params } => each?.name === transform)?.params;
}

/** The vocabulary that was given, or that of the run's model. */
export function vocabularyOf(source: Source, given?: Vocabulary): Vocabulary | undefined {
  return given ?? ('trace' in source ? source.model?.tokenizer : undefined);
}

/** The id of a token that was given by its text or id. Throws UsageError where a text is not one token, or nothing knows. */
export function tokenId(token: number | string, vocabulary: Vocabulary | undefined): number {
  if (typeof token === 'number') return token;
  if (vocabulary) return singleToken(token, vocabulary);
  throw new UsageError(`Cannot look ${JSON.stringify(token)} up: a trace has no tokenizer; give one, or ids`);
}

/**
 * Ids as labels, no two alike. Without a vocabulary, as in a trace read from a file, the tokens of the text are known and
 * others are `#345`.
 */
export function idLabels(source: Source, ids: Iterable<number>, given?: Vocabulary): ReadonlyMap<number, string> {
  const vocabulary = vocabularyOf(source, given);
  const { manifest } = traceOf(source);
  const known = knownPieces(manifest);
  const labels = new Map<number, string>();
  const owners = new Map<string, number>();
  for (const id of ids) {
    const piece = vocabulary ? vocabulary.piece(id) : known.get(id);
    const label = piece === undefined || piece === '' ? `#${id}` : shown(piece);
    const isTaken = (owners.get(label) ?? id) !== id;
    if (!isTaken) owners.set(label, id);
    labels.set(id, isTaken ? `${label} #${id}` : label);
  }
  return labels;
}

/** Which text is drawn, for a subtitle: `“Lily gave the ball …”, 12 tokens`. */
export function textOf(trace: Trace): string {
  return textOfPieces(trace.manifest.pieces ?? [], tokensRun(trace));
}

/** The same of the first `count` pieces; without pieces their number alone. */
export function textOfPieces(pieces: readonly string[], count: number): string {
  const text = joined(pieces.slice(0, count)).trim();
  const start = [...text].slice(0, 60).join('');
  const cut = start.length < text.length ? `${start}…` : start;
  const tokens = `${count} token${count === 1 ? '' : 's'}`;
  return text ? `“${cut.replaceAll(/\s+/g, ' ')}”, ${tokens}` : tokens;
}

/** How many tokens have been through the model, be it in part: of a run that drew one more, all but that one. */
export function tokensRun({ entries }: Trace): number {
  return entries.reduce((most, row) => Math.max(most, row.pos0 + tokensIn(row)), 0);
}

/** Throws TraceError where two runs are over different tokens, as far as either says which. */
export function mustBeOfOneText(trace: Trace, other: Trace, chart: string): void {
  const [ours, theirs] = [trace, other].map((each) => each.manifest.tokens?.slice(0, tokensRun(each)));
  if (!ours || !theirs) return;
  const at = Array.from({ length: Math.max(ours.length, theirs.length) }, (_, i) => i).find(
    (i) => ours[i] !== theirs[i],
  );
  if (at === undefined) return;
  throw new TraceError(
    `Cannot draw ${chart}: the runs part at position ${at}, ` +
      `token ${ours[at] ?? 'none'} here and ${theirs[at] ?? 'none'} there; give a reference over the same tokens`,
  );
}

/** Pieces as text; bytes that make a character together become it. */
function joined(pieces: readonly string[]): string {
  return pieces.join('').replace(/(?:<0x[0-9A-F]{2}>)+/g, (spelt) => {
    const bytes = Uint8Array.from(spelt.matchAll(/[0-9A-F]{2}/g), ([hex]) => Number.parseInt(hex, 16));
    return new TextDecoder().decode(bytes);
  });
}

function tokensIn({ shape, dims }: TraceRow): number {
  return shape[dims.indexOf('token')] ?? 0;
}
