/** What the inspector has open: a model, which can be run, or a trace, which holds what was computed elsewhere. */
import type { LlamaConfig } from '../../../llama/config.ts';
import type { Watch } from '../../../platform.ts';
import type { Experiment } from '../../inspector/experiment.ts';
import type { Move, RunState } from '../../inspector/requests/move.ts';
import type { StepCard } from '../../inspector/requests/open.ts';
import type { OpenedTrace } from '../../inspector/requests/open_trace.ts';
import type { Connection } from './connection.ts';

export interface Opened {
  readonly kind: 'model' | 'trace';
  readonly file: string;
  /** Of a trace: on what it was computed, as far as it tells. */
  readonly backend: { readonly name: string; readonly adapter: string };
  readonly config: Sizes;
  /** Every step of a pass, in order. */
  readonly steps: readonly StepCard[];
  /** What is not as it was asked for, a sentence; null where all is. */
  readonly notice: string | null;
}

/** What a trace tells of its model too, by the shapes of its tensors; 0 for what it does not hold. */
export type Sizes = Pick<LlamaConfig, 'nLayer' | 'nEmbd' | 'nHead' | 'nHeadKv' | 'headDim' | 'nFf' | 'nVocab'>;

/** Opens the experiment's model, or has its session say anew what it opened. Rejects with SessionError. */
export async function openedModel(
  connection: Connection,
  { file, backend, faults, changes }: Experiment,
  watch?: Watch,
): Promise<Opened> {
  return { ...(await connection.ask('open', { file, backend, faults, changes }, watch)), kind: 'model' };
}

/** Opens the experiment's file and moves its run, one move after the other. Rejects with SessionError. */
export async function openedBy(
  connection: Connection,
  experiment: Experiment,
  [first = { to: 'here' }, ...others]: readonly Move[],
  watch: Watch | undefined,
): Promise<{ readonly opened: Opened; readonly run: RunState }> {
  const { file } = experiment;
  if ((await connection.ask('kind', { file }, watch)) === 'model') {
    const opened = await openedModel(connection, experiment, watch);
    let run = await connection.ask('move', { experiment, move: first }, watch);
    for (const move of others) run = await connection.ask('move', { experiment, move }, watch);
    return { opened, run };
  }
  const trace = await connection.ask('openTrace', { file }, watch);
  const run = await connection.ask('move', { experiment, move: { to: 'here' } }, watch);
  return { opened: traceOpened(trace, run), run };
}

function traceOpened({ file, manifest, steps }: OpenedTrace, { rows }: RunState): Opened {
  const size = (name: string, axis: number) => rows.find((row) => row.name === name)?.shape[axis] ?? 0;
  return {
    kind: 'trace',
    file,
    backend: { name: `${manifest.backend ?? manifest.producer ?? ''}`, adapter: `${manifest.adapter ?? ''}` },
    config: {
      nLayer: steps.reduce((most, { layer }) => Math.max(most, (layer ?? -1) + 1), 0),
      nEmbd: size('l_out-0', 1),
      nHead: size('Qcur-0', 1),
      nHeadKv: size('Kcur-0', 1),
      headDim: size('Qcur-0', 2),
      nFf: size('ffn_up-0', 1),
      nVocab: size('result_output', 1),
    },
    steps,
    notice: null,
  };
}
