/** The block types Layerscope reads, by name and by ggml's number. A new type is one file here and one in kernels/blocks. */

import { bf16 } from './bf16.ts';
import type { BlockType } from './block.ts';
import { f16 } from './f16.ts';
import { f32 } from './f32.ts';
import { iq4_nl } from './iq4_nl.ts';
import { q2_k } from './q2_k.ts';
import { q3_k } from './q3_k.ts';
import { q4_0 } from './q4_0.ts';
import { q4_1 } from './q4_1.ts';
import { q4_k } from './q4_k.ts';
import { q5_0 } from './q5_0.ts';
import { q5_1 } from './q5_1.ts';
import { q5_k } from './q5_k.ts';
import { q6_k } from './q6_k.ts';
import { q8_0 } from './q8_0.ts';

export type { ActivationType, BlockType, Plane } from './block.ts';

const table = {
  F32: f32,
  F16: f16,
  BF16: bf16,
  Q4_0: q4_0,
  Q4_1: q4_1,
  Q5_0: q5_0,
  Q5_1: q5_1,
  Q8_0: q8_0,
  Q2_K: q2_k,
  Q3_K: q3_k,
  Q4_K: q4_k,
  Q5_K: q5_k,
  Q6_K: q6_k,
  IQ4_NL: iq4_nl,
};

export type BlockTypeName = keyof typeof table;

export const blockTypes: Readonly<Record<BlockTypeName, BlockType>> = table;

/** Every supported name, in the order in which errors list them. */
export const blockTypeNames: readonly BlockTypeName[] = Object.keys(table) as BlockTypeName[];

const nameOfId = new Map<number, BlockTypeName>(blockTypeNames.map((name) => [blockTypes[name].id, name]));

/** The name of ggml's type number `id`; undefined where Layerscope does not read that type. */
export function blockTypeName(id: number): BlockTypeName | undefined {
  return nameOfId.get(id);
}

/** The block type with ggml's number `id`; undefined where Layerscope does not read it. */
export function blockTypeById(id: number): BlockType | undefined {
  const name = nameOfId.get(id);
  return name && blockTypes[name];
}
