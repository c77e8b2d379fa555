import { expect, test } from 'vitest';
import { openModelFrom } from '../../src/engine/model.ts';
import { StepError } from '../../src/errors.ts';
import { bytesSource, joinBytes } from '../../src/gguf/bytes.ts';
import { randomModelContent } from '../../src/gguf/random_model.ts';
import { ggufPieces } from '../../src/gguf/writer.ts';
import { backends, platform, tiny } from './models.ts';

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
      /Cannot draw a token: 300 of 300 logits are NaN; the first tensor with NaN is Vcur-1 of pass 0/,
    );
  },
);
