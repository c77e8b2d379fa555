/**
 * `layerscope start`: a first look at a model. Tokens, how the residual stream grows, what each layer would say next (the
 * logit lens, nostalgebraist 2020), and the text; the whole run goes into a file. Where the model is the shipped one, the
 * first notebook, which looks at that, is run as well.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import prettyBytes from 'pretty-bytes';
import type { Model } from '../engine/model.ts';
import { lens } from '../engine/transforms/lens.ts';
import type { Run } from '../index.ts';
import type { BackendName } from '../node/backend.ts';
import { cut, short, shownWidth, table, visible } from '../trace/plain_text.ts';
import { backendOption, jsonOption, MODEL_ARGUMENT, openFor, printJson, promptOf, shippedModel } from './model.ts';
import type { RanNotebook, StartCells } from './notebook_file.ts';
import { withBar } from './progress.ts';
import { bold, commandLine, percent, shownPath } from './terminal.ts';
import { howToRead } from './trace.ts';
import type { Written } from './trace_file.ts';

const PROMPT = 'Lily gave the ball to Tom. Tom thanked';
/** Tokens of the continuation. */
const CONTINUATION = 24;
/** Tokens that each layer names. */
const TOP = 5;

interface StartOptions {
  readonly model?: string;
  readonly out: string;
  readonly backend?: BackendName;
  readonly json?: boolean;
}

export function startCommand(startCells: StartCells): Command {
  return new Command('start')
    .description('a first look: tokens, RMS and logit lens of each layer, continuation; writes the trace')
    .argument('[prompt]', 'the text to run', PROMPT)
    .option('--model <model>', `${MODEL_ARGUMENT} (default: the shipped model)`)
    .option('--out <file>', 'where the trace goes', join('out', 'first-look.arrow'))
    .addOption(backendOption())
    .addOption(jsonOption())
    .action((prompt: string, options: StartOptions) => start(prompt, options, startCells));
}

async function start(prompt: string, options: StartOptions, startCells: StartCells): Promise<void> {
  const { model: given, out, backend, json } = options;
  const path = given ?? shippedModel();
  const model = await openFor(path, backend);
  const { tokens, origin } = promptOf(model, { prompt, bos: true });
  const show = (text: string) => void (json || process.stdout.write(text));

  const run = model.with(lens({ k: TOP })).start(tokens, origin);
  show(`${bold(shownPath(path))} on ${await whereItRuns(model)}\n\n`);
  show(`Tokens  ${run.pieces.map(visible).join('│')}\n\n`);
  const layers = await lookAtLayers(run);
  show(`After each layer: how large its numbers are (RMS), and the ${TOP} most likely next tokens\n`);
  show(`if the model stopped there (logit lens)\n\n${layerTable(layers)}\n\n`);

  const plain = model.start(tokens, { select: 'none', statistics: false });
  const stream = model.tokenizer.stream();
  show(`Text    ${visible(prompt)}`);
  const say = (text: string) => show(bold(visible(text)));
  await plain.generate(CONTINUATION, { onToken: ({ token }) => say(stream.push(token)) });
  say(stream.end());
  show('\n\n');

  const { writeFinished } = await import('./trace_file.ts');
  const written = await writeFinished(run, out);
  show(`Wrote ${out}: ${whatWasWritten(written)}.\n${howToRead(out)}\n\n`);
  const notebook = given === undefined ? await runFirstNotebook(startCells, dirname(out), model) : null;
  if (json) printJson(report(model, prompt, run, layers, plain, written, notebook));
  if (notebook) show(`${whereItIs(notebook)}\n\n`);
  show(`Next: ${commandLine('trace', shownPath(path), '--prompt', prompt, '--select', '*-0')}\n`);
}

function whatWasWritten({ bytes, tensors, values }: Written): string {
  const size = prettyBytes(bytes);
  if (values === tensors) return `all ${tensors} tensors of this run, ${size}`;
  return `statistics of all ${tensors} tensors of this run, values of ${values} (no more fit into memory), ${size}`;
}

/** Runs the first notebook beside this package into a folder; null where there is none. */
async function runFirstNotebook(
  startCells: StartCells,
  folder: string,
  { backend }: Model,
): Promise<RanNotebook | null> {
  const path = fileURLToPath(new URL('../../notebooks/01_first_look.ipynb', import.meta.url));
  if (!existsSync(path)) return null;
  const files = await import('./notebook_file.ts');
  const [out, html] = ['ipynb', 'html'].map((kind) => join(folder, `01_first_look.${kind}`));
  const ran = await files.runNotebookFile(startCells, { path, out, html, backend: backend.name });
  if (ran.failure) throw files.failedCell(ran, ran.failure);
  return ran;
}

