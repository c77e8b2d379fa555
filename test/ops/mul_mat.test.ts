import { expect, test } from 'vitest';
import { type OpCase, runOp } from '../../src/engine/run_op.ts';
import { deviceTraits } from '../../src/engine/webgpu/device_traits.ts';
import type { WebgpuContext } from '../../src/engine/webgpu/run_op.ts';
import { type BlockTypeName, blockTypeNames, blockTypes } from '../../src/gguf/blocks/index.ts';
import { mulMat } from '../../src/ops/mul_mat.ts';
import type { Op } from '../../src/ops/op.ts';
import {
  expectRefusal,
  f32,
  f32Weight,
  isNear,
  onEveryBackend,
  randomTensor,
  randomWeight,
  relativeRmsError,
  webgpu,
} from './on_every_backend.ts';
import { inBuffers, packedWeight, weightOf, withBindingLimit, withoutSubgroups } from './packed_weight.ts';

const GPU = { maxWorkgroupsPerDimension: 65_535, maxInvocationsPerWorkgroup: 256, maxWorkgroupStorageBytes: 16_384 };
const passOf = (nTokens: number) => ({ nTokens, nPast: 0 });

const product = (type: BlockTypeName, rows: number, columns: number, tokens: number): OpCase => ({
  tensors: { x: randomTensor(tokens + columns, [tokens, columns]) },
  weights: { weight: packedWeight(type, rows, columns, rows) },
  pass: passOf(tokens),
});

const errorOnDevice = async (input: OpCase, context: WebgpuContext): Promise<number> => {
  const wanted = await runOp(mulMat, input, 'reference');
  return relativeRmsError((await runOp(mulMat, input, context)).data, wanted.data);
};

// Rows (1, 2, 3) and (-1, 0, 4) times (5, 6, 7) and (1, -1, 0.5).
onEveryBackend(
  'mul_mat gives each token one dot product per row',
  mulMat,
  {
    tensors: { x: f32([2, 3], [5, 6, 7, 1, -1, 0.5]) },
    weights: { weight: f32Weight([2, 3], Float32Array.of(1, 2, 3, -1, 0, 4)) },
    pass: passOf(2),
  },
  isNear([38, 23, 0.5, 1]),
);

// One Q4_0 block of d = 0.5 whose nibbles are 0 … 15, then 15 … 0: numbers -4, -3.5, … 3.5, then 3.5, … -4. The token
// picks number 1 (low nibble 1: -3.5), twice number 15 (3.5) and number 18 (high nibble 13: 2.5).
const token = new Float32Array(32);
token[1] = 1;
token[15] = 2;
token[18] = 1;
const nibbles = Array.from({ length: 16 }, (_, i) => i | ((15 - i) << 4));
onEveryBackend(
  'mul_mat takes low nibbles as the first sixteen numbers of a Q4_0 block and high ones as the others',
  mulMat,
  {
    tensors: { x: { shape: [1, 32], data: token } },
    weights: { weight: weightOf('Q4_0', 1, 32, Uint8Array.of(0x00, 0x38, ...nibbles)) },
    pass: passOf(1),
  },
  isNear([-3.5 + 7 + 2.5]),
);

onEveryBackend(
  'mul_mat takes heads and dims as one row and gives heads where params ask for them',
  mulMat,
  {
    tensors: { x: randomTensor(1, [3, 5, 40]) },
    weights: { weight: randomWeight(2, [80, 200]) },
    params: { heads: 2 },
    pass: passOf(3),
  },
  ({ shape }) => expect(shape).toEqual([3, 2, 40]),
);

for (const type of blockTypeNames) {
  const columns = Math.max(96, 2 * blockTypes[type].size);
  onEveryBackend(`mul_mat agrees with f64 on ${type}, one token`, mulMat, product(type, 37, columns, 1));
  onEveryBackend(`mul_mat agrees with f64 on ${type}, five tokens`, mulMat, product(type, 37, columns, 5));
}

for (const [rows, columns, tokens] of [
  [1, 1, 1],
  [7, 31, 2],
  [8, 32, 7],
  [9, 33, 8],
  [13, 200, 9],
  [331, 64, 1],
  [67, 416, 128],
  [5, 5632, 3],
] as const) {
  const title = `mul_mat agrees with f64 on ${tokens} tokens of ${columns} and ${rows} rows of F32`;
  onEveryBackend(title, mulMat, product('F32', rows, columns, tokens));
}

