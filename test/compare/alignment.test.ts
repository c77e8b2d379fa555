import { describe, expect, it } from 'vitest';
import { allowedKinds, differenceKinds, differencesOf, unknownsOf } from '../../src/compare/alignment.ts';
import type { Difference } from '../../src/compare/comparison.ts';
import { attribution } from '../../src/engine/transforms/attribution.ts';
import { edit } from '../../src/engine/transforms/edit.ts';
import { lens } from '../../src/engine/transforms/lens.ts';
import type { Transform } from '../../src/engine/transforms/transform.ts';
import { UsageError } from '../../src/errors.ts';
import { type EndRecord, type Manifest, RowTrace, type Trace, type TraceRow } from '../../src/trace/trace.ts';
import { openRandom } from '../engine/models.ts';

interface Made {
  readonly manifest?: Manifest;
  readonly end?: EndRecord;
  /** Tokens of each pass. */
  readonly passes?: readonly number[];
  readonly pos0?: number;
  /** Rows of result_output that each pass keeps; all unless said. */
  readonly outputs?: number;
  readonly names?: readonly string[];
}

const BASE: Manifest = {
  tokens: [1, 15043, 29892, 590],
  pieces: ['<s>', ' Hello', ',', ' my'],
  bos: true,
  model: 'a'.repeat(64),
  quantisation: 'F32 Q4_0',
  template: 'a template',
  transforms: [],
};

/** A trace with the fewest rows that tell its passes. */
function trace({ manifest = BASE, end, passes = [4], pos0 = 0, outputs, names }: Made = {}): Trace {
  let at = pos0;
  const entries = passes.flatMap((nTokens, pass) => {
    const rows = (names ?? ['embd', 'kq-0', 'result_output']).map((name): Partial<TraceRow> => {
      const kept = name === 'result_output' ? (outputs ?? nTokens) : nTokens;
      return name === 'kq-0'
        ? { name, pass, pos0: at, shape: [2, kept, at + kept], dims: ['head', 'token', 'key'] }
        : { name, pass, pos0: at, shape: [kept, 8], dims: ['token', 'embd'] };
    });
    at += nTokens;
    return rows as TraceRow[];
  });
  const values = () => Promise.reject(new Error('no values'));
  return new RowTrace({ manifest, entries, values, source: 'a test', ...(end ? { end } : {}) });
}

const made = (manifest: Manifest, parts: Made = {}) => trace({ ...parts, manifest: { ...BASE, ...manifest } });
const kindsOf = (ours: Trace, reference: Trace) => differencesOf(ours, reference).map(({ kind }) => kind);

/** The one difference of two traces. */
function difference(ours: Trace, reference: Trace): Difference {
  const [found, ...more] = differencesOf(ours, reference);
  expect(more).toEqual([]);
  expect(found?.says).toMatch(/[;,] /);
  const back = differencesOf(reference, ours);
  expect(back.map(({ kind, ours: a, reference: b }) => [kind, b, a])).toEqual([
    [found?.kind, found?.ours, found?.reference],
  ]);
  return found as Difference;
}

describe('traces of one experiment', () => {
  it('differ in nothing: a trace and itself, and two runs on other backends', () => {
    expect(differencesOf(trace(), trace())).toEqual([]);
    expect(unknownsOf(trace(), trace())).toEqual([]);
    expect(differencesOf(made({ backend: 'webgpu', precision: 'f32' }), made({ backend: 'reference' }))).toEqual([]);
  });

  it('may end with a token that was drawn and has not been run', () => {
    const drawn = made({ tokens: [1, 15043, 29892, 590, 1024] });
    expect(differencesOf(drawn, trace())).toEqual([]);
    // A file's manifest tells the prompt, and its end what was drawn.
    const file = trace({ end: { tokens: [1, 15043, 29892, 590, 1024, 7] }, passes: [4, 1] });
    const run = made({ tokens: [1, 15043, 29892, 590, 1024] }, { passes: [4, 1] });
    expect(differencesOf(file, run)).toEqual([]);
  });

  it('may have stopped within a layer', () => {
    expect(differencesOf(trace({ names: ['embd'] }), trace())).toEqual([]);
  });
});

