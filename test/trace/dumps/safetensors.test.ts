import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDump } from '../../../src/node/dump.ts';
import { halvesAsNeighbours } from '../../../src/trace/dumps/view.ts';
import type { Tensor } from '../../../src/trace/tensor.ts';
import type { Trace } from '../../../src/trace/trace.ts';
import { relativeRmsError } from '../../engine/models.ts';
import { seeded } from '../../seeded.ts';
import { expectSame, Folder, littleEndian, neverCrashes, TOKENS, type Traced, traced } from './traced.ts';

let run: Traced;
const folder = new Folder();
beforeAll(async () => {
  run = await traced();
});
afterAll(() => folder.remove());

interface Stored {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A file by the format's description; `change` may make its header lie. */
function safetensors(
  tensors: Readonly<Record<string, Stored>>,
  change: (header: Record<string, Record<string, unknown>>) => unknown = (header) => header,
): Uint8Array {
  let at = 0;
  const header: Record<string, Record<string, unknown>> = {};
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const json = Buffer.from(JSON.stringify(change(header)));
  const length = Buffer.from(BigUint64Array.of(BigInt(json.length)).buffer);
  return Buffer.concat([length, json, ...Object.values(tensors).map(({ bytes }) => bytes)]);
}

const f32 = (tensor: Tensor, shape: readonly number[] = tensor.shape): Stored => ({
  dtype: 'F32',
  shape,
  bytes: littleEndian(tensor),
});

/** Q or K in Hugging Face's order: number i of a head's first half is our 2i, of its second our 2i + 1. */
function inHalves(tensor: Tensor): Tensor {
  const half = tensor.shape[2]! / 2;
  return tensor.map((_, token, head, dim) => tensor.at(token, head, dim < half ? 2 * dim : 2 * (dim - half) + 1));
}

/** What hooks on Hugging Face's modules give, with a batch of one, and hidden_states and attentions beside them. */
function huggingFace(): Record<string, Stored> {
  const { nLayer } = run.model.config;
  const tensor = (name: string) => run.tensors.get(name)!;
  const batched = (name: string) => f32(tensor(name), [1, ...tensor(name).shape]);
  const flat = (from: Tensor): Stored => f32(from, [1, from.shape[0]!, from.shape[1]! * from.shape[2]!]);
  const dump: Record<string, Stored> = { 'hidden_states.0': batched('embd') };
  for (let i = 0; i < nLayer; i++) {
    const at = (module: string) => `model.layers.${i}.${module}`;
    dump[at('input_layernorm')] = batched(`attn_norm-${i}`);
    dump[at('self_attn.q_proj')] = flat(inHalves(tensor(`Qcur-${i}`)));
    dump[at('self_attn.k_proj')] = flat(inHalves(tensor(`Kcur-${i}`)));
    dump[at('self_attn.v_proj')] = flat(tensor(`Vcur-${i}`));
    dump[`attentions.${i}`] = batched(`kq_soft_max-${i}`);
    dump[at('self_attn.o_proj')] = batched(`attn_out-${i}`);
    dump[at('post_attention_layernorm')] = batched(`ffn_norm-${i}`);
    dump[at('mlp.gate_proj')] = batched(`ffn_gate-${i}`);
    dump[at('mlp.up_proj')] = batched(`ffn_up-${i}`);
    dump[at('mlp.act_fn')] = batched(`ffn_silu-${i}`);
    dump[at('mlp.down_proj')] = batched(`ffn_out-${i}`);
    dump[`hidden_states.${i + 1}`] = batched(i + 1 < nLayer ? `l_out-${i}` : 'result_norm');
  }
  dump.logits = batched('result_output');
  return dump;
}

const read = (bytes: Uint8Array): Promise<Trace> =>
  readDump(folder.file('x.safetensors', bytes), { model: run.model, tokens: TOKENS });

test("Hugging Face's modules are our tensors: no batch, heads reordered, hidden_states one later and the last one normed", async () => {
  const trace = await read(safetensors(huggingFace()));
  const missing = /^(kq-|kqv_out|ffn_inp|ffn_swiglu|[QK]cur_rope|l_out-2)/;
  await expectSame(
    trace,
    run,
    run.trace.names.filter((name) => !missing.test(name)),
  );
  expect(trace.manifest.notRead).toEqual([]);
});

test("in the order we read as Hugging Face's, its RoPE gives the scores that ours gives in our own", () => {
  const { ropeBase, headDim, nHead, nHeadKv } = run.model.config;
  /** Turns (i, i + d/2) together, as modeling_llama's rotate_half does. */
  const turned = (tensor: Tensor) => {
    const half = headDim / 2;
    return tensor.map((x, token, head, dim) => {
      const angle = token * ropeBase ** (-(2 * (dim % half)) / headDim);
      const other = tensor.at(token, head, (dim + half) % headDim) * (dim < half ? -1 : 1);
      return x * Math.cos(angle) + other * Math.sin(angle);
    });
  };
  const [q, k] = ['Qcur-0', 'Kcur-0'].map((name) => turned(inHalves(run.tensors.get(name)!))) as [Tensor, Tensor];
  const kq = run.tensors.get('kq-0')!;
  const theirs = kq.map((_, head, token, key) =>
    q.slice(token, head).dot(k.slice(key, Math.floor((head * nHeadKv) / nHead))),
  );
  expect(relativeRmsError(theirs.data, kq.data)).toBeLessThan(1e-6);
  expect(halvesAsNeighbours(6)).toEqual([0, 3, 1, 4, 2, 5]);
});

test('F16, BF16 and F64 are read as the numbers they are', async () => {
  const one = (dtype: string, ...bytes: number[]): Stored => ({ dtype, shape: [1, 1], bytes: Uint8Array.from(bytes) });
  const bytes = safetensors({
    a: one('F16', 0x00, 0xc1),
    b: one('BF16', 0x20, 0xc0),
    c: { dtype: 'F64', shape: [1, 1], bytes: new Uint8Array(Float64Array.of(-2.5).buffer) },
  });
  const names = { a: 'embd', b: 'result_norm', c: 'l_out-0' };
  const trace = await readDump(folder.file('x.safetensors', bytes), { names });
  const values = await Promise.all(
    ['embd', 'result_norm', 'l_out-0'].map(async (name) => [...(await trace.tensor(name)).data]),
  );
  expect(values).toEqual([[-2.5], [-2.5], [-2.5]]);
});

describe('a lying header is refused', () => {
  const stored: Record<string, Stored> = {
    a: { dtype: 'F32', shape: [2], bytes: new Uint8Array(8) },
    b: { dtype: 'F32', shape: [3], bytes: new Uint8Array(12) },
  };
  type Header = Record<string, Record<string, unknown>>;
  test.for<[what: string, change: (header: Header) => unknown, message: string]>([
    [
      'offsets outside',
      (h) => ({ ...h, b: { ...h.b, data_offsets: [12, 24] } }),
      'its header puts b at bytes 12 to 24 of 20',
    ],
    ['overlapping', (h) => ({ ...h, b: { ...h.b, data_offsets: [4, 16] } }), 'lets b begin at byte 4; a ends at 8'],
    ['a gap', (h) => ({ b: h.b }), 'lets b begin at byte 8; the header ends at 0'],
    ['bytes left over', (h) => ({ a: h.a }), 'it has 20 bytes of numbers; its header speaks of 8'],
    ['a wrong size', (h) => ({ ...h, a: { ...h.a, shape: [3] } }), 'gives a 8 bytes; F32 [3] takes 12'],
    ['a huge size', (h) => ({ ...h, a: { ...h.a, shape: [2 ** 40, 2 ** 40] } }), 'gives a 8 bytes; F32'],
    [
      'a negative size',
      (h) => ({ ...h, a: { ...h.a, shape: [-2] } }),
      'does not give dtype, shape and data_offsets of a',
    ],
    [
      'no offsets',
      (h) => ({ ...h, a: { dtype: 'F32', shape: [2] } }),
      'does not give dtype, shape and data_offsets of a',
    ],
    ['a list', () => [1], 'its header is no JSON object'],
  ])('%s', async ([, change, message]) => {
    await expect(
      readDump(folder.file('x.safetensors', safetensors(stored, change)), { format: 'safetensors' }),
    ).rejects.toThrow(message);
  });

  test('a length beyond the file', async () => {
    const bytes = safetensors(stored);
    bytes.set([0xff, 0xff, 0xff, 0xff, 0xff], 0);
    const path = folder.file('x.safetensors', bytes);
    await expect(readDump(path, { format: 'safetensors' })).rejects.toThrow(
      /its header claims \d+ bytes of the file's/,
    );
  });

  test('a file that is cut off', async () => {
    const bytes = safetensors(stored);
    for (let length = 1; length < bytes.length; length++) {
      const path = folder.file('y.safetensors', bytes.subarray(0, length));
      await expect(readDump(path, { format: 'safetensors' })).rejects.toThrow(/^Cannot read /);
    }
  });
});

test('a type without numbers is listed, and the rest is read', async () => {
  const { embd } = { embd: f32(run.tensors.get('embd')!) };
  const trace = await read(
    safetensors({ embd, 'l_out-0': { dtype: 'F8_E4M3', shape: [7, 64], bytes: new Uint8Array(448) } }),
  );
  await expectSame(trace, run, ['embd']);
  expect(trace.manifest.notRead).toEqual([{ name: 'l_out-0', why: expect.stringContaining('its dtype is F8_E4M3') }]);
});

test('two names of one tensor give it once, and the other is listed', async () => {
  const embd = f32(run.tensors.get('embd')!);
  const trace = await read(safetensors({ 'model.embed_tokens': embd, 'hidden_states.0': embd }));
  await expectSame(trace, run, ['embd']);
  expect(trace.manifest.notRead).toEqual([
    { name: 'model.embed_tokens', why: 'hidden_states.0 is embd too, and later' },
  ]);
});

test('whatever byte is wrong in the header, nothing but our errors or the numbers themselves come of it', async () => {
  const random = seeded(8);
  const whole = safetensors({ embd: f32(run.tensors.get('embd')!), 'l_out-0': f32(run.tensors.get('l_out-0')!) });
  const headerEnd = 8 + Number(new DataView(whole.buffer, whole.byteOffset).getBigUint64(0, true));
  for (let i = 0; i < 200; i++) {
    const at = Math.floor(random() * headerEnd);
    const bytes = Uint8Array.from(whole);
    bytes[at]! ^= 1 << Math.floor(random() * 8);
    const path = folder.file('z.safetensors', bytes);
    const trace = await neverCrashes(() => readDump(path, { model: run.model, tokens: TOKENS, format: 'safetensors' }));
    // A name that turned into another name of ours cannot be told; a type of the same width can only be integers.
    for (const { name, srcDtype, shape } of trace?.entries ?? []) {
      if (srcDtype !== 'f32' || shape.join() !== '7,64') continue;
      const tensor = await trace!.tensor(name);
      const sources = ['embd', 'l_out-0'].map((each) => run.tensors.get(each)!.data);
      expect(
        sources.some(
          (data) =>
            Buffer.compare(
              Buffer.from(data.buffer, data.byteOffset, data.byteLength),
              Buffer.from(tensor.data.slice().buffer),
            ) === 0,
        ),
      ).toBe(true);
    }
  }
});
