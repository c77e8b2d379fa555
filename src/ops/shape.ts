/** What ops ask of shapes and params: sizes, and errors that name the op, the role and the cure. */
import { StepError } from '../errors.ts';
import type { Params, Shape } from './op.ts';

/** How many numbers a tensor of this shape holds. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** The last axis: what a row holds. */
export function columnsOf(shape: Shape): number {
  return shape.at(-1) ?? 1;
}

/** How many rows of the last axis there are. */
export function rowsOf(shape: Shape): number {
  return sizeOf(shape.slice(0, -1));
}

/** `[2, 3]`, as errors print a shape. */
export function shapeText(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** The shape of a required input. Throws StepError where the role is absent, has a zero size, or another rank than `rank`. */
export function shapeOf(op: string, shapes: Readonly<Record<string, Shape>>, role: string, rank?: number): Shape {
  const shape = shapes[role];
  if (!shape) throw cannotRun(op, `its input ${role} is missing`);
  if (rank !== undefined && shape.length !== rank) {
    throw cannotRun(op, `its input ${role} is ${shapeText(shape)}; it must have ${rank} axes`);
  }
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 1)) {
    throw cannotRun(op, `its input ${role} is ${shapeText(shape)}; every size must be a whole number of at least 1`);
  }
  return shape;
}

/** The same shape in both roles, or StepError. */
export function commonShape(op: string, shapes: Readonly<Record<string, Shape>>, a: string, b: string): Shape {
  const [first, second] = [shapeOf(op, shapes, a), shapeOf(op, shapes, b)];
  if (shapeText(first) !== shapeText(second)) {
    throw cannotRun(op, `${a} is ${shapeText(first)} and ${b} is ${shapeText(second)}; they must have the same shape`);
  }
  return first;
}

/** Throws StepError unless `weight` is one row as long as the last axis of `x`. */
export function requireRowVector(op: string, shapes: Readonly<Record<string, Shape>>, x: string, weight: string): void {
  const [tensor, vector] = [shapeOf(op, shapes, x), shapeOf(op, shapes, weight)];
  if (rowsOf(vector) !== 1 || columnsOf(vector) !== columnsOf(tensor)) {
    throw cannotRun(
      op,
      `${x} is ${shapeText(tensor)} and ${weight} is ${shapeText(vector)}; ${weight} must be one row of ${columnsOf(tensor)}`,
    );
  }
}

/** What a matrix gives each token, `size` numbers; `[tokens, heads, size / heads]` where the step's params ask for heads. */
export function shapeWithHeads(
  op: string,
  tokens: number,
  size: number,
  of: 'rows' | 'columns',
  { heads }: Params,
): Shape {
  if (heads === undefined) return [tokens, size];
  if (typeof heads !== 'number' || !Number.isSafeInteger(heads) || heads < 1 || size % heads !== 0) {
    throw cannotRun(
      op,
      `its param heads is ${heads}; it must be a whole number that divides the weight's ${size} ${of}`,
    );
  }
  return [tokens, heads, size / heads];
}

/** A number from the step's params, or StepError. */
export function numberParam(op: string, params: Params, name: string): number {
  const value = params[name];
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw cannotRun(op, `its param ${name} is ${value}; it must be a finite number`);
  }
  return value;
}

/** The same where it may be absent. */
export function optionalNumber(op: string, params: Params, name: string, absent: number): number {
  return params[name] === undefined ? absent : numberParam(op, params, name);
}

/** How many tokens an op takes to stand before its pass: all of them, but no more than the param pastMax where there is one. */
export function pastOf(op: string, params: Params, nPast: number): number {
  return Math.min(nPast, optionalNumber(op, params, 'pastMax', nPast));
}

/** "Cannot run soft_max: …" */
export function cannotRun(op: string, reason: string): StepError {
  return new StepError(`Cannot run ${op}: ${reason}`);
}
