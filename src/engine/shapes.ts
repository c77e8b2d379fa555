/** Shapes of every output and cache slot of a pass, from the ops' own shape rules. */
import { StepError } from '../errors.ts';
import { ops } from '../ops/index.ts';
import type { InputKind, Op, Pass, Shape } from '../ops/op.ts';
import type { Step } from '../ops/step.ts';

export type WeightShape = (name: string) => Shape | undefined;

export function opOf(step: Step): Op {
  const op = ops[step.op];
  if (op) return op;
  throw new StepError(
    `Cannot run step ${step.name}: there is no op "${step.op}"; known are ${Object.keys(ops).join(', ')}`,
    { step: step.name },
  );
}

/** Ops see every weight as `[rows, columns]`; a vector has one row. */
export function matrixShape(shape: Shape): Shape {
  return shape.length === 1 ? [1, ...shape] : shape;
}

/** Names of a step's inputs of one kind, by role. */
export function inputsOfKind(op: Op, step: Step, kind: InputKind): [role: string, name: string][] {
  return Object.entries(step.inputs).filter(([role]) => op.inputs[role]?.kind === kind);
}

/** Shape by step name, and of cache slots by slot name; throws StepError naming the step whose inputs do not fit. */
export function outputShapes(steps: readonly Step[], pass: Pass, weightShape: WeightShape): Map<string, Shape> {
  const shapes = new Map<string, Shape>([['tokens', [pass.nTokens]]]);
  for (const step of steps) {
    const op = opOf(step);
    const inputs: Record<string, Shape> = {};
    for (const [role, rule] of Object.entries(op.inputs)) {
      const name = step.inputs[role];
      if (rule.kind === 'table') continue;
      if (name === undefined) {
        if (rule.optional) continue;
        throw new StepError(
          `Cannot run step ${step.name}: op ${op.name} needs an input ${role} and the step names none`,
          {
            step: step.name,
          },
        );
      }
      const shape = rule.kind === 'weight' ? weightShape(name) : shapes.get(name);
      if (!shape) {
        throw new StepError(
          `Cannot run step ${step.name}: its input ${role} names "${name}", which no earlier step or weight provides`,
          { step: step.name },
        );
      }
      inputs[role] = rule.kind === 'weight' ? matrixShape(shape) : shape;
    }
    const shape = op.shape(inputs, step.params, pass);
    if (shapes.has(step.name)) {
      throw new StepError(`Cannot run step ${step.name}: an earlier step has the same name; one value, one name`, {
        step: step.name,
      });
    }
    shapes.set(step.name, shape);
    if (step.writes) shapes.set(step.writes, [pass.nPast + pass.nTokens, ...shape.slice(1)]);
  }
  return shapes;
}

/** For each step, the index of the last step that reads its output (its own index where none does). */
export function lastUses(steps: readonly Step[]): number[] {
  const index = new Map(steps.map((step, i) => [step.name, i]));
  const last = steps.map((_, i) => i);
  steps.forEach((step, i) => {
    for (const name of Object.values(step.inputs)) {
      const source = index.get(name);
      if (source !== undefined && source < i) last[source] = i;
    }
  });
  return last;
}
