/**
 * One op alone on given inputs, on either backend: to look at what it does, to check a kernel against its f64 reference,
 * and to try a step of somebody else's model on their own inputs.
 */
import { StepError } from '../errors.ts';
import type { Op, Params, Pass, Shape, Values, WeightRows } from '../ops/op.ts';
import { shapeOf, sizeOf } from '../ops/shape.ts';
import { runOpOnDevice, type WebgpuContext } from './webgpu/run_op.ts';

/** A weight for one op: its values as the reference reads them, and how they lie in the file, for the device. */
export interface OpWeight extends WeightRows {
  /** Block type: `F32`, `Q4_0`, … A shape of one axis makes it a vector, which is plain f32 on the device. */
  readonly type: string;
  /** Rows `start` … `start + count - 1` as GGUF stores them. */
  bytes(start: number, count: number): Uint8Array;
}

/** What one op is run on, by role. A role of kind `table` is computed by the op; one of kind `tokens` holds whole numbers. */
export interface OpCase {
  readonly tensors?: Readonly<Record<string, Values>>;
  readonly weights?: Readonly<Record<string, OpWeight>>;
  readonly params?: Params;
  readonly pass: Pass;
}

/** Where it runs. */
export type OpBackend = 'reference' | WebgpuContext;

/** An op case that was checked: absent parts filled in, the table computed, the output's shape known. */
export interface CheckedCase {
  readonly tensors: Readonly<Record<string, Values>>;
  readonly weights: Readonly<Record<string, OpWeight>>;
  readonly params: Params;
  readonly pass: Pass;
  /** Shapes of all inputs, weights as `[rows, columns]`. */
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly output: Shape;
}

/**
 * The op's output: f64 from the reference, f32 from a device. Throws StepError where the inputs do not fit the op,
 * DeviceError where the device fails.
 */
export async function runOp(op: Op, input: OpCase, backend: OpBackend): Promise<Values> {
  const checked = checkedCase(op, input);
  if (backend === 'reference') {
    return { shape: checked.output, data: await op.reference(checked, checked.params, checked.pass) };
  }
  return { shape: checked.output, data: await runOpOnDevice(op, checked, backend) };
}

function checkedCase(op: Op, { tensors = {}, weights = {}, params = {}, pass }: OpCase): CheckedCase {
  for (const role of [...Object.keys(tensors), ...Object.keys(weights)]) {
    if (!op.inputs[role]) {
      const roles = Object.keys(op.inputs).join(', ');
      throw new StepError(`Cannot run ${op.name}: it has no input ${role}; its inputs are ${roles}`);
    }
  }
  for (const [role, { shape, data }] of Object.entries(tensors)) {
    if (data.length !== sizeOf(shape)) {
      throw new StepError(`Cannot run ${op.name}: ${role} is [${shape}] but holds ${data.length} numbers`);
    }
  }
  const allTensors: Readonly<Record<string, Values>> = op.table
    ? { ...tensors, table: op.table(params, pass, weights) }
    : tensors;
  const shapes = Object.fromEntries([
    ...Object.entries(allTensors).map(([role, { shape }]) => [role, shape]),
    ...Object.entries(weights).map(([role, { shape }]) => [role, shape.length === 1 ? [1, ...shape] : shape]),
  ]);
  for (const [role, { optional }] of Object.entries(op.inputs)) if (!optional) shapeOf(op.name, shapes, role);
  return { tensors: allTensors, weights, params, pass, shapes, output: op.shape(shapes, params, pass) };
}

/** An F32 weight of the given values: `[columns]` or `[rows, columns]`. */
export function f32Weight(shape: Shape, values: Float32Array<ArrayBuffer>): OpWeight {
  const columns = shape.at(-1) ?? 1;
  const rows = (start: number, count: number) => values.subarray(start * columns, (start + count) * columns);
  return {
    type: 'F32',
    shape,
    rows,
    bytes: (start, count) => new Uint8Array(rows(start, count).slice().buffer),
  };
}
