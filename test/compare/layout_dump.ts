/** A stranger's run as a file on disk: an Arrow table under the names of a school and in an engine's layout, read back and mapped. */
import { Field, Float16, Float32, Int32, List, Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { mapped } from '../../src/compare/map/mapped.ts';
import { proposeMap } from '../../src/compare/map/propose.ts';
import type { Model } from '../../src/engine/model.ts';
import { readDump } from '../../src/node/dump.ts';
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

/** The dump as a trace of ours. What the map asks about, a person who knows the engine answers. */
export async function throughFile(
  model: Model,
  trace: Trace,
  engine: Engine,
  { folder, ours }: { readonly folder: Folder; readonly ours: Trace },
): Promise<Trace> {
  const rows = await storedBy(engine, trace);
  const path = folder.file('dump.arrow', arrowBytes(rows, engine));
  const read = await readDump(path, { model, tokens: trace.manifest.tokens ?? [], names: 'theirs' });
  const first = await proposeMap(read, ours);
  const truth = new Map(rows.map((row) => [row.name, row.ours]));
  const answers = Object.fromEntries(first.questions.map(({ theirs }) => [theirs, truth.get(theirs) as string]));
  const map = first.questions.length > 0 ? await proposeMap(read, ours, { answers }) : first;
  return mapped(read, map, ours);
}
