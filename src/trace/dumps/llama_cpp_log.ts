/**
 * What llama.cpp's llama-eval-callback and llama-debug print: for each node of the graph a line with its name, type, op and
 * ne, then the first and last three values along each axis with four decimals, then the sum. Every layout since April 2024 is
 * read: `ggml_debug:` with deep indentation, `common_debug_cb_eval:` with four spaces, with or without `sum` and `sum_sq`.
 *
 * Until late in 2025 the sum was over the values that were printed and no others, in the same words. That shows only in
 * the numbers, so it is found out here and such sums are dropped (`manifest.sumsOver`).
 *
 * Source of the layout: ggml-org/llama.cpp, examples/eval-callback/eval-callback.cpp and common/debug.cpp through their
 * history (pull requests 6576, 18464 and 19331).
 */
import { TraceError } from '../../errors.ts';
import type { Manifest } from '../trace.ts';
import { type Dump, type ForeignPart, type ForeignTensor, halfUnit, type NotRead } from './dump.ts';
import { product } from './view.ts';

const ESCAPE = '\u001b';
const ANSI = new RegExp(`${ESCAPE}\\[[0-9;?]*[A-Za-z]`, 'g');
/** `ggml_debug: Qcur-0 = (f32) MUL_MAT(a{64, 64, 1, 1}, b{64, 5, 1, 1}}) = {64, 5, 1, 1}`: name, type, op, ne. */
const HEADER = /\b\w*debug\w*:\s+(?:(\S.*?) )?= \((\w+)\)\s+(\S+?)\((.*)\) = \{(\d+), (\d+), (\d+), (\d+)\}$/;
const HEADER_BEGINS = /\b\w*debug\w*:\s+(?:\S.* )?= \(/;
const ROW = /^\[(.*)\],?$/;
/** A row, or the beginning of one that was cut off. */
const ROW_BEGINS = /^\[[-\d\s.,infa]+(\],?)?$/;
const NUMBER = /^-?(?:\d+\.(\d+)|inf|nan)$/;
/** Whatever else is in a log, a sum that was cut off has fewer decimals than printf's six. */
const SUM = /^(sum|sum_sq)\s*= (-?(?:\d+\.\d{6}|inf|nan))$/;
const ELLIPSIS = /^\.\.\.,?$/;
/** An offset is a u32. */
const MOST_OFFSETS = 2 ** 32 - 1;

/** printf's `%f` has six. */
const SUM_RESOLUTION = halfUnit(6);

/** Whether a text is such a log. */
export function isLlamaCppLog(text: string): boolean {
  return text.split('\n').some((line) => isHeader(bare(line)));
}

/** Names have at most 64 characters and inputs are cut at 128; a longer line is none, and would take long to look at. */
const LONGEST_HEADER = 1000;

function isHeader(line: string, pattern = HEADER): boolean {
  return line.length <= LONGEST_HEADER && pattern.test(line);
}

/** Throws TraceError where not one tensor is whole. What is cut off, and values without a header, are named in `notRead`. */
export function readLlamaCppLog(text: string, source: string): Dump {
  const reading = new Reading();
  text.split('\n').forEach((line, i) => {
    reading.take(bare(line), i + 1);
  });
  const { nodes, notRead, linesSkipped, tokens } = reading.end();
  if (nodes.length === 0) {
    const first = notRead[0] ? `; ${notRead[0].name}: ${notRead[0].why}` : '';
    throw new TraceError(
      `Cannot read ${source}: not one tensor in this log is whole${first}; write the log again, with all of stdout in it`,
      { file: source },
    );
  }
  const isOfAll = sumsAreOfAll(nodes);
  const { tensors, passes } = inPasses(nodes, isOfAll);
  const manifest: Manifest = {
    producer: 'llama.cpp',
    ...(tokens ? { tokens } : {}),
    sumsOver: isOfAll ? 'all values' : 'printed values',
    sumsKeptIn: 'f32',
    linesSkipped,
  };
  return { source, manifest, tensors, notRead, passes };
}

/** A line as a reader sees it: without colours, carriage returns and indentation. */
function bare(line: string): string {
  return line.replace(ANSI, '').trim();
}

/** The items along one axis: those before an ellipsis and those after it. */
interface Axis<T> {
  readonly before: T[];
  /** Null where there was no ellipsis. */
  after: T[] | null;
}

type Row = Axis<number>;
type Matrix = Axis<Row>;
type Cube = Axis<Matrix>;

interface Node {
  readonly line: number;
  readonly name: string;
  readonly type: string;
  readonly op: string;
  /** Innermost first, as ggml has it. */
  readonly ne: readonly [number, number, number, number];
  readonly inputs: string;
  readonly cubes: Cube[];
  /** How deep in brackets the next line is: 0 outside, 1 in a cube, 2 in a matrix. */
  depth: number;
  decimals: number | null;
  sum: number | null;
  sumOfSquares: number | null;
  /** What is wrong with it. */
  fault: string | null;
}

/** A node that is whole, with its printed values. */
interface WholeNode extends Node {
  readonly offsets: Uint32Array;
  readonly values: Float32Array;
}

/** Follows a log line by line. */
class Reading {
  readonly #nodes: WholeNode[] = [];
  readonly #notRead: NotRead[] = [];
  #node: Node | null = null;
  /** First line of values that belong to no node. */
  #orphan: number | null = null;
  #skipped = 0;
  /** Token ids that were announced, and how many are to come. */
  #tokens: number[] = [];
  #tokensLeft = 0;
  /** Set by the line before the tokens of llama-debug, which all stand in one line. */
  #tokensInLine = 0;

  take(line: string, at: number): void {
    if (line === '') return;
    if (isHeader(line, HEADER_BEGINS)) this.#begin(line, at);
    else if (!this.#takeTokens(line) && !this.#takeValues(line, at)) this.#skipped++;
  }

  end() {
    this.#finish();
    const isWhole = this.#tokens.length > 0 && this.#tokensLeft === 0;
    return {
      nodes: this.#nodes,
      notRead: this.#notRead,
      linesSkipped: this.#skipped,
      tokens: isWhole ? this.#tokens : null,
    };
  }

  #begin(line: string, at: number): void {
    this.#finish();
    const match = HEADER.exec(line);
    if (!match) {
      this.#notRead.push({ name: `line ${at}`, why: 'the line that names a tensor is broken' });
      this.#orphan = at;
      return;
    }
    const [, name = '', type = '', op = '', inputs = '', ...sizes] = match;
    this.#node = {
      line: at,
      name,
      type,
      op,
      ne: sizes.map(Number) as [number, number, number, number],
      inputs,
      cubes: [],
      depth: 0,
      decimals: null,
      sum: null,
      sumOfSquares: null,
      fault: null,
    };
  }

  /** `number of input tokens = 3` and three lines, or `Token ids (3):` and one line of `piece(id)`. */
  #takeTokens(line: string): boolean {
    const announced = /number of input tokens = (\d+)$/.exec(line) ?? /^Token ids \((\d+)\):$/.exec(line);
    if (announced) {
      const count = Number(announced[1]);
      this.#tokens = [];
      this.#tokensLeft = count;
      this.#tokensInLine = line.startsWith('Token ids') ? count : 0;
      return true;
    }
    if (this.#tokensLeft === 0) return false;
    if (this.#tokensInLine > 0) {
      const ids = [...line.matchAll(/\((\d+)\)(?= |$)/g)].map((match) => Number(match[1]));
      if (ids.length === this.#tokensInLine) this.#tokens = ids;
      this.#tokensLeft -= this.#tokens.length;
      this.#tokensInLine = 0;
      return true;
    }
    const id = /^(?:[\d.]+ I )?\s*(\d+)$/.exec(line);
    if (!id) return false;
    this.#tokens.push(Number(id[1]));
    this.#tokensLeft--;
    return true;
  }

  /** Whether the line is a part of a node's values; where it is of none, that is noted. */
  #takeValues(line: string, at: number): boolean {
    const isPart = line === '[' || /^\],?$/.test(line) || ROW_BEGINS.test(line) || ELLIPSIS.test(line);
    const sum = SUM.exec(line);
    if (!isPart && !sum && !/^sum(_sq)?\s*=/.test(line)) return false;
    const node = this.#node;
    const isOver = !node || (line === '[' && node.depth === 0 && node.cubes.length === node.ne[3]);
    if (isOver) {
      this.#finish();
      if (this.#orphan === null)
        this.#notRead.push({ name: `line ${at}`, why: 'values without a line that names their tensor' });
      this.#orphan ??= at;
    } else if (sum) this.#takeSum(node, sum);
    else if (!isPart) node.fault ??= `line ${at} is a broken sum`;
    else node.fault ??= taken(node, line) ? null : `line ${at} breaks the order of brackets and values`;
    return true;
  }

  #takeSum(node: Node, [, which, text = '']: RegExpExecArray): void {
    const value = text.endsWith('nan') ? Number.NaN : Number(text.replace('inf', 'Infinity'));
    if (which === 'sum') node.sum = value;
    else node.sumOfSquares = value;
  }

  #finish(): void {
    const node = this.#node;
    this.#node = null;
    this.#orphan = null;
    if (!node) return;
    const elements = node.fault === null ? elementsOf(node) : null;
    if (elements) this.#nodes.push({ ...node, ...elements });
    else {
      const why = node.fault ?? 'its values are cut off, or are not as many as its shape says';
      this.#notRead.push({ name: node.name, why: `${why} (it begins at line ${node.line})` });
    }
  }
}

