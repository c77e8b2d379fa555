/**
 * One step of a model on the inputs that a trace holds: what our op makes of somebody else's numbers. Two engines whose
 * outputs differ on the same inputs differ in that op; where they agree, the difference came in with the inputs.
 */

import type { Model } from '../engine/model.ts';
import { opOf } from '../engine/shapes.ts';
import { StepError } from '../errors.ts';
import type { Step } from '../ops/step.ts';
import { joinedAlong } from '../trace/joined_along.ts';
import { passesOf, type TracePass } from '../trace/passes.ts';
import type { Tensor } from '../trace/tensor.ts';
import type { Trace, TraceRow } from '../trace/trace.ts';

export interface RerunOptions {
  /** Which pass of the trace. Default the last that has the step's inputs. */
  readonly pass?: number;
  /** Where the step runs. Default the model's own backend. */
  readonly backend?: 'webgpu' | 'reference';
}

export interface Rerun {
  readonly output: Tensor;
  /** Names of the tensors of the trace that were fed, cache slots by the tensors that fill them. */
  readonly inputs: readonly string[];
  /** The steps that were run: the one asked for last, before it those whose outputs the trace lacks. */
  readonly steps: readonly string[];
}

/**
 * Step `name` of `model`, any alias, on the trace's own tensors. An input of which the trace has no values, such as
 * `ffn_silu-0` of llama.cpp's, is computed from what it is made of, as far back as need be, but not from the tokens. Throws
 * StepError, naming the tensor, where that is not enough.
 */
export async function rerun(model: Model, name: string, trace: Trace, options: RerunOptions = {}): Promise<Tensor> {
  return (await rerunStep(model, name, trace, options)).output;
}

/** As `rerun`, and which tensors were fed. */
export async function rerunStep(
  model: Model,
  name: string,
  trace: Trace,
  { pass, backend }: RerunOptions = {},
): Promise<Rerun> {
  const step = stepOf(model, name);
  const passes = passesOf(trace);
  const chosen = pass === undefined ? passes.at(-1) : passes.find(({ index }) => index === pass);
  if (!chosen) {
    const found = passes.length === 0 ? 'it holds no tensors' : `its passes are ${passes.map(({ index }) => index)}`;
    throw new StepError(`Cannot run ${step.name} on the trace's inputs of pass ${pass ?? 'last'}: ${found}`, {
      step: step.name,
    });
  }
  const inputs = new Set<string>();
  const computed = new Map<string, Promise<Tensor>>();
  const source: Source = { model, trace, passes, pass: chosen, backend, inputs, computed };
  const output = await outputOf(step, source);
  const steps = [...computed.keys()].map((key) => key.split(' ')[0] as string);
  return { output, inputs: [...inputs], steps: [...new Set(steps), step.name] };
}

interface Source {
  readonly model: Model;
  readonly trace: Trace;
  readonly passes: readonly TracePass[];
  readonly pass: TracePass;
  readonly backend: RerunOptions['backend'];
  /** Collects the names of what was read. */
  readonly inputs: Set<string>;
  /** What the trace lacks, by step and pass. */
  readonly computed: Map<string, Promise<Tensor>>;
}

function stepOf(model: Model, name: string): Step {
  const ours = model.names.resolve(name, 'run');
  return model.steps.find((step) => step.name === ours) as Step;
}

async function outputOf(step: Step, source: Source): Promise<Tensor> {
  const op = opOf(step);
  const inputs: Record<string, Tensor | readonly number[]> = {};
  for (const [role, name] of Object.entries(step.inputs)) {
    switch (op.inputs[role]?.kind) {
      case 'tensor':
        inputs[role] = await tensorOf(name, step, source);
        break;
      case 'tokens':
        inputs[role] = tokensOf(step, source);
        break;
      case 'cache':
        inputs[role] = await cacheOf(name, step, source);
        break;
      default: // Weights are the model's own; a table is computed by the op.
    }
  }
  const { model, backend, pass } = source;
  return model.runStep(step.name, inputs, { ...(backend ? { backend } : {}), nPast: pass.pos0 });
}

async function tensorOf(name: string, reader: Step, source: Source): Promise<Tensor> {
  const { trace, pass, inputs, model } = source;
  const row = trace.entries.find((each) => each.name === name && each.pass === pass.index);
  if (row?.hasValues) {
    inputs.add(name);
    return trace.tensor(name, { pass: pass.index });
  }
  const step = model.steps.find((each) => each.name === name);
  // Back at the tokens nothing of the trace was fed: that would be a run of its own.
  const isFirst = step !== undefined && Object.values(opOf(step).inputs).some(({ kind }) => kind === 'tokens');
  if (!step || isFirst) throw notAtHand(name, row, reader, pass);
  const key = `${name} ${pass.index}`;
  const computed = source.computed.get(key) ?? outputOf(step, source);
  source.computed.set(key, computed);
  return computed;
}

function tokensOf(step: Step, { trace, pass }: Source): readonly number[] {
  const tokens = trace.manifest.tokens?.slice(pass.pos0, pass.pos0 + pass.nTokens) ?? [];
  // Drawn tokens are told at the end.
  const all = tokens.length === pass.nTokens ? tokens : endTokens(trace)?.slice(pass.pos0, pass.pos0 + pass.nTokens);
  if (all?.length === pass.nTokens) return all;
  throw new StepError(
    `Cannot run ${step.name} on the trace's inputs: its manifest names ${tokens.length} of the ${pass.nTokens} tokens of pass ${pass.index}; ` +
      'wanted a trace that was written with its token ids',
    { step: step.name },
  );
}

function endTokens({ end }: Trace): number[] | undefined {
  const tokens = end?.tokens;
  return Array.isArray(tokens) ? tokens : undefined;
}

/** A cache slot up to and with the pass: what was written to it in each pass so far, one after the other. */
async function cacheOf(slot: string, reader: Step, source: Source): Promise<Tensor> {
  const writer = source.model.steps.find(({ writes }) => writes === slot);
  if (!writer) {
    throw new StepError(`Cannot run ${reader.name}: no step writes ${slot}, which it reads`, { step: reader.name });
  }
  const parts: Tensor[] = [];
  let at = 0;
  for (const pass of source.passes) {
    if (pass.index > source.pass.index) break;
    if (pass.pos0 !== at) throw notAtHand(writer.name, undefined, reader, { ...pass, pos0: at });
    const part = await tensorOf(writer.name, reader, { ...source, pass });
    parts.push(part);
    at += part.shape[0] as number;
  }
  return joinedAlong(parts, 0);
}

function notAtHand(name: string, row: TraceRow | undefined, reader: Step, pass: TracePass): StepError {
  const found = row ? 'the trace keeps only statistics of it' : 'the trace does not hold it';
  return new StepError(
    `Cannot run ${reader.name} on the trace's inputs: it reads ${name} of pass ${pass.index}, and ${found}; ` +
      'wanted a trace with its values',
    { step: reader.name, tensor: name },
  );
}
