/**
 * An experiment: a text on its way through a model, with what was changed on purpose. Plain data, so that a link holds it, a
 * cell can be written from it, and two that are equal share one run.
 */
import type { HuntLevel } from '../../compare/bug_hunt.ts';
import { fault } from '../../engine/faults/index.ts';
import { type ChangeOptions, change } from '../../engine/transforms/change.ts';
import type { Transform } from '../../engine/transforms/transform.ts';
import type { Params } from '../../ops/op.ts';

export interface Experiment {
  /** Of the opened file: the path below the lab's folder, or the name of a dropped file. */
  readonly file: string;
  readonly backend: 'webgpu' | 'reference';
  readonly text: string;
  /** In place of the text's own tokens. */
  readonly tokens?: readonly number[];
  /** As the model's metadata says where it is absent. */
  readonly bos?: boolean;
  readonly chat?: boolean;
  readonly faults: readonly FaultSpec[];
  readonly changes: readonly ChangeSpec[];
  /** Runs on the broken engine of this hunt; then there are no faults beside. */
  readonly hunt?: HuntSpec;
}

/** A fault that nobody is told: drawn by seed, as `bugHunt` does. */
export interface HuntSpec {
  readonly seed: number;
  readonly level: HuntLevel;
}

export interface FaultSpec {
  readonly fault: string;
  readonly params: Params;
}

export interface ChangeSpec extends ChangeOptions {
  /** A name or glob that `change` takes. */
  readonly tensor: string;
}

/** The same for experiments, and other plain data, that are equal, in whatever order their parts were written. */
export function keyOf(data: object): string {
  return JSON.stringify(data, (_, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

/** What the experiment changes, as transforms. Throws UsageError and StepError as `fault` and `change` do. */
export function transformsOf({ faults, changes }: Pick<Experiment, 'faults' | 'changes'>): Transform[] {
  return [
    ...faults.map(({ fault: name, params }) => fault(name, params)),
    ...changes.map(({ tensor, ...how }) => change(tensor, how)),
  ];
}
