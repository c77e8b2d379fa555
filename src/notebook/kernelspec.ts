/**
 * What Jupyter is told of our kernel: its names, its language, and the kernel.json by which a front end starts it
 * (jupyter-client.readthedocs.io, "Making kernels for Jupyter").
 */
import { fileURLToPath } from 'node:url';
import { version } from '../version.ts';

/** The kernel's folder in Jupyter's, unless another name is asked for. */
export const KERNEL_NAME = 'layerscope';

/** What menus show. */
export const DISPLAY_NAME = 'TypeScript (Layerscope)';

/** As kernel_info_reply and a notebook's metadata have it. */
export const LANGUAGE_INFO = {
  name: 'typescript',
  file_extension: '.ts',
  mimetype: 'text/typescript',
  codemirror_mode: { mode: 'typescript', name: 'javascript', typescript: true },
} as const;

/** The program that a front end starts. */
export const KERNEL_PROGRAM = fileURLToPath(new URL('../../dist/notebook/kernel.js', import.meta.url));

/** Cells are checked with TypeScript's `strict` where this is 1. */
export const STRICT_VARIABLE = 'LAYERSCOPE_STRICT';

/** kernel.json, as far as we write it. */
export interface Kernelspec {
  readonly argv: readonly string[];
  readonly display_name: string;
  readonly language: string;
  readonly interrupt_mode: 'signal' | 'message';
  readonly env: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface KernelspecOptions {
  /** Check cells with TypeScript's `strict`. */
  readonly strict?: boolean;
}

/** Paths are absolute, because VS Code hides kernels whose are not; messages interrupt on Windows too. */
export function kernelspec({ strict = false }: KernelspecOptions = {}): Kernelspec {
  return {
    argv: [process.execPath, KERNEL_PROGRAM, '{connection_file}'],
    display_name: strict ? DISPLAY_NAME.replace(')', ', strict)') : DISPLAY_NAME,
    language: LANGUAGE_INFO.name,
    interrupt_mode: 'message',
    env: strict ? { [STRICT_VARIABLE]: '1' } : {},
    metadata: { debugger: false, layerscope: { version } },
  };
}
