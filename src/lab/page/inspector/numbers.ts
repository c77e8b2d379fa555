/** Numbers as the inspector writes them. */
import { threeDigits } from '../../../trace/plain_text.ts';

/** Three significant digits; a dash for what there is none of. */
export function shortNumber(value: number | null): string {
  return value === null ? '–' : threeDigits(value);
}

/** A shape with the names of its axes: `token 12 × embd 288`. */
export function shapeText(shape: readonly number[], dims: readonly string[]): string {
  return shape.map((size, axis) => `${dims[axis] ?? `axis${axis}`} ${size}`).join(' × ');
}
