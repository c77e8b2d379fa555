/** What changes do, as the edit view asks for it: against a run that was changed by hand. */
import { beforeAll, describe, expect, test } from 'vitest';
import { change } from '../../../src/engine/transforms/change.ts';
import { patch } from '../../../src/engine/transforms/patch.ts';
import type { ChangeSpec, Experiment } from '../../../src/lab/inspector/experiment.ts';
import { openModel } from '../../../src/node/index.ts';
import { rowsIn } from '../../charts/specs.ts';
import { relativeRmsError } from '../../engine/models.ts';
import { type Connected, connected, LILY } from './ports.ts';

const TEXT = 'Lily gave the ball to Tom. Tom thanked';
const experiment: Experiment = { file: LILY, backend: 'reference', text: TEXT, faults: [], changes: [] };
const silent: ChangeSpec = { tensor: 'kqv_out-4', how: 'zero', head: 5 };

let page: Connected;
beforeAll(() => {
  page = connected('wire');
});

describe('difference', () => {
  test('is that of a run changed by hand, tensor by tensor, and nothing before the change differs', async () => {
    const model = await openModel(LILY, { backend: 'reference' });
    const before = await model.start(TEXT).toEnd();
    const after = await model
      .with(change('kqv_out-4', { how: 'zero', head: 5 }))
      .start(TEXT)
      .toEnd();
    const { distances } = await page.ask('difference', { experiment, changes: [silent] });
    expect(distances.map(({ name }) => name)).toEqual(before.trace.names);
    const at = (name: string) => distances.find((each) => each.name === name)?.relativeRmsError ?? Number.NaN;
    for (const name of ['kqv_out-4', 'attn_out-4', 'l_out-5', 'result_output']) {
      const wanted = relativeRmsError((await after.tensor(name)).data, (await before.tensor(name)).data);
      expect(at(name), name).toBeCloseTo(wanted, 6);
    }
    expect(at('kqv_out-4')).toBeGreaterThan(0.1);
    const first = distances.findIndex(({ relativeRmsError }) => relativeRmsError !== 0);
    expect(distances[first]?.name).toBe('kqv_out-4');
  });

  test('draws what may come next on both sides, which tokens feel it, and how far it goes', async () => {
    const { growth, map, next } = await page.ask('difference', { experiment, changes: [silent] });
    expect(rowsIn(growth)[0]).toMatchObject({ label: 'changed from here: kqv_out-4' });
    expect(rowsIn(map).filter(({ layer, difference }) => layer === 3 && difference !== 0)).toEqual([]);
    expect(rowsIn(map).filter(({ layer, difference }) => layer === 4 && difference === 0)).toEqual([]);
    expect(JSON.stringify(next.title)).toContain('What may follow 9 ␣thanked');
    expect(JSON.stringify(next)).toContain('"with the change"');
  });

  test('is of the drawn tokens too, and leaves the experiment’s run where it is', async () => {
    const begun = { ...experiment, text: 'Lily gave the' };
    await page.ask('move', { experiment: begun, move: { draw: 1 } });
    const before = await page.ask('move', { experiment: begun, move: { to: 'step' } });
    const { map } = await page.ask('difference', { experiment: begun, changes: [silent] });
    expect(new Set(rowsIn(map).map(({ token }) => `${token}`.split(' ')[0]))).toEqual(
      new Set(['0', '1', '2', '3', '4']),
    );
    const after = await page.ask('move', { experiment: begun, move: { to: 'here' } });
    expect([after.at, after.passes]).toEqual([before.at, before.passes]);
  });

  test('comes on top of what the experiment changes already', async () => {
    const kept = { ...experiment, changes: [silent] };
    const { distances } = await page.ask('difference', {
      experiment: kept,
      changes: [{ tensor: 'l_out-4', how: 'scale', by: 2 }],
    });
    const moved = distances.filter(({ relativeRmsError }) => relativeRmsError !== 0);
    expect(moved[0]).toMatchObject({ name: 'l_out-4', relativeRmsError: 1 });
  });

  test('of a replacement is that of a run patched by hand, among other changes in their order', async () => {
    const other = 'Tom gave the ball to Lily. Lily thanked';
    const model = await openModel(LILY, { backend: 'reference' });
    const before = await model.start(TEXT).toEnd();
    const source = await model.start(other).toEnd();
    const after = await model
      .with(patch('l_out-1', source, { token: 8, from: 6 }), change('l_out-1', { how: 'scale', by: 2, token: 8 }))
      .start(TEXT)
      .toEnd();
    const { distances, next } = await page.ask('difference', {
      experiment,
      changes: [
        { tensor: 'l_out-1', how: 'replace', text: other, token: 8, from: 6 },
        { tensor: 'l_out-1', how: 'scale', by: 2, token: 8 },
      ],
    });
    for (const name of ['l_out-1', 'result_output']) {
      const wanted = relativeRmsError((await after.tensor(name)).data, (await before.tensor(name)).data);
      expect(distances.find((each) => each.name === name)?.relativeRmsError, name).toBeCloseTo(wanted, 6);
    }
    expect(JSON.stringify(next.title)).toContain('What may follow 9 ␣thanked');
  });

  test('of what cannot be changed says why', async () => {
    const changes = (spec: Partial<ChangeSpec>) =>
      expect(page.ask('difference', { experiment, changes: [{ ...silent, ...spec }] })).rejects;
    await changes({ tensor: 'kqv-4' }).toThrow('nearest are');
    await changes({ head: 8 }).toThrow('Cannot change head 8 of kqv_out-4: its heads are 0 to 7');
    await changes({ how: 'scale' }).toThrow('scale needs by');
    const patched = { tensor: 'l_out-1', how: 'replace', text: 'Tom', token: 8 } as const;
    await expect(page.ask('difference', { experiment, changes: [patched] })).rejects.toThrow('nothing at position 8');
    const trace = { ...experiment, file: 'fixtures/golden/lily-4m-f16.arrow' };
    await expect(page.ask('difference', { experiment: trace, changes: [silent] })).rejects.toThrow('it is a trace');
  });
});
