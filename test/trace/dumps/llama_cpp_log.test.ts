import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDump } from '../../../src/node/dump.ts';
import { isLlamaCppLog, readLlamaCppLog } from '../../../src/trace/dumps/llama_cpp_log.ts';
import type { Trace, TraceRow } from '../../../src/trace/trace.ts';
import { seeded } from '../../seeded.ts';
import { graphOf, type Layout, layouts, type PrintedNode, printedLog } from './printed_log.ts';
import { Folder, neverCrashes, TOKENS, type Traced, traced } from './traced.ts';

let run: Traced;
let nodes: PrintedNode[];
const newest = layouts.common_debug_cb_eval as Layout;
/** What llama.cpp's graph has no node for. */
const mapped = () => run.trace.names.filter((name) => !name.startsWith('ffn_silu'));

const folder = new Folder();
afterAll(() => folder.remove());
beforeAll(async () => {
  run = await traced();
  nodes = graphOf(run);
});

function read(text: string, model: Traced['model'] | null = run.model): Promise<Trace> {
  return readDump(folder.file('x.log', text), model ? { model } : {});
}

const notRead = ({ manifest }: Trace) => manifest.notRead as { name: string; why: string }[];
const rowOf = (trace: Trace, name: string) => trace.entries.find((row) => row.name === name) as TraceRow;

/** Each printed value is the run's to half a digit, and stands where it stands there. */
function expectPrinted(trace: Trace): void {
  for (const { name, partly, shape, dims, op, layer } of trace.entries) {
    const ours = run.tensors.get(name)!;
    const row = rowOf(run.trace, name);
    expect({ shape, dims, op, layer }, name).toEqual({
      shape: row.shape,
      dims: row.dims,
      op: row.op,
      layer: row.layer,
    });
    const { offsets, values, resolution } = partly!.sample!;
    expect(resolution).toBe(0.5e-4);
    expect(offsets.length, name).toBeGreaterThan(0);
    offsets.forEach((offset, i) => {
      expect(Math.abs(values[i]! - ours.data[offset]!), `${name} at ${offset}`).toBeLessThanOrEqual(0.5001e-4);
    });
  }
}

describe.each(Object.entries(layouts))('the layout %s', (_, layout) => {
  test('is read back equal to the printed precision, with every value at its place', async () => {
    const text = printedLog(nodes, layout);
    expect(isLlamaCppLog(text)).toBe(true);
    const trace = await read(text);
    expect(trace.names).toEqual(mapped());
    expectPrinted(trace);
    const wide = rowOf(trace, 'result_output');
    // 6 of 7 tokens, 6 of 300 logits.
    expect([wide.shape, wide.partly?.sample?.offsets.length]).toEqual([[7, 300], 36]);
  });

  test('gives sums only where they are over all values', async () => {
    const trace = await read(printedLog(nodes, layout));
    const over = layout.sums === 'of printed' ? 'printed values' : 'all values';
    expect(trace.manifest).toMatchObject({ producer: 'llama.cpp', sumsOver: over, sumsKeptIn: 'f32' });
    for (const { name, partly, statistics } of trace.entries) {
      const ours = rowOf(run.trace, name).statistics;
      const isKnown = layout.sums !== 'of printed' && !name.startsWith('kq-');
      const squares = layout.sums === 'of all, with squares' && !/^kq(-|_soft)/.test(name);
      const known = ['n', ...(squares ? ['rms'] : []), ...(isKnown ? ['sum'] : [])];
      expect(partly?.known.filter((each) => each !== 'mean').sort(), name).toEqual(known);
      expect(statistics.n).toBe(ours.n);
      if (isKnown) expect(Math.abs(statistics.sum - ours.sum), name).toBeLessThan(1e-5 * ours.n * ours.rms + 1e-6);
      if (squares) expect(statistics.rms / ours.rms, name).toBeCloseTo(1, 3);
    }
  });
});

test('a value has no more than was printed: only its part is known, and reading it says so', async () => {
  const trace = await read(printedLog(nodes, newest));
  await expect(trace.tensor('embd')).rejects.toThrow('only its statistics were kept');
  expect(trace.entries.every(({ hasValues }) => !hasValues)).toBe(true);
});

