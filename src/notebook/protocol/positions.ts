/** Positions in code: Jupyter counts Unicode code points, JavaScript UTF-16 units. */

/** UTF-16 units before code point `position`; the whole text where it has fewer. */
export function utf16Offset(text: string, position: number): number {
  let offset = 0;
  let left = position;
  for (const character of text) {
    if (left-- <= 0) break;
    offset += character.length;
  }
  return offset;
}

/** Code points before UTF-16 unit `offset`. */
export function codePoints(text: string, offset: number): number {
  return [...text.slice(0, offset)].length;
}