describe('tokens', () => {
  it('are named by the first position at which they part, with their pieces', () => {
    const other = made({ tokens: [1, 15043, 1738, 590], pieces: ['<s>', ' Hello', '!', ' my'] });
    expect(difference(trace(), other)).toEqual({
      kind: 'tokens',
      ours: 'position 2 is 29892 ","',
      reference: 'position 2 is 1738 "!"',
      says: 'from position 2 on the two compute something else; give one side the ids of the other',
    });
  });

  it('of which one side has more are named by how many', () => {
    const longer = made({ tokens: [...(BASE.tokens ?? []), 5, 6] }, { passes: [4, 1, 1] });
    expect(difference(trace(), longer)).toMatchObject({
      kind: 'tokens',
      ours: '4 tokens',
      reference: '6 tokens',
      says: expect.stringContaining('the reference goes on for 2 more tokens'),
    });
  });

  it('that are the same but for BOS are a difference of its own', () => {
    const { tokens = [], pieces = [] } = BASE;
    const without = made({ tokens: tokens.slice(1), pieces: pieces.slice(1), bos: false }, { passes: [3] });
    expect(difference(trace(), without)).toMatchObject({
      kind: 'bos',
      ours: 'begins 1 "<s>", 15043 " Hello"',
      reference: 'begins 15043 " Hello", 29892 ","',
      says: expect.stringContaining('but for BOS'),
    });
    const twice = made({ tokens: [1, ...tokens], pieces: ['<s>', ...pieces] }, { passes: [5] });
    expect(difference(twice, trace())).toMatchObject({ kind: 'bos', ours: 'begins 1 "<s>", 1 "<s>"' });
    // A dump of ids alone.
    const ids = trace({ manifest: { tokens: tokens.slice(1) }, passes: [3] });
    expect(difference(trace(), ids).kind).toBe('bos');
  });

  it('that lack a first token which is no BOS are other tokens', () => {
    const { tokens = [], pieces = [] } = BASE;
    const more = { tokens: [450, ...tokens], pieces: [' The', ...pieces] };
    expect(difference(made({ ...more, bos: false }, { passes: [5] }), trace()).kind).toBe('tokens');
    const unsaid = trace({ manifest: more, passes: [5] });
    expect(difference(unsaid, trace()).kind).toBe('tokens');
    // What the manifest says counts for more than how the piece looks.
    const special = { tokens: [0, ...tokens], pieces: ['<unk>', ...pieces] };
    expect(difference(made({ ...special, bos: false }, { passes: [5] }), trace()).kind).toBe('tokens');
    expect(difference(made({ ...more, bos: true }, { passes: [5] }), trace()).kind).toBe('bos');
  });

  it('nobody tells, but one begins with BOS and the other does not', () => {
    const [yes, no] = [true, false].map((bos) => trace({ manifest: { bos } })) as [Trace, Trace];
    expect(difference(yes, no)).toMatchObject({ kind: 'bos', ours: 'begins with BOS', reference: 'no BOS' });
  });
});

describe('the template', () => {
  it('is named by where it parts, and whether that matters', () => {
    const other = made({ template: 'a tEmplate' });
    expect(difference(trace(), other)).toMatchObject({
      kind: 'template',
      ours: 'at 3 of 10: "emplate"',
      reference: 'at 3 of 10: "Emplate"',
      says: expect.stringContaining('gave the same tokens'),
    });
    const unknown = trace({ manifest: { template: 'another' } });
    expect(difference(trace(), unknown).says).toContain('use one template');
  });
});

describe('the model', () => {
  it('is another file where the sha256 is, but not where one is the twin of the other', () => {
    const other = made({ model: 'b'.repeat(64) });
    expect(difference(trace(), other)).toMatchObject({
      kind: 'weights',
      ours: 'aaaaaaaaaaaa…',
      reference: 'bbbbbbbbbbbb…',
    });
    const twin = made({ model: 'c'.repeat(64), twinOf: BASE.model, quantisation: 'F32' });
    expect(differencesOf(trace(), twin)).toEqual([]);
    expect(differencesOf(twin, made({ model: 'd'.repeat(64), twinOf: BASE.model }))).toEqual([]);
    expect(difference(twin, made({ model: 'b'.repeat(64), quantisation: 'F32' })).kind).toBe('weights');
  });

  it.each([
    ['F32 Q4_0', 'Q4_0', true],
    ['F32 Q4_K Q6_K', 'Q6_K Q4_K F32', true],
    ['F32 Q4_K Q6_K', 'Q4_K_M', true],
    ['q4_k_m', 'Q4_K_M', true],
    ['F32', 'F32', true],
    ['F32', 'F32 F16', false],
    ['F32 Q4_0', 'F32 Q4_K', false],
    ['F32 Q5_K Q6_K', 'Q4_K_M', false],
    ['Q4_K_S', 'Q4_K_M', false],
  ])('quantised as %s is as %s: %s', (a, b, isSame) => {
    const side = (quantisation: string) => made({ quantisation, model: undefined });
    if (isSame) expect(differencesOf(side(a), side(b))).toEqual([]);
    else expect(difference(side(a), side(b))).toMatchObject({ kind: 'quantisation', ours: a, reference: b });
  });
});

