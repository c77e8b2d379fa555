/** What llama.cpp computed, as a trace: its rows in memory, its values in a spool. */
import { mustGoOn, watchedBy } from '../engine/watched.ts';
import { aliasesOf } from '../llama/names.ts';
import { writeArrowFile } from '../node/arrow_file.ts';
import { nodePlatform } from '../node/index.ts';
import { sizeOf } from '../ops/shape.ts';
import type { Watch } from '../platform.ts';
import { type ArrowTraceWriter, arrowBytes } from '../trace/arrow_writer.ts';
import { type EndRecord, type Manifest, RowTrace, type TraceRow } from '../trace/trace.ts';
import type { CapturedNode } from './capture.ts';
import type { TraceReply } from './run.ts';
import type { Spool } from './spool.ts';

/** A row and where its values lie. */
interface SpooledRow extends TraceRow {
  /** In the spool, in bytes. */
  readonly offset: number;
}

interface SpooledParts {
  readonly manifest: Manifest;
  readonly end: EndRecord;
  readonly rows: readonly SpooledRow[];
  readonly spool: Spool;
}

/** A trace whose values are read from a spool when somebody asks. */
export class SpooledTrace extends RowTrace {
  readonly #parts: SpooledParts;

  constructor(parts: SpooledParts) {
    const { manifest, end, rows, spool } = parts;
    super({ manifest, end, entries: rows, values: (row) => valuesOf(spool, row), source: "llama.cpp's trace" });
    this.#parts = parts;
  }

  /** Hands every row with its values to a writer of Arrow; gives what comes after the last row. */
  async writeTo(writer: Pick<ArrowTraceWriter, 'append'>): Promise<EndRecord> {
    const { rows, spool, end } = this.#parts;
    for (const row of rows) await writer.append(row, await valuesOf(spool, row));
    return end;
  }

  /**
   * Writes the trace as an Arrow file, which appears when it is whole; its folder must be there. Returns its size in bytes.
   * Throws InterruptedError where it is stopped; there is no file then.
   */
  writeArrow(path: string, watch: Watch = {}): Promise<number> {
    const { stop, onProgress } = watchedBy(nodePlatform, watch);
    const { manifest, rows } = this.#parts;
    const total = rows.reduce((sum, row) => sum + bytesOf(row), 0);
    let done = 0;
    return writeArrowFile(path, manifest, (writer) =>
      this.writeTo({
        append: async (row, values) => {
          mustGoOn(stop, `write ${path}`, 'write it again to have it');
          await writer.append(row, values);
          done += bytesOf(row);
          onProgress?.({ task: `writing ${path}`, item: row.name, done, total, unit: 'bytes' });
        },
      }),
    );
  }

  /** Gives the values' disk space back, at once; without it that happens when nothing leads to the trace any more. */
  async close(): Promise<void> {
    this.#parts.spool.close();
  }
}

/** About how many bytes of a file a row takes. */
function bytesOf({ shape }: TraceRow): number {
  return arrowBytes(1, sizeOf(shape));
}

function valuesOf(spool: Spool, row: TraceRow): Promise<Float32Array> {
  return spool.read((row as SpooledRow).offset, sizeOf(row.shape), row.name);
}

/**
 * A run of llama.cpp: a trace of the tensors that have a name of ours, and beside it `unmapped`, one of all the others.
 * Closing one closes both.
 */
export class OracleTrace extends SpooledTrace {
  /**
   * Nodes that have no name of ours, named `name:op:occurrence` in llama.cpp's words (`kqv-1:MUL_MAT:0`), and the inputs
   * that it filled in for the graph: `inp_tokens`, `inp_pos`, `KQ_mask`, and by its own names where the cache is written.
   * Nodes that only look at another's memory are not there.
   */
  readonly unmapped: SpooledTrace;

  constructor(parts: SpooledParts, unmapped: readonly SpooledRow[]) {
    super(parts);
    this.unmapped = new SpooledTrace({ ...parts, rows: unmapped });
  }
}

/**
 * What llama.cpp captured, with its rows: those that have a name of ours, and the others. After a part of the layers the
 * last norm and the logits are none of the model's.
 */
export function oracleTrace(manifest: Manifest, reply: Omit<TraceReply, 'bos'>, spool: Spool): OracleTrace {
  const { nodes, unreadable, nLayer } = reply;
  const isOurs = ({ ours }: CapturedNode) =>
    ours && !(manifest.layers !== undefined && ours.name.startsWith('result_'));
  const rowsOf = (some: readonly CapturedNode[]) => some.map((node, seq) => rowOf(node, seq, nLayer));
  const rows = rowsOf(nodes.filter(isOurs));
  const unmapped = rowsOf(nodes.filter((node) => !isOurs(node)).map((node) => ({ ...node, ours: null })));
  const end = { tokens: manifest.tokens ?? [], unreadable };
  return new OracleTrace({ manifest, end, rows, spool }, unmapped);
}

function rowOf(node: CapturedNode, seq: number, nLayer: number): SpooledRow {
  const { ours, name, op, occurrence, shape } = node;
  const theirs = op === 'INPUT' && occurrence === 0 ? name : `${name}:${op}:${occurrence}`;
  const layer = /-(\d+)\b/.exec(name)?.[1];
  return {
    run: 'llama.cpp',
    seq,
    pass: node.pass,
    step: theirs,
    name: ours?.name ?? theirs,
    ...(ours ? aliasesOf(ours.name, nLayer) : { hook: null, hf: null }),
    layer: ours ? ours.layer : layer === undefined ? null : Number(layer),
    op: ours?.op ?? op.toLowerCase(),
    pos0: node.pos0,
    srcDtype: node.type,
    shape,
    dims: ours?.dims ?? shape.map((_, axis) => `axis${axis}`),
    statistics: node.statistics,
    sha256: null,
    hasValues: true,
    offset: node.offset,
  };
}
