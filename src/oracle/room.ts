/** How many bytes a capture's values will take, as far as that can be known before it. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import prettyBytes from 'pretty-bytes';
import { outputShapes } from '../engine/shapes.ts';
import { ModelError, TraceError } from '../errors.ts';
import type { GgufFile } from '../gguf/reader.ts';
import { type LlamaConfig, llamaConfig } from '../llama/config.ts';
import { forward } from '../llama/forward.ts';
import { chosenBy, type NodeChoice } from '../llama/graph_names.ts';
import { freeSpace } from '../node/arrow_file.ts';
import { sizeOf } from '../ops/shape.ts';
import type { Subject } from './subject.ts';

/** Throws TraceError where the temporary folder has too little room for what is coming. */
export async function mustHaveRoom(
  subject: Subject,
  passes: readonly number[],
  select: NodeChoice | null,
): Promise<void> {
  const wanted = await leastBytes(subject, passes, select);
  const free = await freeSpace(join(tmpdir(), 'values'));
  if (wanted <= free) return;
  throw new TraceError(
    `Cannot trace ${subject.file} in llama.cpp: its values take ${prettyBytes(wanted)} or more, and ${tmpdir()} has ` +
      `${prettyBytes(free)} free; trace fewer nodes, such as { nodes: 'l_out-*' }, or set TMPDIR to a folder with more room`,
    { file: subject.file },
  );
}

/**
 * What our steps' values take, and where all nodes are kept those that llama.cpp has beside them: each norm before its weight,
 * and what attention sums up before it is laid out. 0 for an architecture whose steps are not known here.
 */
async function leastBytes(subject: Subject, passes: readonly number[], select: NodeChoice | null): Promise<number> {
  const gguf = await subject.header();
  const config = knownConfig(gguf);
  if (!config) return 0;
  const steps = forward(config);
  const isChosen = chosenBy(select, config.nLayer);
  let numbers = 0;
  let nPast = 0;
  for (const nTokens of passes) {
    const shapes = outputShapes(steps, { nPast, nTokens }, (name) => gguf.tensors.get(name)?.shape);
    for (const { name, op } of steps) {
      const times = op === 'silu' ? 0 : select === null && (op === 'rms_norm' || op === 'kqv') ? 2 : 1;
      if (isChosen(name)) numbers += times * sizeOf(shapes.get(name) ?? []);
    }
    nPast += nTokens;
  }
  return 4 * numbers;
}

function knownConfig(gguf: GgufFile): LlamaConfig | null {
  try {
    return llamaConfig(gguf);
  } catch (error) {
    if (error instanceof ModelError) return null;
    throw error;
  }
}