test('colours, carriage returns and lines of stderr are skipped and counted, and change nothing', async () => {
  const text = printedLog(nodes, newest);
  const noisy = text
    .split('\n')
    .flatMap((line, i) => [`\u001b[0m${line}\u001b[1;32m\r`, ...(i % 7 === 0 ? ['llama_context: n_ctx = 64'] : [])])
    .join('\n');
  const [plain, found] = [await read(text), await read(noisy)];
  expect(found.entries).toEqual(plain.entries);
  const lines = text.split('\n').length;
  expect([plain.manifest.linesSkipped, found.manifest.linesSkipped]).toEqual([0, Math.ceil(lines / 7)]);
});

test('the tokens of the prompt are read from what either program prints of them', async () => {
  const log = printedLog(nodes, newest);
  const ids = TOKENS.map((id) => `  ${id}\n`).join('');
  const pieces = TOKENS.map((id) => `p${id}(${id})`).join(' ');
  for (const before of [
    `number of input tokens = ${TOKENS.length}\n${ids}`,
    `Token ids (${TOKENS.length}):\n${pieces} \n`,
  ]) {
    expect((await read(before + log)).manifest.tokens).toEqual(TOKENS);
  }
  const cut = `number of input tokens = ${TOKENS.length + 1}\n${ids}`;
  expect((await read(cut + log)).manifest.tokens).toBeUndefined();
});

test('without a model the names are told apart by their ops, and shapes are outermost first', async () => {
  const trace = await read(printedLog(nodes, newest), null);
  expect(trace.names).toEqual(mapped());
  expect(rowOf(trace, 'Qcur_rope-1').shape).toEqual([7, 4, 16]);
  expect(rowOf(trace, 'kq_soft_max-0').shape).toEqual([4, 7, 7]);
  expect(rowOf(trace, 'Qcur_rope-1').dims).toEqual(['axis0', 'axis1', 'axis2']);
});

test('a node without a name is listed as a node, and its values are of no other', async () => {
  const nameless: PrintedNode = { ...nodes[0]!, name: '', op: 'FILL' };
  const trace = await read(printedLog([nodes[0]!, nameless, ...nodes.slice(1)], newest));
  expectPrinted(trace);
  expect(notRead(trace)[0]).toEqual({ name: '', why: 'FILL  is not one of our tensors' });
});

test('a second pass is told from the first, and its positions go on', async () => {
  const decode = nodes
    .filter(({ op }) => op !== 'RESHAPE')
    .map((node): PrintedNode => {
      const isScore = node.name.startsWith('kq') && !node.name.startsWith('kqv');
      const tokenAxis = isScore || node.ne[2] === 1 ? 1 : 2;
      const ne = node.ne.map((size, axis) => (axis === tokenAxis ? 1 : size)) as [number, number, number, number];
      const inputs = node.inputs.replace('inp_tokens{7,', 'inp_tokens{1,');
      return { ...node, ne, inputs };
    });
  const trace = await read(printedLog([...nodes, ...decode], newest));
  expect(trace.entries.map(({ pass, name }) => `${pass} ${name}`)).toEqual([
    ...mapped().map((name) => `0 ${name}`),
    ...mapped().map((name) => `1 ${name}`),
  ]);
  const last = trace.entries.findLast(({ name }) => name === 'kq-2') as TraceRow;
  expect([last.pass, last.pos0, last.shape]).toEqual([1, 7, [4, 1, 8]]);
});

test('a tensor that has the last token alone stands at the last position', async () => {
  const last = nodes.map((node): PrintedNode => {
    if (node.name !== 'result_output') return node;
    return { ...node, ne: [300, 1, 1, 1], data: (node.data as Float32Array).slice(-300) };
  });
  const row = rowOf(await read(printedLog(last, newest)), 'result_output');
  expect([row.shape, row.pos0]).toEqual([[1, 300], 6]);
});