function whereItIs({ notebook, written }: RanNotebook): string {
  const [forJupyter, page] = written.map(({ path }) => path);
  return `Ran ${shownPath(notebook)}: open ${page} in a browser, or ${forJupyter} in Jupyter.`;
}

async function whereItRuns({ backend, platform }: Model): Promise<string> {
  if (backend.name === 'reference') return `the f64 reference (${backend.adapter})`;
  const { description, vendor, architecture } = (await platform.gpu()).adapter.info;
  return `WebGPU (${description || `${vendor} ${architecture}`})`;
}

interface LayerLook {
  readonly layer: number;
  /** Of the residual stream, over the tokens of the last pass: all, unless the prompt is longer than a pass may be. */
  readonly rms: number;
  /** At the last token, most likely first. */
  readonly top: readonly { readonly id: number; readonly piece: string; readonly probability: number }[];
}

/** Runs the prompt, and looks at each layer as it is done: what is kept of a long prompt's first layers goes at its last. */
function lookAtLayers(run: Run): Promise<LayerLook[]> {
  const { nLayer } = run.model.config;
  return withBar(async (onProgress) => {
    const layers: LayerLook[] = [];
    for (let layer = 0; layer < nLayer; layer++) {
      await run.layer(layer);
      onProgress?.({ task: 'running', item: `layer ${layer}`, done: layer + 1, total: nLayer, unit: 'layers' });
      layers.push(await lookAt(run, layer));
    }
    await run.toEnd();
    return layers;
  });
}

async function lookAt(run: Run, layer: number): Promise<LayerLook> {
  const { rms } = run.trace.entries.findLast(({ name }) => name === `l_out-${layer}`)!.statistics;
  const ids = (await run.tensor(`lens_ids-${layer}`)).slice(-1).data;
  const probabilities = (await run.tensor(`lens_probabilities-${layer}`)).slice(-1).data;
  const pieceOf = (id: number) => run.model.tokenizer.piece(id);
  const top = Array.from(ids, (id, rank) => ({ id, piece: pieceOf(id), probability: probabilities[rank]! }));
  return { layer, rms, top };
}

/** Columns of the longest bar. */
const BAR = 8;
/** Columns of a token, at most and at least: as many as let a line fit. */
const [WIDEST_TOKEN, NARROWEST_TOKEN] = [16, 4];

function layerTable(layers: readonly LayerLook[]): string {
  const columns = process.stdout.columns || 100;
  const largest = Math.max(...layers.map(({ rms }) => rms).filter(Number.isFinite));
  for (let width = WIDEST_TOKEN; ; width--) {
    const head = ['layer', 'RMS', '', ...Array.from({ length: TOP }, (_, rank) => `#${rank + 1}`)];
    const rows = layers.map(({ layer, rms, top }) => [
      `${layer}`,
      short(rms),
      bar(rms / largest),
      ...top.map(({ piece, probability }) => `${cut(token(piece, top), width)} ${percent(probability)}`),
    ]);
    const text = table([head, ...rows], ['right', 'right']);
    if (width === NARROWEST_TOKEN || text.split('\n').every((line) => shownWidth(line) <= columns)) return text;
  }
}

/** A token without its leading space, unless that is what tells it from another. */
function token(piece: string, top: LayerLook['top']): string {
  const bare = piece.trim();
  const isAlone = bare !== '' && top.filter((other) => other.piece.trim() === bare).length === 1;
  return visible(isAlone ? bare : piece.replaceAll(' ', '␣'));
}

/** A bar in eighths of a column; nothing where there is no number. */
function bar(fraction: number): string {
  const eighths = Number.isFinite(fraction) ? Math.max(1, Math.round(fraction * BAR * 8)) : 0;
  return '█'.repeat(Math.floor(eighths / 8)) + ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8]!;
}

function report(
  { name, backend, tokenizer }: Model,
  prompt: string,
  run: Run,
  layers: readonly LayerLook[],
  { sampled }: Run,
  trace: Written,
  ran: RanNotebook | null,
) {
  return {
    model: name,
    backend: backend.name,
    adapter: backend.adapter,
    prompt,
    tokens: run.tokens,
    pieces: run.pieces,
    layers,
    text: tokenizer.decode(
      sampled.map(({ token }) => token),
      { prefix: true },
    ),
    trace,
    notebook: ran,
  };
}
