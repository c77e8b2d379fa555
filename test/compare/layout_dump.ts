/** A stranger's run as a file on disk: an Arrow table under the names of a school and in an engine's layout, read back and mapped. */
import { Field, Float16, Float32, Int32, List, Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { layoutsBetween, scaledScores } from '../../src/compare/layouts.ts';
import { mapped } from '../../src/compare/map/mapped.ts';
import { proposeMap } from '../../src/compare/map/propose.ts';
import type { Match } from '../../src/compare/map/tensor_map.ts';
import type { Model } from '../../src/engine/model.ts';
import { readDump } from '../../src/node/dump.ts';
import type { Tensor } from '../../src/trace/tensor.ts';
import type { Trace } from '../../src/trace/trace.ts';
import type { Folder } from '../trace/dumps/traced.ts';
import { type EngineLayout, type Lying, layerOf, type School, schools, stemOf } from './map/foreign_dumps.ts';

export interface Engine {
  readonly school: keyof typeof schools;
  readonly layout: EngineLayout;
  readonly type: 'f32' | 'f16';
}

interface Stored extends Lying {
  readonly ours: string;
  readonly name: string;
  readonly pass: number;
}

/** The tensors for which the school has a name, as the engine lays them out. */
async function storedBy({ school, layout }: Engine, trace: Trace): Promise<Stored[]> {
  const nameOf: School = schools[school];
  const found: Stored[] = [];
  for (const { name: ours, pass } of trace.entries) {
    const name = nameOf(stemOf(ours), layerOf(ours), 0);
    if (name === null) continue;
    const { shape, data } = await trace.tensor(ours, { pass });
    found.push({
      ours,
      name,
      pass,
      ...layout.of(stemOf(ours)).reduce<Lying>((lying, relay) => relay(lying), { shape, data }),
    });
  }
  return found;
}

function arrowBytes(rows: readonly Stored[], { type }: Engine): Uint8Array {
  const numbers = new List(new Field('item', type === 'f16' ? new Float16() : new Float32()));
  return tableToIPC(
    new Table({
      name: vectorFromArray(
        rows.map(({ name }) => name),
        new Utf8(),
      ),
      pass: vectorFromArray(
        rows.map(({ pass }) => pass),
        new Int32(),
      ),
      shape: vectorFromArray(
        rows.map(({ shape }) => [...shape]),
        new List(new Field('item', new Int32())),
      ),
      values: vectorFromArray(
        rows.map(({ data }) => [...data]),
        numbers,
      ),
    }),
    'file',
  );
}

/** The layout of what was stored, which whoever wrote the engine knows; `plain` is the same tensor as ours. */
function layoutOf({ shape, data }: Lying, plain: Tensor): string {
  const seen = (x: number) => Number.isFinite(x) && x > -1e9;
  for (const { name, toOurs, lastTokenOnly } of layoutsBetween(shape, plain)) {
    const values = toOurs.call({ factor: 1 }, data);
    const wanted = plain.data.subarray(lastTokenOnly ? plain.size - values.length : 0);
    const at = values.findIndex((x, i) => seen(x) && wanted[i] !== 0);
    const factor = at < 0 ? 1 : (values[at] as number) / (wanted[at] as number);
    const isSame = values.every(
      (x, i) => !seen(x) || Math.abs(x - factor * (wanted[i] as number)) <= 1e-5 * Math.abs(x),
    );
    if (isSame) return Math.abs(factor - 1) < 1e-3 ? name : `${name}, ${scaledScores(Math.round(factor ** -2))}`;
  }
  throw new Error(`Cannot find the layout of ${plain.name}: [${shape}] holds other numbers`);
}

/** Cosine from which values tell how a tensor lies; of what is wrong all over they say nothing. */
const FITS = 0.9;

/**
 * The dump as a trace of ours. What values do not tell a person who knows the engine says: which tensor it is, and how it lies. So
 * a map is made by hand where the engine is wrong.
 */
export async function throughFile(
  model: Model,
  trace: Trace,
  engine: Engine,
  { folder, ours }: { readonly folder: Folder; readonly ours: Trace },
): Promise<Trace> {
  const rows = await storedBy(engine, trace);
  const path = folder.file('dump.arrow', arrowBytes(rows, engine));
  const read = await readDump(path, { model, tokens: trace.manifest.tokens ?? [], names: 'theirs' });
  const { matches } = await proposeMap(read, ours);
  const told = matches.filter(({ score }) => score >= FITS);
  const open = rows.filter(({ name, pass }) => pass === 0 && !told.some(({ theirs }) => theirs === name));
  const said = open.map(async (row): Promise<Match> => {
    const layout = layoutOf(row, await trace.tensor(row.ours, { pass: 0 }));
    const { name: theirs, ours: name } = row;
    return { theirs, ours: name, layout, score: Number.NaN, evidence: ['written by hand'], certain: false };
  });
  return mapped(read, { matches: [...told, ...(await Promise.all(said))] }, ours);
}