describe('bad input', () => {
  test('a log cut in the middle gives what is whole and names what is not', async () => {
    const text = printedLog(nodes, newest);
    const at = text.indexOf('attn_out-1');
    const trace = await read(text.slice(0, at + 200));
    const names = mapped();
    expect(trace.names).toEqual(names.slice(0, names.indexOf('attn_out-1')));
    expectPrinted(trace);
    const [cut] = notRead(trace).filter(({ name }) => name === 'attn_out-1');
    expect(cut?.why).toMatch(/breaks the order of brackets and values|its values are cut off/);
  });

  test('a sum that is cut off is not taken for a shorter one', async () => {
    const text = printedLog(nodes.slice(0, 2), newest);
    const trace = await read(text.trimEnd().slice(0, -2));
    expect(notRead(trace).some(({ why }) => why.includes('is a broken sum'))).toBe(true);
  });

  test('a log of another model is refused with the shape of each tensor', async () => {
    const other = nodes.map(
      (node): PrintedNode => ({ ...node, ne: [node.ne[0] / 2, node.ne[1] * 2, node.ne[2], node.ne[3]] }),
    );
    await expect(read(printedLog(other, newest))).rejects.toThrow(
      /^Cannot read .*x\.log: not one tensor in it can be used \(embd: its shape is \[14,32\]; in this model and for these tokens it is \[7,64\]; /,
    );
  });

  test('a tensor of another shape is named, and the others are read', async () => {
    const other = nodes.map((node): PrintedNode => (node.name === 'ffn_up-1' ? { ...node, ne: [48, 14, 1, 1] } : node));
    const trace = await read(printedLog(other, newest));
    expect(trace.names).toEqual(mapped().filter((name) => name !== 'ffn_up-1'));
    expect(notRead(trace)).toContainEqual({
      name: 'ffn_up-1',
      why: 'its shape is [14,48]; in this model and for these tokens it is [7,96]',
    });
  });

  test('nodes that are none of ours are listed, not lost', async () => {
    const trace = await read(printedLog(nodes, newest));
    const listed = new Set(notRead(trace).map(({ why }) => why));
    const reshaped = [0, 1, 2].flatMap((i) => ['Q', 'K', 'V'].map((stem) => `RESHAPE ${stem}cur-${i}`));
    expect(listed).toEqual(new Set(['RMS_NORM norm', ...reshaped].map((node) => `${node} is not one of our tensors`)));
    expect(trace.entries.length + notRead(trace).length).toBe(nodes.length);
  });

  test('NaN and infinity are kept where they are', async () => {
    const data = Float32Array.from(nodes[0]!.data);
    data.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    const trace = await read(printedLog([{ ...nodes[0]!, data }, ...nodes.slice(1)], newest));
    const { partly, statistics } = rowOf(trace, 'embd');
    expect([...partly!.sample!.values.slice(0, 3)]).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
    expect(statistics.sum).toBeNaN();
    expect(partly!.known).not.toContain('sum');
    expect(trace.manifest.overflowedSums).toEqual(['embd']);
  });

  test('a line of a million characters is looked at in no time', { timeout: 2000 }, () => {
    expect(isLlamaCppLog(`ggml_debug: ${'x = ('.repeat(200_000)}`)).toBe(false);
  });

  test('a text that is no log says what was found', () => {
    expect(isLlamaCppLog('llama_context: n_ctx = 64\n')).toBe(false);
    expect(() => readLlamaCppLog('ggml_debug: embd = (f32) GET_ROWS(', 'x.log')).toThrow(
      'Cannot read x.log: not one tensor in this log is whole; line 1: the line that names a tensor is broken',
    );
  });

  test('whatever byte is lost or wrong, a value that is given is one that was printed', async () => {
    const random = seeded(3);
    const text = printedLog(nodes.slice(0, 12), newest);
    for (let i = 0; i < 400; i++) {
      const at = Math.floor(random() * text.length);
      const flipped = String.fromCharCode(text.charCodeAt(at) ^ (1 << Math.floor(random() * 7)));
      const isCut = i % 3 === 0;
      const trace = await neverCrashes(async () =>
        read(isCut ? text.slice(0, at) : text.slice(0, at) + flipped + text.slice(at + 1)),
      );
      // A digit for another cannot be seen; all else must be.
      if (trace && (isCut || !/\d/.test(flipped))) expectPrinted(trace);
    }
  });
});
