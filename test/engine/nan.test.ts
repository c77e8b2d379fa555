import { expect, test } from 'vitest';
import { openModelFrom } from '../../src/engine/model.ts';
import { StepError } from '../../src/errors.ts';
import { bytesSource, joinBytes } from '../../src/gguf/bytes.ts';
import { randomModelContent } from '../../src/gguf/random_model.ts';
import { ggufPieces } from '../../src/gguf/writer.ts';
import { backends, openRandom, platform, tiny } from './models.ts';

/** A model whose value matrix of layer 1 holds a NaN. */
async function brokenModel(backend: 'webgpu' | 'reference') {
  const content = randomModelContent(tiny);
  const tensors = content.tensors.map((tensor) => {
    if (tensor.name !== 'blk.1.attn_v.weight') return tensor;
    const values = new Float32Array(tensor.shape.reduce((product, n) => product * n, 1)).fill(0.01);
    values[70] = Number.NaN;
    return { ...tensor, data: () => [new Uint8Array(values.buffer)] };
  });
  const bytes = await joinBytes(ggufPieces({ ...content, tensors }));
  return openModelFrom(bytesSource('broken.gguf', bytes), platform, { backend });
}

test.each(backends)(
  'a NaN in a weight is counted where it first shows, and no token is drawn from it, on %s',
  async (backend) => {
    const run = (await brokenModel(backend)).start([1, 5, 9]);
    await run.toEnd();
    expect(run.trace.entries.find(({ statistics }) => statistics.nanCount > 0)?.name).toBe('Vcur-1');
    await expect(run.generate(1)).rejects.toThrow(StepError);
    await expect(run.generate(1)).rejects.toThrow(
      /Cannot draw a token: 300 of 300 logits are NaN or infinite; the first tensor with such is Vcur-1 of pass 0/,
    );
  },
);

test.each(backends)('of infinite logits no token is drawn either, on %s', async (backend) => {
  const run = await (await openRandom(backend)).start([1, 5, 9], { statistics: false }).toEnd();
  const logits = (await run.tensor('result_output')).data.slice();
  logits[logits.length - 7] = Number.POSITIVE_INFINITY;
  await run.replace('result_output', logits);
  await expect(run.generate(1, { temperature: 1 })).rejects.toThrow(/1 of 300 logits are NaN or infinite/);
});
