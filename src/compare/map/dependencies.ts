/**
 * Which of our tensors is computed from which: what a dump's order can contradict. Q, K and V may come in any order, as may
 * gate and up; a norm never comes before what it normalises.
 */
import type { LlamaConfig } from '../../llama/config.ts';
import { forward } from '../../llama/forward.ts';

export interface Dependencies {
  /** Every name, in our order of execution. */
  readonly names: readonly string[];
  /** Whether `later` is computed from `earlier`, over any number of steps. */
  needs(later: string, earlier: string): boolean;
  /** The tensors that are computed from one directly. */
  directlyFrom(name: string): readonly string[];
}

/** Of a model with such tensors. The order of its ops depends on nothing but the layers and whether there is a bias. */
export function dependenciesOf(names: readonly string[]): Dependencies {
  const steps = forward({
    ...ANY_SIZES,
    nLayer: names.filter((name) => name.startsWith('l_out-')).length,
    hasAttentionBias: names.some((name) => name.includes('_nobias-')),
  });
  const writers = new Map(steps.map(({ name, writes }) => [writes ?? name, name]));
  for (const { name } of steps) writers.set(name, name);
  const ancestors = new Map<string, Set<string>>();
  const children = new Map<string, string[]>();
  for (const { name, inputs } of steps) {
    const own = new Set<string>();
    for (const input of Object.values(inputs)) {
      const parent = writers.get(input);
      if (parent === undefined) continue;
      own.add(parent);
      for (const earlier of ancestors.get(parent) ?? []) own.add(earlier);
      children.set(parent, [...(children.get(parent) ?? []), name]);
    }
    ancestors.set(name, own);
  }
  return {
    names: steps.map(({ name }) => name),
    needs: (later, earlier) => ancestors.get(later)?.has(earlier) ?? false,
    directlyFrom: (name) => children.get(name) ?? [],
  };
}

/** Sizes that no name and no input depends on. */
const ANY_SIZES: LlamaConfig = {
  nLayer: 1,
  nEmbd: 2,
  nHead: 1,
  nHeadKv: 1,
  headDim: 2,
  nFf: 1,
  nVocab: 1,
  nCtx: 1,
  eps: 1,
  ropeBase: 1,
  ropeScale: 1,
  ropeDim: 2,
  hasRopeFreqs: false,
  tiedEmbeddings: false,
  hasAttentionBias: false,
};
