/**
 * The suspects of one op: every fault, with every parameter that makes sense there, that changes what the op computes of the
 * tensors at hand. Those that change it alike need one run.
 */
import { type Fault, fault, faults } from '../engine/faults/index.ts';
import { checkedParams } from '../engine/faults/params.ts';
import { siteOf } from '../engine/faults/put.ts';
import type { Model } from '../engine/model.ts';
import { opOf } from '../engine/shapes.ts';
import type { WeightType } from '../engine/transforms/transform.ts';
import { UsageError } from '../errors.ts';
import type { LlamaConfig } from '../llama/config.ts';
import type { Params } from '../ops/op.ts';
import type { Step } from '../ops/step.ts';
import { USUAL_BASES } from './blind_spots.ts';
import type { Suspect } from './comparison.ts';

/** Where the suspects are wanted. */
export interface Scene {
  readonly config: LlamaConfig;
  readonly layer: number | null;
  /** Heads that are off where others are not; empty where there are no heads, or most are off. */
  readonly heads: readonly number[];
  /** Position of the first token of the pass. */
  readonly pos0: number;
}

/** What lies in memory cannot be computed: `unwrittenEnd` in cause.ts looks for it. */
const NOT_COMPUTED: ReadonlySet<string> = new Set(['stale-buffer']);

/** The values that each parameter is tried with; undefined leaves it at its default. */
const VALUES: Readonly<Record<string, (scene: Scene) => readonly Params[string][]>> = {
  base: () => USUAL_BASES,
  // PyTorch's and Llama's epsilons, and none to speak of.
  eps: () => [1e-5, 1e-6, 1e-8, 1e-12],
  by: () => [1, 2],
  ahead: () => [1, 2],
  at: ({ pos0 }) => Array.from({ length: Math.min(8, Math.max(1, pos0)) }, (_, i) => i + 1),
  dim: ({ config: { ropeDim } }) => [2 * Math.floor(ropeDim / 4), 2 * Math.floor(ropeDim / 8)].filter((dim) => dim > 0),
};

/** Every fault with every sensible set of parameters; whether this model can have it is not asked. */
export function suspectsAt(scene: Scene): Suspect[] {
  return faults
    .filter(({ name, changes }) => changes && !NOT_COMPUTED.has(name))
    .flatMap(({ name, params }) => {
      if (name === 'layers-swapped') return swapsWith(scene).map((params) => ({ fault: name, params }));
      let sets: Params[] = [{}];
      for (const [param, { choices }] of Object.entries(params)) {
        const values = choices ?? valuesOf(param, scene);
        if (values.length > 0) sets = values.flatMap((value) => sets.map((set) => withParam(set, param, value)));
      }
      return sets.map((params) => ({ fault: name, params }));
    });
}

function valuesOf(param: string, scene: Scene): readonly (Params[string] | undefined)[] {
  if (param === 'layer') return scene.layer === null ? [undefined] : [undefined, scene.layer];
  if (param === 'head') return [undefined, ...scene.heads];
  return VALUES[param]?.(scene) ?? [];
}

function withParam(set: Params, param: string, value: Params[string] | undefined): Params {
  return value === undefined ? set : { ...set, [param]: value };
}

function swapsWith({ layer, config: { nLayer } }: Scene): Params[] {
  if (layer === null) return [];
  const others = Array.from({ length: nLayer }, (_, i) => i).filter((i) => i !== layer);
  return others.map((other) => ({ a: Math.min(layer, other), b: Math.max(layer, other) }));
}

/** Why no model of this kind can have a fault, whatever its parameters; null where one can, and where it changes no steps. */
export function whyImpossible(found: Fault, config: LlamaConfig, weightType: WeightType): string | null {
  let reason: string | null = null;
  const { name } = found;
  const own = suspectsAt({ config, layer: 0, heads: [], pos0: 0 }).filter((suspect) => suspect.fault === name);
  for (const params of own.length > 0 ? own.map((suspect) => suspect.params) : [{}]) {
    try {
      found.changes?.(siteOf(name, checkedParams(name, found.params, params), config, weightType));
      return null;
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      reason ??= error.message;
    }
  }
  // "Cannot put fault gqa-tiled into this model: it has …, so both orders are one; wanted …"
  return reason?.replace(/^.*?: /, '').replace(/; wanted .*$/, '') ?? null;
}

/** The model with the suspect's fault; null where it cannot have it. */
export function faultyModel(model: Model, { fault: name, params }: Suspect): Model | null {
  try {
    return model.with(fault(name, params));
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
}

/** A suspect, and the model that has its fault. */
export interface Faulty {
  readonly suspect: Suspect;
  readonly model: Model;
}

/** The suspects that a model can have. */
export function faultyModels(model: Model, suspects: readonly Suspect[]): Faulty[] {
  return suspects.flatMap((suspect) => {
    const faulty = faultyModel(model, suspect);
    return faulty ? [{ suspect, model: faulty }] : [];
  });
}

/** Those that change what `name` is computed of the known tensors, together where they change it alike. */
export function changing(
  name: string,
  healthy: Model,
  known: ReadonlySet<string>,
  all: readonly Faulty[],
): (readonly Faulty[])[] {
  const without = computationOf(healthy, name, known, null);
  const groups = new Map<string, Faulty[]>();
  for (const faulty of all) {
    const computation = computationOf(faulty.model, name, known, faulty.suspect);
    if (computation === without) continue;
    groups.set(computation, [...(groups.get(computation) ?? []), faulty]);
  }
  return [...groups.values()];
}

/** How a tensor is computed of known ones, as text. */
export function computationOf(
  { steps }: Model,
  name: string,
  known: ReadonlySet<string>,
  suspect: Suspect | null,
): string {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const used = [name];
  const texts: string[] = [];
  for (const each of used) {
    const step = byName.get(each);
    if (!step) continue;
    const sources = sourcesOf(steps, step);
    used.push(...sources.filter((source) => !known.has(source) && !used.includes(source)));
    texts.push(computationText(step, sources, suspect));
  }
  return texts.join('\n');
}

/** The tensors that a step reads, those of a cache slot by the step that fills it. */
function sourcesOf(steps: readonly Step[], step: Step): string[] {
  const { inputs } = opOf(step);
  return Object.entries(step.inputs).flatMap(([role, name]) => {
    if (inputs[role]?.kind === 'tensor') return [name];
    if (inputs[role]?.kind !== 'cache') return [];
    return steps.filter(({ writes }) => writes === name).map((writer) => writer.name);
  });
}

function computationText({ op, inputs, params, cached }: Step, sources: readonly string[], suspect: Suspect | null) {
  // A function cannot be compared: the fault that it is of stands for it.
  const { layer, head, ...own } = suspect?.params ?? {};
  const found = cached ? [suspect?.fault, own] : [];
  return JSON.stringify([op, Object.entries(inputs).sort(), Object.entries(params).sort(), sources, found]);
}