/** Adds a line of values to a node; false where it cannot stand there. */
function taken(node: Node, line: string): boolean {
  const cube = node.cubes.at(-1);
  const matrix = cube && lastOf(cube);
  if (line === '[') {
    if (node.depth === 0) node.cubes.push({ before: [], after: null });
    else if (node.depth === 1 && cube) (cube.after ?? cube.before).push({ before: [], after: null });
    else return false;
    node.depth++;
    return true;
  }
  if (/^\],?$/.test(line)) {
    if (node.depth === 0) return false;
    node.depth--;
    return true;
  }
  if (ELLIPSIS.test(line)) {
    const axis = node.depth === 1 ? cube : node.depth === 2 ? matrix : undefined;
    if (!axis || axis.after) return false;
    axis.after = [];
    return true;
  }
  const row = node.depth === 2 ? rowOf(node, line) : null;
  if (!row || !matrix) return false;
  (matrix.after ?? matrix.before).push(row);
  return true;
}

function lastOf<T>({ before, after }: Axis<T>): T | undefined {
  return (after ?? before).at(-1);
}

/** The numbers of `[ 0.1, 0.2, ..., 0.9],`; null where one is broken or has another number of decimals than those before. */
function rowOf(node: Node, line: string): Row | null {
  const inside = ROW.exec(line)?.[1];
  if (inside === undefined) return null;
  const row: Row = { before: [], after: null };
  for (const cell of inside.split(',').map((text) => text.replace(/^ +| +$/g, ''))) {
    if (cell === '...') {
      if (row.after) return null;
      row.after = [];
      continue;
    }
    const match = NUMBER.exec(cell);
    if (!match) return null;
    if (match[1] !== undefined) {
      node.decimals ??= match[1].length;
      if (match[1].length !== node.decimals) return null;
    }
    const value = cell.endsWith('nan') ? Number.NaN : Number(cell.replace('inf', 'Infinity'));
    (row.after ?? row.before).push(value);
  }
  return row;
}

