/** What a view shows of the choice, with something in place of what nobody chose yet; and the numbers that it shows. */
import { Tensor } from '../../../../trace/tensor.ts';
import type { Observer } from '../../../inspector/session.ts';
import type { Choice, Inspector } from '../state.ts';
import { evaluatedTokens } from '../tokens.tsx';

export interface Focus {
  readonly layer: number;
  readonly head: number;
  /** Position of the token that looks, or after which something is said. */
  readonly token: number;
  /** Of the token looked at; null where none was chosen, or it stands after the one that looks. */
  readonly key: number | null;
}

/**
 * By `choice`, what the pointer is on wins over what was clicked; by `rested` only once it rests there, which is for whatever is asked
 * for. Code, links and exports go by what was `locked`.
 */
export function focusOf(inspector: Inspector, by: 'choice' | 'rested' | 'locked'): Focus {
  const { layer, head, token, key }: Choice = inspector[by].value;
  const end = inspector.run.value ? evaluatedTokens(inspector.run.value) : 1;
  const own = token !== null && token < end ? token : Math.max(0, end - 1);
  return { layer: layer ?? 0, head: head ?? 0, token: own, key: key !== null && key <= own ? key : null };
}

/** Whether the run has computed a tensor, in any pass. */
export function hasRow({ run }: Inspector, name: string): boolean {
  return run.value?.rows.some((row) => row.name === name) ?? false;
}

/** The tensors of these names, one for each pass that has them; null where one was not computed. */
export function tensorsOf(inspector: Inspector, names: readonly string[]): Promise<readonly Tensor[]> | null {
  const experiment = inspector.experiment.value;
  if (!experiment || !names.every((name) => hasRow(inspector, name))) return null;
  const rows = inspector.run.value?.rows.filter(({ name }) => names.includes(name)) ?? [];
  return Promise.all(
    rows.map(
      async ({ name, pass }) => new Tensor(await inspector.connection.ask('tensor', { experiment, name, pass })),
    ),
  );
}

/** The tensors that observers add to the experiment. */
export function observedTensors(
  inspector: Inspector,
  observer: Observer,
  names: readonly string[],
): Promise<readonly Tensor[]> | null {
  const experiment = inspector.experiment.value;
  if (!experiment) return null;
  const ask = async (name: string) =>
    new Tensor(await inspector.connection.ask('tensor', { experiment, observer, name }));
  return Promise.all(names.map(ask));
}

/** The names of a stem in every layer: `l_out-0`, `l_out-1`, … */
export function inLayers({ opened }: Inspector, ...stems: readonly string[]): string[] {
  const layers = Array.from({ length: opened.value?.config.nLayer ?? 0 }, (_, layer) => layer);
  return layers.flatMap((layer) => stems.map((stem) => `${stem}-${layer}`));
}
