/**
 * A run printed as llama-eval-callback and llama-debug do, in each of their layouts: for tests of the reader, written from
 * what those programs print and not from how they do it.
 */
import type { Traced } from './traced.ts';

export interface Layout {
  readonly prefix: string;
  /** Before the outermost bracket, and more for each further one. */
  readonly indent: string;
  readonly step: string;
  readonly ellipsis: string;
  readonly rowEnd: string;
  readonly sums: 'none' | 'of printed' | 'of all' | 'of all, with squares';
}

export const layouts: Readonly<Record<string, Layout>> = {
  'ggml_debug of 2024': {
    prefix: 'ggml_debug',
    indent: ' '.repeat(37),
    step: ' ',
    ellipsis: '..., ',
    rowEnd: '],',
    sums: 'of printed',
  },
  'ggml_debug of 2025': {
    prefix: 'ggml_debug',
    indent: ' '.repeat(37),
    step: ' ',
    ellipsis: '..., ',
    rowEnd: '],',
    sums: 'of all',
  },
  'llama-debug of early 2026': {
    prefix: 'ggml_debug',
    indent: ' '.repeat(37),
    step: ' ',
    ellipsis: '..., ',
    rowEnd: '],',
    sums: 'of all, with squares',
  },
  common_debug_cb_eval: {
    prefix: 'common_debug_cb_eval',
    indent: ' '.repeat(4),
    step: ' '.repeat(4),
    ellipsis: '   ..., ',
    rowEnd: '  ],',
    sums: 'of all',
  },
};

export interface PrintedNode {
  readonly name: string;
  readonly op: string;
  /** Innermost first. */
  readonly ne: readonly [number, number, number, number];
  readonly inputs: string;
  readonly data: ArrayLike<number>;
}

/** The keys of a cache are padded to so many. */
const PADDING = 256;

/** The nodes that llama.cpp's graph would have computed, with those that have no name of ours. */
export function graphOf({ tensors, model }: Traced): PrintedNode[] {
  const nodes: PrintedNode[] = [];
  const node = (
    name: string,
    op: string,
    ne: readonly number[],
    data: ArrayLike<number>,
    inputs = 'a{1, 1, 1, 1}, ',
  ) => {
    const [n0 = 1, n1 = 1, n2 = 1, n3 = 1] = ne;
    nodes.push({ name, op, ne: [n0, n1, n2, n3], inputs, data });
  };
  for (const [name, { shape, data }] of tensors) {
    const stem = name.split('-')[0] as string;
    const [first = 1, second = 1, third = 1] = shape;
    const rows = [second * third, first];
    if (name === 'embd') {
      node(name, 'GET_ROWS', rows, data, `token_embd.weight{64, 300, 1, 1}, inp_tokens{${first}, 1, 1, 1}`);
    } else if (stem.endsWith('_rope')) node(name.replace('_rope', ''), 'ROPE', [third, second, first], data);
    else if (stem.endsWith('cur')) {
      node(name, 'MUL_MAT', rows, data);
      node(name, 'RESHAPE', [model.config.headDim, second, first], data);
    } else if (stem === 'kq') node(name, 'MUL_MAT', [PADDING, second, first], padded(data, third, PADDING));
    else if (stem === 'kq_soft_max') node(name, 'SOFT_MAX', [PADDING, second, first], padded(data, third, PADDING));
    else if (stem === 'kqv_out') node(name, 'CONT', rows, data);
    else if (stem === 'ffn_swiglu') node(name, 'SWIGLU', rows, data);
    else if (stem.endsWith('norm')) {
      node(
        'norm',
        'RMS_NORM',
        rows,
        data.map((x) => 2 * x),
      );
      node(name, 'MUL', rows, data);
    } else if (['ffn_inp', 'l_out'].includes(stem)) node(name, 'ADD', rows, data);
    else if (stem !== 'ffn_silu') node(name, 'MUL_MAT', rows, data);
  }
  return nodes;
}

function padded(data: Float32Array, width: number, to: number): Float32Array {
  const out = new Float32Array((data.length / width) * to);
  for (let row = 0; row < data.length / width; row++) {
    out.set(data.subarray(row * width, (row + 1) * width), row * to);
  }
  return out;
}

/** A whole log. */
export function printedLog(nodes: readonly PrintedNode[], layout: Layout): string {
  return nodes.map((node) => printedNode(node, layout)).join('');
}

export function printedNode({ name, op, ne, inputs, data }: PrintedNode, layout: Layout): string {
  const { prefix, indent, step, ellipsis, rowEnd, sums } = layout;
  const [n0, n1, n2, n3] = ne;
  let text = `${prefix}: ${name.padStart(24)} = (f32) ${op.padStart(10)}(${inputs}}) = {${ne.join(', ')}}\n`;
  let [sum, squares] = [0, 0];
  const add = (value: number) => {
    sum = Math.fround(sum + value);
    squares = Math.fround(squares + Math.fround(value * value));
  };
  if (sums !== 'of printed') for (const value of Array.from(data)) add(value);
  for (let i3 = 0; i3 < n3; i3++) {
    text += `${indent}[\n`;
    for (const i2 of shownIndices(n2)) {
      if (i2 === null) {
        text += `${indent}${step}..., \n`;
        continue;
      }
      text += `${indent}${step}[\n`;
      for (const i1 of shownIndices(n1)) {
        if (i1 === null) {
          text += `${indent}${step}${step}..., \n`;
          continue;
        }
        const cells = shownIndices(n0).map((i0) => {
          if (i0 === null) return ellipsis;
          const value = data[((i3 * n2 + i2) * n1 + i1) * n0 + i0]!;
          if (sums === 'of printed') add(value);
          return `${fixed(value, 4).padStart(12)}${i0 < n0 - 1 ? ', ' : ''}`;
        });
        text += `${indent}${step}${step}[${cells.join('')}${rowEnd}\n`;
      }
      text += `${indent}${step}],\n`;
    }
    text += `${indent}]\n`;
    if (sums === 'of all, with squares') {
      text += `${indent}sum    = ${fixed(sum, 6)}\n${indent}sum_sq = ${fixed(squares, 6)}\n`;
    } else if (sums !== 'none') text += `${indent}sum = ${fixed(sum, 6)}\n`;
  }
  return text;
}

/** printf's `%.<digits>f`. */
function fixed(value: number, digits: number): string {
  if (Number.isNaN(value)) return 'nan';
  return Number.isFinite(value) ? value.toFixed(digits) : value > 0 ? 'inf' : '-inf';
}

/** The first and last three along an axis, with null for what lies between. */
function shownIndices(size: number): (number | null)[] {
  const all = Array.from({ length: size }, (_, i) => i);
  return size > 6 ? [...all.slice(0, 3), null, ...all.slice(-3)] : all;
}
