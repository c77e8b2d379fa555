/**
 * The plan changes only speed: which steps one kernel computes together, and where outputs lie in memory. It never
 * renames, drops or alters a step; a step whose op or params differ matches no fusion by accident.
 */
import type { Op, Shape } from '../ops/op.ts';
import { sizeOf } from '../ops/shape.ts';
import type { Step } from '../ops/step.ts';
import type { Observed } from './backend.ts';
import { fusions } from './fused/index.ts';
import { lastUses, opOf } from './shapes.ts';

/** One or more neighbouring steps that one op computes; the output is the last step's. */
export interface Work {
  readonly op: Op;
  /** The last step, with the inputs the op reads. */
  readonly step: Step;
  /** Index of the last step in the pass's list. */
  readonly index: number;
  /** Every step it stands for, in order; all but the last leave no value behind. */
  readonly names: readonly string[];
}

/** Steps from … to-1 as work, fusing neighbours whose inner outputs nobody observes or edits and nobody else reads. */
export function planWork(steps: readonly Step[], from: number, to: number, observed: Observed): Work[] {
  const last = lastUses(steps);
  const isHidden = (i: number) => {
    const { name, writes, edit } = steps[i]!;
    return !writes && !edit && !observed.values(name) && !observed.statistics(name);
  };
  const work: Work[] = [];
  for (let i = from; i < to; ) {
    const fused = findFusion(steps, i, to, (j, end) => isHidden(j) && last[j] === end);
    const length = fused?.length ?? 1;
    const group = steps.slice(i, i + length);
    const final = group.at(-1)!;
    work.push({
      op: fused?.op ?? opOf(final),
      step: fused?.step ?? final,
      index: i + length - 1,
      names: group.map((step) => step.name),
    });
    i += length;
  }
  return work;
}

/** The fusion that starts at step `i` and ends before `to`; `mayVanish(j, end)` says whether output j is read by `end` alone. */
function findFusion(steps: readonly Step[], i: number, to: number, mayVanish: (j: number, end: number) => boolean) {
  for (const { pattern, op, join } of fusions) {
    const end = i + pattern.length - 1;
    if (end >= to || !pattern.every((name, j) => steps[i + j]?.op === name)) continue;
    if (steps.slice(i, end + 1).some(({ cached, unwritten }) => cached || unwritten)) continue;
    if (!pattern.slice(1).every((_, j) => mayVanish(i + j, end))) continue;
    const step = join(steps.slice(i, end + 1));
    if (step) return { op, step, length: pattern.length };
  }
  return null;
}

/** Where one output lies among its segment's pages. */
export interface Region {
  /** Which of the segment's pages. */
  readonly bank: number;
  /** In bytes; a multiple of 256, which every WebGPU device can bind at. */
  readonly offset: number;
  /** Bytes reserved. A key axis is rounded up, so that a decode's regions stay where they are while the context grows. */
  readonly bytes: number;
  /** f32 values in use. */
  readonly count: number;
}

/**
 * Neighbouring steps of one layer. Their outputs share a few pages of memory: WebGPU lets no dispatch read one part of a
 * buffer and write another, so an output lies in another page than what its step reads.
 */
export interface Segment {
  readonly from: number;
  readonly to: number;
  readonly regions: ReadonlyMap<string, Region>;
  /** Bytes of each page. */
  readonly banks: readonly number[];
  /** Index of the last segment that reads this one's outputs. */
  readonly lastUse: number;
}

const ALIGNMENT = 256;
const KEY_ALIGNMENT = 256;

export function placeOutputs(steps: readonly Step[], shapes: ReadonlyMap<string, Shape>): Segment[] {
  const starts = steps.flatMap((step, i) => (i === 0 || step.layer !== steps[i - 1]?.layer ? [i] : []));
  const segmentOf = (step: number) => starts.findLastIndex((start) => start <= step);
  const last = lastUses(steps);
  return starts.map((from, s) => {
    const to = starts[s + 1] ?? steps.length;
    const regions = new Map<string, Region>();
    const banks: number[] = [];
    let lastUse = s;
    for (let i = from; i < to; i++) {
      const step = steps[i]!;
      const shape = shapes.get(step.name) ?? [];
      const reserved = shape.map((size, axis) => (step.dims[axis] === 'key' ? roundUp(size, KEY_ALIGNMENT) : size));
      const bytes = 4 * sizeOf(reserved);
      const read = new Set(readNames(steps, i).map((name) => regions.get(name)?.bank));
      const free = banks.findIndex((_, candidate) => !read.has(candidate));
      const bank = free < 0 ? banks.length : free;
      const offset = banks[bank] ?? 0;
      regions.set(step.name, { bank, offset, bytes, count: sizeOf(shape) });
      banks[bank] = offset + roundUp(bytes, ALIGNMENT);
      lastUse = Math.max(lastUse, segmentOf(last[i]!));
    }
    return { from, to, regions, banks, lastUse };
  });
}

/** What step `i` reads, be it alone or as the end of a fusion. */
function readNames(steps: readonly Step[], i: number): string[] {
  const fused = fusions.flatMap(({ pattern, join }) => {
    const group = steps.slice(Math.max(0, i + 1 - pattern.length), i + 1);
    return pattern.every((op, j) => group[j]?.op === op) ? [join(group)] : [];
  });
  return [steps[i]!, ...fused].flatMap((step) => Object.values(step?.inputs ?? {}));
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
