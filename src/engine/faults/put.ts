/** Puts a fault's changes into a list of steps, or says why they cannot be put there. */
import { UsageError } from '../../errors.ts';
import type { LlamaConfig } from '../../llama/config.ts';
import { forward } from '../../llama/forward.ts';
import type { Params } from '../../ops/op.ts';
import type { Step } from '../../ops/step.ts';
import { inputsOfKind, opOf } from '../shapes.ts';
import { derivedName, type WeightType } from '../transforms/transform.ts';
import { type Change, type Changes, cannotPut, type Fault, type Site } from './fault.ts';
import type { FaultyWeight } from './faulty_weights.ts';

/** Where a fault with these parameters goes in a model. Throws UsageError where that has no such layer or head. */
export function siteOf(fault: string, params: Params, config: LlamaConfig, weightType: WeightType): Site {
  const { layer, head } = params;
  if (typeof layer === 'number' && layer >= config.nLayer) {
    throw new UsageError(
      `Cannot put fault ${fault} into layer ${layer}: the model has layers 0 to ${config.nLayer - 1}`,
    );
  }
  if (typeof head === 'number' && head >= config.nHead) {
    throw new UsageError(`Cannot put fault ${fault} into head ${head}: the model has heads 0 to ${config.nHead - 1}`);
  }
  const layers = typeof layer === 'number' ? [layer] : Array.from({ length: config.nLayer }, (_, i) => i);
  return { fault, config, weightType, params, layers };
}

/** What a fault changes at a site; of a fault in one head only what has heads. */
export function changesAt(fault: Fault, site: Site): [name: string, change: Change][] {
  const all = Object.entries(fault.changes?.(site) ?? {});
  return site.params.head === undefined ? all : all.filter(([, { byHead }]) => byHead);
}

/** The steps with the fault among them. Throws UsageError where another fault or transform has changed the same. */
export function withChanges(fault: Fault, site: Site, steps: readonly Step[]): Step[] {
  const changes: Changes = Object.fromEntries(changesAt(fault, site));
  const healthy = new Map(forward(site.config).map((step) => [step.name, step]));
  const missing = Object.keys(changes).find((name) => !steps.some((step) => step.name === name));
  if (missing) throw cannotPut(site, `it has no step ${missing} any more; put the fault in before other transforms`);
  return steps.flatMap((step) => {
    const change = changes[step.name];
    if (!change) return [step];
    mustBeHealthy(site, step, change, healthy.get(step.name)!);
    const faulty = changedStep(site, step, change);
    const { before = [], after = [] } = change;
    return [...before, ...(site.params.head === undefined ? [faulty] : inOneHead(site, step, faulty)), ...after];
  });
}

function changedStep(site: Site, step: Step, { op, inputs, params, weight, cached, unwritten, writes }: Change): Step {
  const given = { ...step.inputs, ...inputs, ...(weight ? { weight: faultyName(site, step.inputs.weight!) } : {}) };
  const { writes: slot, ...rest } = step;
  return {
    ...rest,
    ...(slot !== undefined && writes !== null ? { writes: slot } : {}),
    op: op ?? step.op,
    inputs: Object.fromEntries(Object.entries(given).filter((input): input is [string, string] => input[1] !== null)),
    params: { ...step.params, ...params },
    ...(cached ? { cached } : {}),
    ...(unwritten ? { unwritten } : {}),
  };
}

/** The step as it was and the faulty one, under other names, and of both the one that has a fault in a single head. */
function inOneHead({ params }: Site, { writes, edit, ...healthy }: Step, faulty: Step): Step[] {
  const { name, layer, dims } = healthy;
  const { writes: _writes, edit: _edit, ...other } = faulty;
  const [a, b] = [derivedName(name, 'healthy'), derivedName(name, 'faulty')];
  const one = { head: Number(params.head), axis: dims.indexOf('head') };
  return [
    { ...healthy, name: a },
    { ...other, name: b },
    {
      ...{ name, layer, op: 'one_head', inputs: { a, b }, params: one, dims },
      ...(writes ? { writes } : {}),
      ...(edit ? { edit } : {}),
    },
  ];
}

/** Throws UsageError where what is to be changed is not as a healthy model has it. */
function mustBeHealthy(
  site: Site,
  step: Step,
  { op, inputs, params, weight, cached, unwritten }: Change,
  wanted: Step,
) {
  const changed = (what: string) =>
    cannotPut(
      site,
      `another transform has changed ${what} of ${step.name} already; put the fault in before other transforms`,
    );
  if (op !== undefined && step.op !== wanted.op) throw changed('the op');
  if (cached && inputsOfKind(opOf(step), step, 'cache').length === 0) throw changed('the op');
  if (unwritten && step.unwritten) throw changed('how much is written');
  if (cached && step.cached) throw changed('the cache');
  for (const role of [...Object.keys(inputs ?? {}), ...(weight ? ['weight'] : [])]) {
    if (step.inputs[role] !== wanted.inputs[role]) throw changed(`the input ${role}`);
  }
  for (const name of Object.keys(params ?? {})) {
    if (step.params[name] !== wanted.params[name]) throw changed(`the parameter ${name}`);
  }
}

/** The weights that the changed steps read, by name. */
export function faultyWeights(fault: Fault, site: Site): Map<string, FaultyWeight> {
  const steps = new Map(forward(site.config).map((step) => [step.name, step]));
  const made = new Map<string, FaultyWeight>();
  for (const [name, { weight: change }] of changesAt(fault, site)) {
    const base = steps.get(name)?.inputs.weight;
    if (change && base !== undefined) made.set(faultyName(site, base), { base, change });
  }
  return made;
}

/** Names what makes the weight other than the healthy one, so that two of one name are the same. */
function faultyName({ fault, params }: Site, weight: string): string {
  const own = Object.entries(params).filter(([name]) => name !== 'layer' && name !== 'head');
  const text = own.map(([name, value]) => `${name}=${value}`).join(',');
  return `${weight}~${fault}${text ? `(${text})` : ''}`;
}
