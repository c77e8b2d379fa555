import { afterAll, describe, expect, test } from 'vitest';
import { compare } from '../../src/compare/compare.ts';
import { edit } from '../../src/engine/transforms/edit.ts';
import { readDump } from '../../src/node/dump.ts';
import { graphOf, layouts, printedLog } from '../trace/dumps/printed_log.ts';
import { Folder, littleEndian, TOKENS, traced } from '../trace/dumps/traced.ts';

const folder = new Folder();
afterAll(() => folder.remove());

/** The sums of investigation 003: a layer whose SiLU gives zeros, and what it should have been. */
const REFERENCE = `step,sum
Embedding,3.660156
Layer 0 output,4.902344
Final norm,774.0
Logits,-34784.0
`;
const OURS = `step,sum
Embedding,3.673828125
x_norm (attn),82.875
Q,29.21875
K,-1040
V,1.6875
attn_out,4.70703125
hidden_1 (after attn),8.3515625
x_norm2 (ffn),59.125
gate,-7884
up,330.5
silu_gate,0
gated,0
ffn_out,0
Layer 0 output,8.3515625
Final norm,790
Logits,inf
`;

describe('two tables of sums', () => {
  test('are enough to find the SiLU that died, as a suspicion', async () => {
    const ours = await readDump(folder.file('ours.csv', OURS));
    const reference = await readDump(folder.file('reference.csv', REFERENCE));
    const comparison = await compare(ours, reference);
    expect(comparison.verdict, comparison.summary).toBe('bug');
    expect(comparison.firstDivergence).toMatchObject({ name: 'ffn_silu-0', ours: 0, reference: NaN, isolation: null });
    expect(comparison.claims.map(({ supports }) => supports).join()).toContain('a suspicion');
    expect(comparison.notCompared.map(({ name }) => name)).toContain('ffn_gate-0');
    const status = Object.fromEntries(comparison.tensors.map(({ name, status }) => [name, status]));
    expect(status).toEqual({ embd: 'within', 'l_out-0': 'beyond', result_norm: 'beyond' });
    expect(comparison.notCompared).toContainEqual({
      name: 'result_output',
      pass: 0,
      why: 'its sum overflowed in ours: that says nothing of the tensor',
    });
  });

  test('that are the same say that sums prove little', async () => {
    const [one, other] = [
      await readDump(folder.file('a.csv', REFERENCE)),
      await readDump(folder.file('b.csv', REFERENCE)),
    ];
    const { verdict, summary } = await compare(one, other);
    expect(verdict).toBe('agree');
    expect(summary).toContain('sums and RMS alone prove little');
  });
});

describe.each(Object.keys(layouts))('a log printed as by %s', (layout) => {
  test('agrees with the run that it was printed from, as far as it goes, and says how far that is', async () => {
    const healthy = await traced();
    const log = await readDump(folder.file('healthy.log', printedLog(graphOf(healthy), layouts[layout]!)), {
      model: healthy.model,
      tokens: TOKENS,
    });
    const comparison = await compare(log, await healthy.model.start(TOKENS).toEnd());
    expect(comparison.verdict, comparison.summary).toBe('agree');
    const embd = comparison.tensors.find(({ name }) => name === 'embd');
    expect(embd?.coverage).toBeGreaterThan(0);
    expect(embd?.coverage).toBeLessThan(0.2);
    expect(comparison.claims.map(({ number }) => number).join()).toMatch(/\d+ of \d+ elements/);
  });
});

test('a folder of raw numbers from an engine with a wrong head is found at that head, and made there', async () => {
  const healthy = await traced();
  const broken = await healthy.model
    .with(edit('kqv_out-1', (z) => z.map((x, _, head) => (head === 2 ? -x : x))))
    .start(TOKENS)
    .toEnd();
  const raw = new Folder();
  for (const { name } of broken.trace.entries) raw.file(`${name}.f32`, littleEndian(await broken.tensor(name)));
  const dump = await readDump(raw.path, { model: healthy.model, tokens: TOKENS });
  const comparison = await compare(dump, await healthy.model.start(TOKENS).toEnd());
  expect(comparison.verdict, comparison.summary).toBe('bug');
  expect(comparison.firstDivergence).toMatchObject({ name: 'kqv_out-1', head: 2, isolation: { madeBy: 'ours' } });
  raw.remove();
});