/** Row-major offsets and values of what was printed; null where it is not as the node's shape wants it. */
function elementsOf(node: Node): { offsets: Uint32Array; values: Float32Array } | null {
  const [n0, n1, n2, n3] = node.ne;
  if (node.depth !== 0 || node.cubes.length !== n3 || product(node.ne) > MOST_OFFSETS) return null;
  const shown = new Set<number>();
  const offsets: number[] = [];
  const values: number[] = [];
  const isRight = node.cubes.every((cube, i3) =>
    everyPrinted(cube, n2, shown, (matrix, i2) =>
      everyPrinted(matrix, n1, shown, (row, i1) =>
        everyPrinted(row, n0, shown, (value, i0) => {
          offsets.push(((i3 * n2 + i2) * n1 + i1) * n0 + i0);
          values.push(value);
          return true;
        }),
      ),
    ),
  );
  // A row that was lost beside an ellipsis shows in this alone: as many are printed at each end of every axis.
  if (!isRight || shown.size > 1) return null;
  return { offsets: Uint32Array.from(offsets), values: Float32Array.from(values) };
}

/** Whether an axis of `size` has as many items as it must, and each is right; `shown` takes how many stand at each end. */
function everyPrinted<T>(
  { before, after }: Axis<T>,
  size: number,
  shown: Set<number>,
  isRight: (item: T, index: number) => boolean,
): boolean {
  if (after) shown.add(before.length);
  const isWhole = after ? before.length === after.length && 2 * after.length < size : before.length === size;
  return (
    isWhole &&
    before.every(isRight) &&
    (after ?? []).every((item, i) => isRight(item, size - (after as T[]).length + i))
  );
}

