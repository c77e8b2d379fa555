/** `layerscope matrix`, called as the command line calls it. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { matrixCommand } from '../../src/cli/matrix.ts';
import { TINY, Workplace } from './layerscope.ts';

const place = new Workplace();
let model = '';
beforeAll(async () => {
  model = await place.model('tiny.gguf');
});
afterAll(() => place.remove());
afterEach(() => vi.restoreAllMocks());

/** What a call writes to stdout. */
async function printed(...args: string[]): Promise<string> {
  let out = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += text;
    return true;
  });
  await matrixCommand().parseAsync([model, '--backend', 'reference', ...args], { from: 'user' });
  return out;
}

test('a line for each fault, and as JSON the numbers behind it', async () => {
  const args = ['--fault', 'rope-pairing', 'nibbles-swapped'];
  const text = await printed(...args);
  expect(text).toMatch(/^tiny\.gguf: 1 faults, 5 probes\n/);
  expect(text).toMatch(/^rope-pairing +– +SF/m);
  expect(text).toMatch(/^ {2}nibbles-swapped: its blk\.0\.attn_q\.weight is F32; wanted a file quantised to Q4_0/m);
  const { rows, missed } = JSON.parse(await printed(...args, '--json'));
  expect(rows[0].cells[2]).toMatchObject({ firstTensor: 'Qcur_rope-0', evidence: { RMS: { noticed: false } } });
  expect(missed).toHaveLength(8);
});

test('a fault that another model can have is put into that', async () => {
  const q4 = await place.model('q4.gguf', { ...TINY, type: 'Q4_0' });
  const { rows } = JSON.parse(await printed('--fault', 'nibbles-swapped', '--also', q4, '--json'));
  expect(rows).toMatchObject([{ fault: 'nibbles-swapped', model: q4 }]);
});

test('an unknown fault is refused with those most like it', async () => {
  await expect(printed('--fault', 'rope-pairng')).rejects.toThrow('nearest are rope-pairing');
});