test('mul_mat refuses a token whose length is not the row length', () =>
  expectRefusal(
    mulMat,
    {
      tensors: { x: randomTensor(1, [2, 5, 8]) },
      weights: { weight: randomWeight(1, [3, 32]) },
      pass: passOf(2),
    },
    /Cannot run mul_mat: x is \[2, 5, 8\] and weight is \[3, 32\]; a token of x must have 32 numbers/,
  ));

test('mul_mat refuses heads that do not divide the rows', () =>
  expectRefusal(
    mulMat,
    {
      tensors: { x: randomTensor(1, [2, 32]) },
      weights: { weight: randomWeight(1, [9, 32]) },
      params: { heads: 2 },
      pass: passOf(2),
    },
    /Cannot run mul_mat: its param heads is 2; it must be a whole number that divides the weight's 9 rows/,
  ));

const context = webgpu;
if (!context) {
  test.skip('mul_mat on other devices and with split weights skipped: no WebGPU adapter', () => {});
} else {
  for (const type of blockTypeNames) {
    test(`mul_mat agrees with f64 on ${type} without subgroups`, async () => {
      const input = product(type, 67, Math.max(160, blockTypes[type].size), 5);
      const tolerance = mulMat.tolerance({ weight: input.weights!.weight!.shape });
      expect(await errorOnDevice(input, withoutSubgroups(context))).toBeLessThanOrEqual(tolerance);
    });
  }

  for (const type of ['F32', 'Q4_0', 'Q6_K'] as const) {
    test(`mul_mat gives the same bits whether a ${type} weight is one buffer or many`, async () => {
      const input = product(type, 83, 512, 3);
      const whole = await runOp(mulMat, input, context);
      const split = await runOp(mulMat, input, withBindingLimit(inBuffers(context), 40_000));
      expect(split.data).toEqual(whole.data);
    });
  }

  for (const type of ['F32', 'Q4_0', 'Q5_K'] as const) {
    test(`mul_mat gives the same bits whether x and a ${type} weight lie in textures or in buffers`, async () => {
      // More than one row of texels of each.
      const input = product(type, 259, 2048, 19);
      const textures = await runOp(mulMat, input, {
        ...context,
        traits: { ...context.traits, fastStorage: 'texture' },
      });
      const buffers = await runOp(mulMat, input, inBuffers(context));
      expect(textures.data).toEqual(buffers.data);
    });
  }

  const { subgroupSize } = deviceTraits(context.gpu);

  const wholeRows = subgroupSize <= 8;
  test.skipIf(!wholeRows)(
    `mul_mat gives a token the same bits alone and among others${wholeRows ? '' : ' skipped: subgroups share its rows'}`,
    async () => {
      const many = product('Q4_0', 83, 512, 6);
      const x = many.tensors!.x!;
      const all = await runOp(mulMat, many, context);
      for (const i of [0, 5]) {
        const alone = { shape: [1, 512], data: x.data.slice(i * 512, (i + 1) * 512) };
        const one = await runOp(mulMat, { ...many, tensors: { x: alone }, pass: passOf(1) }, context);
        expect(one.data).toEqual(all.data.slice(i * 83, (i + 1) * 83));
      }
    },
  );

  const shared = 'mul_mat agrees with f64 where four subgroups share a row';
  test.skipIf(subgroupSize !== 8)(
    `${shared}${subgroupSize === 8 ? '' : ' skipped: needs subgroups of 8'}`,
    async () => {
      // Sixteen subgroups of which four share a row cover as many rows as four that do not, so the grid stays as it is.
      const withSplits: Op = {
        ...mulMat,
        dispatch: (request) =>
          mulMat
            .dispatch(request)
            .map((call) => ({ ...call, overrides: { ...call.overrides, subgroups: 16, splits: 4 } })),
      };
      const input = product('Q4_0', 131, 352, 1); // 11 groups of 32, so that the splits get unequal shares
      const wanted = await runOp(mulMat, input, 'reference');
      const found = await runOp(withSplits, input, context);
      expect(relativeRmsError(found.data, wanted.data)).toBeLessThanOrEqual(1e-6);
    },
  );

  test('mul_mat gives subgroups of 32 a share of each row', () => {
    const [call] = mulMat.dispatch({
      shapes: { x: [1, 64] },
      weights: { weight: { type: 'F32', storage: 'buffer', shape: [640, 64], chunks: [{ row0: 0, rows: 640 }] } },
      output: [1, 640],
      params: {},
      pass: passOf(1),
      device: { ...GPU, subgroupSize: 32, fastStorage: 'buffer' },
    });
    expect(call).toMatchObject({
      overrides: { lanes: 32, subgroups: 8, splits: 8, rows_each: 2 },
      workgroups: [10, 1, 1],
    });
  });
}
