/** What src/lab/bundle.mjs makes of imports that are no scripts. */

declare module '*.css';

/** A kernel's text. */
declare module '*.wgsl' {
  const text: string;
  export default text;
}

declare module 'layerscope:sources' {
  /** WGSL by the kernel's name, as in `rope` or `blocks/q4_0`. */
  export const kernels: Readonly<Record<string, string>>;
  /** The TypeScript of src/ops by the op's name: its formula, shape rule and f64 reference. */
  export const ops: Readonly<Record<string, string>>;
}

/** KaTeX has no types for its renderer of whole elements. */
declare module 'katex/contrib/auto-render' {
  import type { KatexOptions } from 'katex';

  interface Delimiter {
    readonly left: string;
    readonly right: string;
    readonly display: boolean;
  }

  export default function renderMathInElement(
    element: HTMLElement,
    options?: KatexOptions & { readonly delimiters?: readonly Delimiter[] },
  ): void;
}