describe('positions', () => {
  it('run in one pass and in two are prefill against decode, and nothing else', () => {
    expect(difference(trace({ passes: [4] }), trace({ passes: [3, 1] }))).toMatchObject({
      kind: 'positions',
      ours: '[4]',
      reference: '[3, 1]',
      says: expect.stringContaining('prefill against decode'),
    });
  });

  it('of a prefill in several pieces are those of one in one piece', () => {
    expect(differencesOf(trace({ passes: [4] }), trace({ passes: [2, 2] }))).toEqual([]);
  });

  it('that begin elsewhere are turned by other angles', () => {
    const found = difference(trace(), trace({ pos0: 2, manifest: {} }));
    expect(found).toMatchObject({ kind: 'positions', ours: '[4]', reference: 'from 2: [4]' });
    expect(found.says).toContain('RoPE');
  });

  it('of which one side has more are named where no tokens tell it', () => {
    const found = difference(trace({ passes: [4], manifest: {} }), trace({ passes: [4, 1], manifest: {} }));
    expect(found).toMatchObject({ kind: 'positions', reference: '[4, 1]' });
    expect(found.says).toContain('ends at position 3');
  });
});

describe('rows', () => {
  it('of which one side kept the last only are named by the tensor', () => {
    expect(difference(trace(), trace({ outputs: 1 }))).toMatchObject({
      kind: 'rows',
      ours: 'all rows of result_output',
      reference: '1 row of result_output',
    });
    expect(differencesOf(trace({ outputs: 1 }), trace({ outputs: 1 }))).toEqual([]);
  });

  it('are what differs where a dump is of logits alone, and not the positions', () => {
    const logits = trace({ names: ['result_output'], outputs: 1 });
    expect(difference(trace(), logits)).toMatchObject({ kind: 'rows', reference: '1 row of result_output' });
    expect(unknownsOf(trace(), logits)).toEqual([
      'positions: the reference does not tell over which positions the passes are',
    ]);
  });
});

describe('transforms', () => {
  const observed = [lens({ k: 2 }), attribution({ token: 40 })];
  const edited = edit('kqv_out-0', (t) => t.data, { label: 'nothing' });
  const listed = (...names: string[]) => made({ transforms: names.map((name) => ({ name, params: {} })) });

  it('that only look, or round, are no difference', () => {
    const looks = observed.map(({ name }) => name);
    for (const names of [looks, ['ggmlArithmetic'], ['f16Storage'], ['f16Accumulation']]) {
      expect(differencesOf(listed(...names), trace())).toEqual([]);
    }
  });

  it('that change what is computed are, by what they change', async () => {
    const model = await openRandom('reference');
    const run = (...transforms: Transform[]) => model.with(...transforms).start([1, 40]).trace;
    expect(differencesOf(run(...observed), run())).toEqual([]);
    expect(difference(run(...observed, edited), run())).toMatchObject({
      kind: 'transforms',
      ours: 'edit(tensors: kqv_out-0, label: nothing)',
      reference: 'none',
    });
    expect(differencesOf(run(edited), run(edited))).toEqual([]);
    expect(difference(listed('fault'), listed('edit'))).toMatchObject({ ours: 'fault()', reference: 'edit()' });
  });
});

describe('what a manifest does not tell', () => {
  it('is no difference, and is named side by side', () => {
    const silent = trace({ manifest: {} });
    expect(differencesOf(trace(), silent)).toEqual([]);
    expect(unknownsOf(trace(), silent)).toEqual([
      'tokens: the reference does not tell which token ids were run',
      'bos: the reference does not tell whether the text begins with BOS',
      'template: the reference does not tell which chat template was used',
      'weights: the reference does not tell the sha256 of the model',
      'quantisation: the reference does not tell how the weights are quantised',
      'transforms: the reference does not tell whether something was changed',
    ]);
    expect(unknownsOf(silent, silent)[0]).toBe('tokens: ours and the reference do not tell which token ids were run');
  });

  it('is left out where something else tells it', () => {
    const { tokens, pieces, model, transforms } = BASE;
    const enough = trace({ manifest: { tokens, pieces, model, transforms } });
    expect(unknownsOf(enough, trace())).toEqual([]);
  });
});

it('several differences are all named, in order', () => {
  const other = made(
    { tokens: [1, 2, 3, 4], template: 'b', model: 'b', quantisation: 'F16', transforms: [{ name: 'fault' }] },
    { passes: [3, 1], outputs: 1 },
  );
  expect(kindsOf(trace(), other)).toEqual(differenceKinds.filter((kind) => kind !== 'bos'));
});

describe('allowedKinds', () => {
  it('reads one kind or several, each once', () => {
    expect(allowedKinds('weights')).toEqual(['weights']);
    expect(allowedKinds(' weights, bos,weights')).toEqual(['weights', 'bos']);
    expect(allowedKinds(differenceKinds.join())).toEqual(differenceKinds);
  });

  it.each(['weight', '', 'weights,', 'all', 'toString'])('takes %j for no kind, and names those there are', (text) => {
    expect(() => allowedKinds(text)).toThrow(UsageError);
    expect(() => allowedKinds(text)).toThrow(
      'a comparison can allow two sides to differ in tokens, bos, template, weights, quantisation, positions, rows, transforms',
    );
  });
});
