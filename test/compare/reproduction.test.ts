/** The cell that a report prints, run as it is printed. */
import { afterAll, describe, expect, test } from 'vitest';
import { compare } from '../../src/compare/compare.ts';
import type { Comparison } from '../../src/compare/comparison.ts';
import { mapped } from '../../src/compare/map/mapped.ts';
import { rerun } from '../../src/compare/rerun.ts';
import { fault } from '../../src/engine/faults/index.ts';
import { readArrow } from '../../src/node/arrow_file.ts';
import { readDump } from '../../src/node/dump.ts';
import { openRandom } from '../engine/models.ts';
import { npy } from '../trace/dumps/npy_bytes.ts';
import { Folder, littleEndian, TOKENS } from '../trace/dumps/traced.ts';

const folder = new Folder();
afterAll(() => folder.remove());

const model = await openRandom('reference');
const healthy = await model.start(TOKENS).toEnd();
const faulty = await model.with(fault('gqa-tiled')).start(TOKENS).toEnd();

/** What the cell's last line gives. The names that it uses are those of the notebook; the model is the one at hand. */
async function valuesOf({ firstDivergence }: Comparison): Promise<number[]> {
  const lines = (firstDivergence?.reproduction ?? '').split('\n');
  const body = [...lines.slice(0, -1), `return ${lines.at(-1)};`].join('\n');
  const names = { openModel: async () => model, readDump, readArrow, mapped, rerun };
  const AsyncFunction = (async () => {}).constructor as new (
    ...args: string[]
  ) => (...given: unknown[]) => Promise<number[]>;
  return new AsyncFunction(...Object.keys(names), body)(...Object.values(names));
}

/** Their names, which ours do not tell. */
const THEIRS: Readonly<Record<string, string>> = {
  'Qcur_rope-0': 'first.queries',
  'Kcur_rope-0': 'first.keys',
  'kq-0': 'first.agreement',
  result_output: 'answer',
};

describe('of a mapped dump', () => {
  const matches = Object.entries(THEIRS).map(([ours, theirs]) => ({
    ...{ ours, theirs, layout: 'as ours', score: 1, evidence: [], certain: true },
  }));
  const open = async () => {
    for (const [name, theirs] of Object.entries(THEIRS)) {
      const tensor = await faulty.tensor(name);
      folder.file(`${theirs}.npy`, npy(tensor.shape, littleEndian(tensor)));
    }
    const dump = await readDump(folder.path, { model, tokens: TOKENS, names: 'theirs' });
    return mapped(dump, { matches }, healthy.trace);
  };
  const options = { model, cause: false, labels: { ours: folder.path } };

  test('the cell has the names that the map gives, and runs as it is', async () => {
    const comparison = await compare(await open(), healthy.trace, options);
    const { firstDivergence } = comparison;
    expect(firstDivergence?.name).toBe('kq-0');
    expect(firstDivergence?.reproduction).toContain('{ theirs: "first.keys", ours: "Kcur_rope-0", layout: "as ours" }');
    // A terminal's report shows no more lines of a cell.
    expect(firstDivergence?.reproduction.split('\n')).toHaveLength(6);
    expect(firstDivergence?.reproduction).not.toContain('answer');
    const [ours, theirs] = await valuesOf(comparison);
    expect(theirs).toBe(firstDivergence?.ours);
    expect(ours).toBeCloseTo(firstDivergence?.reference as number, 5);
  });

  test('so it does where no op could be run', async () => {
    const comparison = await compare(await open(), healthy.trace, {
      ...{ ...options, select: 'result_output', labels: { ours: folder.path } },
    });
    expect(comparison.firstDivergence?.isolation).toBeNull();
    const [ours, reference] = await valuesOf(comparison);
    expect(ours).toBe(comparison.firstDivergence?.ours);
    expect(reference).toBe(comparison.firstDivergence?.reference);
  });
});