/**
 * Whether sums are over all values and not over those that were printed: so where most of those that could tell differ
 * from the printed values' sum by more than their digits allow.
 */
function sumsAreOfAll(nodes: readonly WholeNode[]): boolean {
  let asPrinted = 0;
  let otherwise = 0;
  for (const { sum, ne, values, decimals } of nodes) {
    if (sum === null || !Number.isFinite(sum) || values.length === product(ne)) continue;
    const printed = values.reduce((total, value) => total + value, 0);
    const size = values.reduce((total, value) => total + Math.abs(value), 0);
    // Each value is off by half a digit at most; f32 sums by a rounding for each addition.
    const slack = values.length * (halfUnit(decimals ?? 0) + size * 2 ** -24) + SUM_RESOLUTION;
    if (Math.abs(sum - printed) <= slack) asPrinted++;
    else otherwise++;
  }
  return otherwise > asPrinted;
}

/** The nodes as tensors, cut into passes: each begins with the node that the log began with. */
function inPasses(nodes: readonly WholeNode[], isOfAll: boolean): { tensors: ForeignTensor[]; passes: number[] } {
  const keyOf = ({ name, op }: Node) => `${name} ${op}`;
  const first = nodes[0] && keyOf(nodes[0]);
  const passes: number[] = [];
  let seen = new Map<string, number>();
  const tensors = nodes.map((node): ForeignTensor => {
    const key = keyOf(node);
    if (key === first) {
      passes.push(0);
      seen = new Map();
    }
    const occurrence = seen.get(key) ?? 0;
    seen.set(key, occurrence + 1);
    const pass = passes.length - 1;
    const looked = /inp_tokens[^{]*\{(\d+), 1, 1, 1\}/.exec(node.inputs);
    if (looked && node.op === 'GET_ROWS') passes[pass] = Number(looked[1]);
    return {
      name: node.name,
      dtype: node.type,
      shape: shapeOf(node.ne),
      size: product(node.ne),
      pass,
      op: node.op,
      occurrence,
      part: partOf(node, isOfAll),
    };
  });
  return { tensors, passes };
}

/** Outermost first, without leading axes of one. */
function shapeOf(ne: readonly number[]): number[] {
  const shape = ne.toReversed();
  const first = shape.findIndex((size) => size !== 1);
  return shape.slice(first < 0 ? shape.length - 1 : first);
}

function partOf({ ne, sum, sumOfSquares, offsets, values, decimals }: WholeNode, isOfAll: boolean): ForeignPart {
  const n = product(ne);
  const isWhole = values.length === n;
  const isKnown = sum !== null && (isOfAll || isWhole);
  const squares = sumOfSquares !== null && Number.isFinite(sumOfSquares) ? { rms: Math.sqrt(sumOfSquares / n) } : {};
  return {
    statistics: { n, ...(isKnown ? { sum, ...(Number.isFinite(sum) ? { mean: sum / n } : {}) } : {}), ...squares },
    sumResolution: SUM_RESOLUTION,
    sample: { offsets, values, resolution: halfUnit(decimals ?? 0) },
  };
}
