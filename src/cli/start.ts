/** `layerscope start`: a first look at a model. Tokens, how the residual stream grows, what each layer would say, and the text. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { Model } from '../engine/model.ts';
import type { Run } from '../engine/run.ts';
import { lens } from '../engine/transforms.ts';
import { LayerscopeError } from '../errors.ts';
import { type BackendName, backendOption, jsonOption, openFor, printJson, withProgress } from './model.ts';
import { short, table, visible } from './table.ts';
import { writeWholeTrace } from './trace.ts';

const PROMPT = 'Lily gave the ball to Tom. Tom thanked';
const CONTINUATION = 24;
const TOP = 5;
const BAR = 16;

interface LayerLook {
  readonly name: string;
  readonly rms: number;
  readonly top: readonly { readonly token: number; readonly piece: string; readonly probability: number }[];
}

export function startCommand(): Command {
  return new Command('start')
    .description('a first look: tokens, RMS per layer, logit lens, continuation; writes the trace to out/')
    .argument('[prompt]', 'the text to run', PROMPT)
    .option('--model <model>', 'a GGUF file, or ollama:NAME; the shipped model by default')
    .option('--out <file>', 'where the trace goes', join('out', 'first-look.arrow'))
    .addOption(backendOption())
    .addOption(jsonOption())
    .action(async (prompt: string, options: StartOptions) => {
      const model = await openFor(options.model ?? shippedModel(), options.backend);
      const run = model.with(lens({ k: TOP })).start(prompt);
      await withProgress('layers', (move) => run.toEnd(move));
      const layers = await lookAtLayers(model, run);
      const prompted = run.pieces;
      const written = await writeWholeTrace(run, options.out);
      const plain = model.start(prompt, { select: 'none', statistics: false });
      await withProgress('text', (move) => plain.generate(CONTINUATION, move));
      const text = model.tokenizer.decode(plain.sampled.map(({ token }) => token));
      const found = { prompted, layers, text, written };
      if (options.json)
        printJson({
          model: model.name,
          prompt,
          tokens: run.tokens,
          pieces: prompted,
          layers,
          text,
          trace: written.path,
        });
      else process.stdout.write(`${page(model, prompt, found)}\n`);
    });
}

interface StartOptions {
  readonly model?: string;
  readonly out: string;
  readonly backend?: BackendName;
  readonly json?: boolean;
}

interface Found {
  readonly prompted: readonly string[];
  readonly layers: readonly LayerLook[];
  readonly text: string;
  readonly written: { readonly path: string; readonly tensors: number; readonly size: string };
}

/** The F16 model in fixtures, beside this package. */
function shippedModel(): string {
  const folder = fileURLToPath(new URL('../../fixtures/', import.meta.url));
  const file = existsSync(folder) && readdirSync(folder).find((name) => name.endsWith('-f16.gguf'));
  if (!file) {
    throw new LayerscopeError(`Cannot find the shipped model: ${folder} has no *-f16.gguf; give one with --model FILE`);
  }
  return join(folder, file);
}

async function lookAtLayers(model: Model, run: Run): Promise<LayerLook[]> {
  const layers: LayerLook[] = [];
  for (let i = 0; i < model.config.nLayer; i++) {
    const name = `l_out-${i}`;
    const rms = run.trace.entries.find((row) => row.name === name)!.statistics.rms;
    const ids = (await run.tensor(`lens_ids-${i}`)).slice(-1).data;
    const probabilities = (await run.tensor(`lens_probabilities-${i}`)).slice(-1).data;
    const top = Array.from(ids, (token, rank) => ({
      token,
      piece: model.tokenizer.piece(token),
      probability: probabilities[rank]!,
    }));
    layers.push({ name, rms, top });
  }
  return layers;
}

function page(model: Model, prompt: string, { prompted, layers, text, written }: Found): string {
  const largest = Math.max(...layers.map(({ rms }) => rms));
  const rows = layers.map(({ name, rms, top }) => [
    name,
    short(rms),
    bar(rms / largest),
    ...top.map(({ piece, probability }) => `${visible(piece.trim() || piece)} ${percent(probability)}`),
  ]);
  const head = ['layer', 'RMS', '', 'would say next (logit lens)'];
  return [
    `${basename(model.name)} on ${model.backend.name} (${model.backend.adapter})`,
    '',
    `tokens  ${prompted.map(visible).join('│')}`,
    '',
    table([head, ...rows], ['left', 'right']),
    '',
    `text    ${visible(prompt)}\u001b[1m${visible(text)}\u001b[0m`,
    '',
    `Wrote ${written.path}: ${written.tensors} tensors, ${written.size}.`,
    `Look further: npx layerscope trace ${basename(model.name)} --prompt "${PROMPT}"`,
  ].join('\n');
}

/** A bar in eighths of a column. */
function bar(fraction: number): string {
  const eighths = Math.round(fraction * BAR * 8);
  return '█'.repeat(Math.floor(eighths / 8)) + ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8]!;
}

function percent(probability: number): string {
  return `${(100 * probability).toFixed(probability < 0.1 ? 1 : 0)} %`;
}
